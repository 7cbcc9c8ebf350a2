#include "plugin/config/config.h"

#include <criterion/criterion.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "plugin/config/keys.h"

using namespace weir::config;

namespace {

const char* no_environment(const char*) { return nullptr; }

std::string error_of(const std::string& toml) {
    const auto config = parse(toml, no_environment);
    return config ? "" : config.error().message;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

Test(config, defaults) {
    const auto config = parse("[[inputs.weir]]\n", no_environment);
    cr_assert(config.has_value());
    cr_assert_eq(config->interval_ns, 10'000'000'000);
    cr_assert(config->loopback == "drop");
    cr_assert_eq(config->store.detail_ns, 900'000'000'000);
    cr_assert_eq(config->store.rollup_ns, 172'800'000'000'000);
    cr_assert(config->http.listen == "127.0.0.1:9531");
    cr_assert(config->wants_http());
    cr_assert_eq(config->limits.ring_bytes, 16 << 20);
}

Test(config, an_empty_file_is_all_defaults) { cr_assert(parse("", no_environment).has_value()); }

Test(config, reads_every_kind) {
    const auto config = parse(
        "[[inputs.weir]]\n interval = \"1500ms\"\n l7net_enabled = []\n ipv6_disabled = true\n "
        "ephemeral_port = 0\n"
        " [inputs.weir.tags]\n  env = \"prod\"\n [inputs.weir.store]\n  max_size = \"64MiB\"\n path = "
        "\"/x\"\n",
        no_environment);
    cr_assert(config.has_value(), "%s", config ? "" : config.error().message.c_str());
    cr_assert_eq(config->interval_ns, 1'500'000'000);
    cr_assert_not(config->wants_http());
    cr_assert(config->ipv6_disabled);
    cr_assert_eq(config->ephemeral_port, 0);
    cr_assert(config->tags.at("env") == "prod");
    cr_assert_eq(config->store.max_bytes, 64 << 20);
    cr_assert(config->store.path == "/x");
}

Test(config, mistakes_name_line_and_key_all_at_once) {
    const std::string error = error_of(
        "[[inputs.weir]]\ninterval = 10\nintervall = \"1s\"\nloopback = \"maybe\"\n[inputs.weir.http]\n"
        "listen = \"0.0.0.0:1\"\nport = 1\n");
    cr_assert(contains(error, "line 2: interval: must be a duration"), "%s", error.c_str());
    cr_assert(contains(error, "line 3: intervall: unknown key"), "%s", error.c_str());
    cr_assert(contains(error, "line 4: loopback: unknown value \"maybe\"; known: \"drop\", \"keep\""), "%s",
              error.c_str());
    cr_assert(contains(error, "line 7: http.port: unknown key"), "%s", error.c_str());
}

Test(config, refuses_what_is_out_of_range) {
    cr_assert(contains(error_of("[[inputs.weir]]\ninterval = \"0s\"\n"),
                       "line 2: interval: must be from 1s to 5m"));
    cr_assert(contains(error_of("[[inputs.weir]]\nephemeral_port = 65536\n"), "must be from 0 to 65535"));
    cr_assert(
        contains(error_of("[[inputs.weir]]\ninterval = \"99999999999999999h\"\n"), "line 2: interval: "));
    cr_assert(contains(error_of("[[inputs.weir]]\nstore.max_size = \"1B\"\n"), "must be from 16MiB to 1TiB"));
}

Test(config, routes_and_redactions_are_checked) {
    const auto config =
        parse("[[inputs.weir]]\nhttp_routes = [\"/users/{name}/**\"]\nhttp_redact = [\"reset/*\"]\n",
              no_environment);
    cr_assert(config.has_value());
    cr_assert(config->http_routes.at(0) == "/users/{name}/**");
    cr_assert_eq(config->limits.routes, 200);
    const std::string error =
        error_of("[[inputs.weir]]\nhttp_routes = [\"users\"]\nhttp_redact = [\"/reset\"]\n");
    cr_assert(contains(error, "line 2: http_routes: \"users\" must begin with /"), "%s", error.c_str());
    cr_assert(contains(error, "line 3: http_redact: \"/reset\" is made of segments"), "%s", error.c_str());
}

Test(config, other_addresses_need_a_token) {
    const char* const open = "[[inputs.weir]]\n[inputs.weir.http]\nlisten = \"0.0.0.0:9531\"\n";
    cr_assert(contains(error_of(open), "line 3: http.listen: 0.0.0.0:9531 is not a loopback address"));
    cr_assert(error_of(std::string(open) + "token = \"0123456789abcdef\"\n").empty());
    cr_assert(contains(error_of(std::string(open) + "token = \"short\"\n"), "line 4: http.token"));
}

Test(config, what_is_not_weirs_is_a_mistake) {
    cr_assert(contains(error_of("[[inputs.cpu]]\n"), "inputs.cpu: unknown key"));
    cr_assert(contains(error_of("x = 1\n"), "line 1: x: unknown key"));
    cr_assert(contains(error_of("[inputs.weir]\n"), "must be written as [[inputs.weir]]"));
    cr_assert(contains(error_of("[[inputs.weir]]\n[[inputs.weir]]\n"), "line 2: inputs.weir: only one"));
    cr_assert(contains(error_of("[[inputs.weir]\n"), "line 1: not TOML"));
}

Test(config, the_environment_overrides) {
    const auto config = parse("[[inputs.weir]]\ninterval = \"20s\"\n", [](const char* name) -> const char* {
        if (std::strcmp(name, "WEIR_INTERVAL") == 0) return "2s";
        if (std::strcmp(name, "WEIR_STORE_PATH") == 0) return "/tmp/x";
        if (std::strcmp(name, "WEIR_IPV6_DISABLED") == 0) return "True";
        if (std::strcmp(name, "WEIR_STORE_ENABLED") == 0) return "f";
        if (std::strcmp(name, "WEIR_TAGS") == 0) return "a=b,c=d=e";
        return nullptr;
    });
    cr_assert(config.has_value());
    cr_assert_eq(config->interval_ns, 2'000'000'000);
    cr_assert(config->store.path == "/tmp/x");
    cr_assert(config->ipv6_disabled);
    cr_assert_not(config->store.enabled);
    cr_assert(config->tags.at("a") == "b" && config->tags.at("c") == "d=e");
}

Test(config, a_bad_override_names_its_variable) {
    const auto config = parse("", [](const char* name) -> const char* {
        return std::strcmp(name, "WEIR_INTERVAL") == 0 ? "soon" : nullptr;
    });
    cr_assert_not(config.has_value());
    cr_assert(contains(config.error().message, "environment: WEIR_INTERVAL: expected something like"));
}

Test(config, the_sample_is_valid_and_says_the_defaults) {
    const auto sample = parse(sample_toml(), no_environment);
    cr_assert(sample.has_value(), "%s", sample ? "" : sample.error().message.c_str());
    const auto defaults = parse("", no_environment);
    cr_assert_eq(sample->interval_ns, defaults->interval_ns);
    cr_assert(sample->http.listen == defaults->http.listen);
    for (const Key& key : keys()) {
        cr_assert(contains(sample_toml(), "  " + std::string(key.name) + " = "), "%s", key.path().c_str());
        cr_assert(contains(sample_toml(), key.environment()), "%s", key.path().c_str());
    }
}

Test(config, the_sample_file_is_the_sample) {
    std::ifstream file(WEIR_SOURCE_DIR "/packaging/weir.sample.toml");
    std::stringstream text;
    text << file.rdbuf();
    cr_assert(text.str() == sample_toml(),
              "run: weir-host sample-config --plugin weir.so > packaging/weir.sample.toml");
}

Test(config, the_demo_file_is_valid) {
    std::ifstream file(WEIR_SOURCE_DIR "/packaging/demo.toml");
    std::stringstream text;
    text << file.rdbuf();
    const auto demo = parse(text.str(), no_environment);
    cr_assert(demo.has_value(), "%s", demo ? "" : demo.error().message.c_str());
    cr_assert(demo->loopback == "keep");
}

Test(config, a_part_leaves_the_rest_as_it_is) {
    const auto base =
        parse("[[inputs.weir]]\ninterval = \"5s\"\nloopback = \"keep\"\ntags = {a = \"1\"}\n", nullptr);
    cr_assert(base.has_value());
    const auto changed = parse_part("[[inputs.weir]]\ninterval = \"7s\"\ntags = {b = \"2\"}\n", *base);
    cr_assert(changed.has_value());
    cr_assert_eq(changed->interval_ns, 7'000'000'000);
    cr_assert(changed->loopback == "keep");
    cr_assert(changed->tags == (std::map<std::string, std::string>{{"b", "2"}}));
    cr_assert(needing_restart(*base, *changed).empty());
    cr_assert(parse_part("", *base).value() == *base);
    const auto wrong = parse_part("[[inputs.weir]]\nintervall = \"7s\"\n", *base);
    cr_assert(!wrong && contains(wrong.error().message, "line 2: intervall: unknown key"));
    cr_assert_not(parse_part("[[inputs.weir]]\ninterval = \"1ms\"\n", *base).has_value());
}

Test(config, what_needs_a_restart_is_named) {
    const auto base = parse("", nullptr);
    const auto other =
        parse("[[inputs.weir]]\ninterval = \"7s\"\nservice = \"x\"\n[inputs.weir.limits]\nspool = \"8MiB\"\n",
              nullptr);
    cr_assert(base && other);
    cr_assert_eq(needing_restart(*base, *other), std::string("service, limits.spool"));
    cr_assert_eq(base->limits.spool_bytes, 64 << 20);
    cr_assert(contains(reloadable_json(), "\"interval\"") && contains(reloadable_json(), "\"tags\""));
    cr_assert_not(contains(reloadable_json(), "store.path"));
}

Test(config, mistakes_in_rules_have_a_place) {
    const auto wrong = parse(
        "[[inputs.weir]]\ninterval = \"5s\"\nnetlog_blacklist = \"\"\"\nudp\ntcp && bogus\"\"\"\n", nullptr);
    cr_assert_not(wrong.has_value());
    cr_assert(contains(wrong.error().message, "line 3: netlog_blacklist: \"bogus\" is not known"), "%s",
              wrong.error().message.c_str());
    cr_assert(contains(wrong.error().message, "line 2, column 8 of the rules"));
    const auto right = parse("[[inputs.weir]]\nnetlog_blacklist = \"udp; dst_port == 53\"\n", nullptr);
    cr_assert(right.has_value());
    cr_assert(needing_restart(*parse("", nullptr), *right).empty());
}
