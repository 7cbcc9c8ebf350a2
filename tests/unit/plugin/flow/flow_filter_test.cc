#include "plugin/flow/flow_filter.h"

#include <criterion/criterion.h>

#include <random>
#include <string>

#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

// 10.0.0.1:40000 -> 10.0.0.2:80, TCP, curl
bool meets(const std::string& rules, const Ends& ends = {}, std::uint8_t transport = IPPROTO_TCP) {
    const auto filter = FlowFilter::parse(rules);
    cr_assert(filter.has_value(), "%s: %s", rules.c_str(), filter ? "" : filter.error().message.c_str());
    weir_conn_id id = make_id(ends);
    id.transport = transport;
    return filter->leaves_out({id, "datakit-kfez321", ""});
}

std::string mistake(const std::string& rules) {
    const auto filter = FlowFilter::parse(rules);
    cr_assert_not(filter.has_value(), "%s", rules.c_str());
    cr_assert_eq(filter.error().code, ErrorCode::bad_config);
    return filter.error().message;
}

const Ends kSix{.local = "2001:db8::1", .remote = "2001:db8::2"};

}  // namespace

Test(flow_filter, what_rules_know) {
    cr_assert(meets("tcp"));
    cr_assert_not(meets("udp"));
    cr_assert(meets("udp", {}, IPPROTO_UDP));
    cr_assert(meets("ipv4"));
    cr_assert(meets("ipv6", kSix));
    cr_assert(meets("ipv4", {.local = "::ffff:1.2.3.4", .remote = "::ffff:1.2.3.5"}));
    cr_assert(meets("src_port == 40000"));
    cr_assert(meets("dst_port == 80"));
    cr_assert(meets("dst_port >= 80 && dst_port < 81 && src_port > 1 && src_port <= 40000 && pid == 100"));
    cr_assert(meets("ip_saddr == \"10.0.0.1\""));
    cr_assert(meets("'10.0.0.2' == ip_daddr"));
    cr_assert(meets("ip_saddr != ip_daddr"));
    cr_assert(meets("ip6_saddr == \"2001:0DB8::0001\"", kSix));
    cr_assert(meets("process_name == \"curl\""));
    cr_assert(meets("has_prefix(k8s_src_pod, \"datakit-\") || has_prefix(k8s_dst_pod, \"datakit-\")"));
    cr_assert(meets("k8s_dst_pod == \"\""));
    cr_assert(meets("has_prefix(ip_saddr, \"10.0.\")"));
    cr_assert_not(meets("has_prefix(process_name, \"curl2\")"));
}

Test(flow_filter, a_flow_of_the_other_family_has_no_address) {
    cr_assert_not(meets("ip_saddr == \"10.0.0.1\"", kSix));
    cr_assert(meets("ip_saddr != \"10.0.0.1\"", kSix));
    cr_assert(meets("ip_saddr == \"\"", kSix));
    cr_assert_not(meets("ipnet_contains(\"0.0.0.0/0\", ip_saddr)", kSix));
    cr_assert_not(meets("ipnet_contains(\"::/0\", ip6_saddr)"));
}

Test(flow_filter, networks) {
    cr_assert(meets("ipnet_contains(\"10.0.0.0/8\", ip_saddr)"));
    cr_assert(meets("ipnet_contains(\"10.0.0.0/31\", ip_saddr)"));
    cr_assert_not(meets("ipnet_contains(\"10.0.0.2/31\", ip_saddr)"));
    cr_assert(meets("ipnet_contains(\"10.0.0.1/32\", ip_saddr)"));
    cr_assert(meets("ipnet_contains(\"0.0.0.0/0\", ip_saddr)"));
    cr_assert(meets("ipnet_contains(\"10.255.255.255/8\", ip_saddr)"),
              "what is beyond the bits does not matter");
    cr_assert(meets("ipnet_contains(\"2001:db8::/32\", ip6_daddr)", kSix));
    cr_assert_not(meets("ipnet_contains(\"2001:db9::/32\", ip6_daddr)", kSix));
    cr_assert(meets("ipnet_contains(\"::/0\", ip6_daddr)", kSix));
}

Test(flow_filter, operators_bind_as_in_other_languages) {
    cr_assert(meets("tcp || udp && udp"));
    cr_assert_not(meets("(tcp || udp) && udp"));
    cr_assert(meets("!udp && !!tcp"));
    cr_assert(meets("!(udp || ipv6)"));
    cr_assert(meets("tcp == true && udp != true && tcp != udp"));
    cr_assert(meets("!udp == true"), "! goes around the comparison's left side or all of it: the same here");
}

Test(flow_filter, several_rules) {
    const std::string rules =
        "udp\n"
        "ip_saddr == \"1.1.1.1\" && (src_port == 80 || dst_port == 80);\n"
        "ip_saddr == \"10.10.0.1\" && (src_port == 80 || dst_port == 80)\n"
        "\n"
        "ipnet_contains(\"127.0.0.0/8\", ip_saddr); ipv6  # and a comment\n";
    cr_assert_not(meets(rules));
    cr_assert(meets(rules, {}, IPPROTO_UDP));
    cr_assert(meets(rules, {.local = "1.1.1.1"}));
    cr_assert_not(meets(rules, {.local = "1.1.1.1", .remote_port = 81}));
    cr_assert(meets(rules, {.local = "127.3.3.3"}));
    cr_assert(meets(rules, kSix));
}

Test(flow_filter, processes_that_a_rule_names_alone) {
    const auto processes = [](std::string_view text) { return FlowFilter::parse(text).value().processes(); };
    using Names = std::vector<std::string>;
    cr_assert(processes("process_name == 'curl'; 'wget' == process_name") == (Names{"curl", "wget"}));
    cr_assert(processes("(process_name == 'a' || udp) || process_name == 'b'") == (Names{"a", "b"}));
    for (const char* const text :
         {"process_name == 'a' && tcp", "process_name != 'a'", "!(process_name == 'a')", "process_name == ''",
          "k8s_src_pod == 'a'", "'a' == 'a'", "(process_name == 'a') == true",
          "has_prefix(process_name, 'a')", ""}) {
        cr_assert(processes(text).empty(), "%s", text);
    }
}

Test(flow_filter, lines_are_broken_after_operators) {
    cr_assert(
        meets("(ip_saddr == \"1.1.1.1\" || ip_saddr == \"10.0.0.1\") &&\n     (src_port == 80 ||\n dst_port "
              "== 80\n)"));
    cr_assert(meets("ipnet_contains(\n\"10.0.0.0/8\",\n ip_saddr\n)"));
    cr_assert(meets("dst_port ==\n80"));
}

Test(flow_filter, nothing_leaves_out_nothing) {
    for (const char* rules : {"", "  \n ; ;\n", "# nothing"}) {
        cr_assert_not(meets(rules));
        cr_assert(FlowFilter::parse(rules)->empty());
    }
}

Test(flow_filter, mistakes_have_a_place) {
    const struct {
        const char* rules;
        const char* what;
        const char* place;
    } cases[] = {
        {"tcp &&", "a value is expected", "line 1, column 7"},
        {"udp\ntcp udp", "an operator", "line 2, column 5"},
        {"bogus == 1", "\"bogus\" is not known", "line 1, column 1"},
        {"udp;\n  src_port = 80", "'=' is no operator", "line 2, column 12"},
        {"src_port == \"80\"", "a number cannot be compared with text", "column 10"},
        {"src_port", "true or false is expected, this is a number", "column 1"},
        {"tcp && dst_port", "true or false is expected", "column 8"},
        {"ip_saddr < \"1.1.1.1\"", "only numbers", "column 10"},
        {"ip_saddr == \"1.1.1\"", "an address is expected", "column 13"},
        {"ipnet_contains(\"10.0.0.0/33\", ip_saddr)", "is no network", "column 16"},
        {"ipnet_contains(\"10.0.0.0\", ip_saddr)", "is no network", "column 16"},
        {"ipnet_contains(ip_saddr, \"10.0.0.0/8\")", "a network is expected", "column 16"},
        {"ipnet_contains(\"10.0.0.0/8\")", "a comma is expected", "column 28"},
        {"has_prefix(src_port, \"8\")", "text is expected", "column 12"},
        {"starts(\"a\", \"b\")", "no function", "column 1"},
        {"(tcp", "never closed", "column 1"},
        {"process_name == \"curl", "never closed", "column 17"},
        {"src_port == 99999999999999999999", "is no number", "column 13"},
        {"src_port == 80x", "is no number", "column 13"},
        {"tcp & udp", "'&' is no operator", "column 5"},
    };
    for (const auto& c : cases) {
        const std::string message = mistake(c.rules);
        cr_assert(message.find(c.what) != std::string::npos, "%s: %s", c.rules, message.c_str());
        cr_assert(message.find(c.place) != std::string::npos, "%s: %s", c.rules, message.c_str());
    }
}

Test(flow_filter, is_bounded) {
    cr_assert(mistake(std::string(100, '(') + "tcp").find("too deeply") != std::string::npos);
    cr_assert(mistake(std::string(100, '!') + "tcp").find("too deeply") != std::string::npos);
    std::string many = "tcp";
    for (int i = 0; i < 5000; i++) many += " || tcp";
    cr_assert(mistake(many).find("too many") != std::string::npos);
    cr_assert(mistake(std::string(70000, ' ')).find("longer") != std::string::npos);
}

Test(flow_filter, any_text_is_safe) {
    const std::string words[] = {"tcp",
                                 " ",
                                 "\n",
                                 "(",
                                 ")",
                                 "!",
                                 "&&",
                                 "||",
                                 "==",
                                 "<",
                                 "src_port",
                                 "80",
                                 "\"",
                                 "'",
                                 "\"10.0.0.0/8\"",
                                 "ipnet_contains",
                                 ",",
                                 ";",
                                 "ip_saddr",
                                 "\\",
                                 "#",
                                 "has_prefix"};
    std::mt19937 random(1);
    const weir_conn_id id = make_id({});
    for (int i = 0; i < 100000; i++) {
        std::string text;
        for (auto n = random() % 12; n > 0; n--) text += words[random() % std::size(words)];
        if (const auto filter = FlowFilter::parse(text)) filter->leaves_out({id});
    }
}
