#include "plugin/query/filter.h"

#include <criterion/criterion.h>

#include <random>
#include <string>

#include "plugin/query/field_values.h"
#include "tests/unit/plugin/query/sample_rows.h"

using namespace weir;
using namespace weir::query;
using namespace weir::test;

namespace {

// Which rows of the sample an expression takes, as a string of their numbers.
std::string taken(const std::string& expression) {
    const auto filter = parse_filter(expression);
    cr_assert(filter.has_value(), "%s: %s", expression.c_str(), filter.error().message.c_str());
    const Batch batch = sample_batch();
    std::string out;
    for (std::size_t i = 0; i < batch.l4.size(); i++) {
        if (matches(*filter, batch, batch.l4[i])) out += std::to_string(i);
    }
    return out;
}

void expect_taken(const std::string& expression, const std::string& rows) {
    const std::string got = taken(expression);
    cr_expect(got == rows, "%s takes %s, expected %s", expression.c_str(), got.c_str(), rows.c_str());
}

void expect_taken_l7(const std::string& expression, const std::string& rows) {
    const auto filter = parse_filter(expression);
    cr_assert(filter.has_value(), "%s", expression.c_str());
    const Batch batch = sample_batch();
    std::string got;
    for (std::size_t i = 0; i < batch.l7.size(); i++) {
        if (matches(*filter, batch, batch.l7[i])) got += std::to_string(i);
    }
    cr_expect(got == rows, "%s takes %s, expected %s", expression.c_str(), got.c_str(), rows.c_str());
}

void expect_error(const std::string& expression, std::size_t position) {
    const auto filter = parse_filter(expression);
    cr_assert(!filter.has_value(), "%s was taken", expression.c_str());
    const std::string& message = filter.error().message;
    cr_expect(message.ends_with(" at " + std::to_string(position)), "%s: %s, expected position %zu",
              expression.c_str(), message.c_str(), position);
    cr_expect_eq(filter.error().code, ErrorCode::invalid_argument);
}

}  // namespace

Test(filter, nothing_matches_everything) {
    expect_taken("", "01234");
    expect_taken("  \t ", "01234");
}

Test(filter, fields) {
    expect_taken("transport:udp", "4");
    expect_taken("direction:incoming", "13");
    expect_taken("server_port:443", "2");
    expect_taken("server_port:44", "");  // the whole value
    expect_taken("process_name:CURL", "02");
    expect_taken("dst_ip:2001:db8::35", "4");
    expect_taken("client_port:\"*\"", "0123");  // between quotes a * is itself
    expect_taken("client_port:*", "01234");
    expect_taken("client_port:\\*", "0123");
    expect_taken("bytes_written:3000", "2");
}

Test(filter, wildcards) {
    expect_taken("process_name:c*l", "02");
    expect_taken("process_name:*n*", "13");
    expect_taken("dst_ip:93.*", "2");
    expect_taken("process_name:c*x", "");
}

Test(filter, a_missing_value_matches_only_the_empty_pattern) {
    expect_taken("process_name:*", "0123");
    expect_taken("process_name:\"\"", "4");
    expect_taken("NOT process_name:*", "4");
    expect_taken("rtt:*", "2");
    expect_taken("method:*", "");
}

Test(filter, comparisons_are_numeric) {
    expect_taken("bytes_written:>3000", "34");
    expect_taken("bytes_written:>=3000", "234");
    expect_taken("bytes_written:<2000", "0");
    expect_taken("bytes_written:<=2000", "01");
    expect_taken("bytes_written:>1e3", "1234");
    expect_taken("server_port:>79 server_port:<100", "013");
    expect_taken("client_port:>0", "4");  // a folded port is no number
    expect_taken("rtt:<1000", "2");       // and neither is a measure without samples
}

Test(filter, status_classes) {
    expect_taken_l7("status_code:5xx", "1");
    expect_taken_l7("status_code:2XX", "0");
    expect_taken_l7("-status_code:5xx", "0");
    expect_taken_l7("status_code:503", "1");
    expect_taken_l7("status_code:>=200 path:/users*", "01");
    expect_taken_l7("method:get", "0");
    expect_taken_l7("path:/users", "1");
}

Test(filter, bare_words_match_names_and_addresses) {
    expect_taken("nginx", "013");  // also as the peer of row 0
    expect_taken("curl", "02");
    expect_taken("184.216", "2");
    expect_taken("web-1", "01234");
    expect_taken("2001:db8::35", "4");
    expect_taken("::35", "4");
    expect_taken("CUR*", "02");
    expect_taken("*34", "2");
    expect_taken("url", "02");
    expect_taken("443", "");  // ports are no names
}

Test(filter, ends_by_any_name) {
    expect_taken("client:curl", "02");
    expect_taken("server:nginx", "013");
    expect_taken("client:nginx", "");
    expect_taken("client:curl server:nginx", "0");
    expect_taken("server:93.184.216.34", "2");
    expect_taken("client:10.0.0.7", "3");
    expect_taken("client:web-1", "0124");  // the host is the client of what it began
    expect_taken("server:web-1", "013");
    expect_taken("server:10.*", "3");
}

Test(filter, logic) {
    expect_taken("transport:tcp direction:outgoing", "02");
    expect_taken("transport:tcp AND direction:outgoing", "02");
    expect_taken("transport:udp OR server_port:443", "24");
    expect_taken("NOT transport:tcp", "4");
    expect_taken("-transport:tcp", "4");
    expect_taken("--transport:tcp", "0123");
    expect_taken("transport:udp OR process_name:curl direction:outgoing", "024");  // AND binds closer
    expect_taken("(transport:udp OR process_name:nginx) direction:incoming", "13");
    expect_taken("-(transport:udp OR process_name:nginx)", "02");
    expect_taken("NOT(transport:udp)OR(transport:udp)", "01234");
    expect_taken("and", "");  // only in capitals
    expect_taken("\"AND\"", "");
}

Test(filter, errors_say_where) {
    expect_error("foo:bar", 0);
    expect_error("transport:tcp foo:bar", 14);
    expect_error("(transport:tcp", 0);
    expect_error("transport:tcp)", 13);
    expect_error("transport:", 10);
    expect_error("transport: tcp", 10);
    expect_error("a OR", 4);
    expect_error("OR a", 0);
    expect_error("a AND OR b", 6);
    expect_error("()", 1);
    expect_error("process_name:\"curl", 13);
    expect_error("process_name:\"curl\"x", 19);
    expect_error("a\"b", 1);
    expect_error("process_name:>1", 0);
    expect_error("bytes_written:>many", 15);
    expect_error("bytes_written:>", 15);
    expect_error("bytes_written:>inf", 15);
    expect_error("bytes_written:>1e999", 15);
    expect_error("NOT", 3);
    expect_error("-", 1);
    expect_error("10.0.0.1:80", 0);
    expect_error("\xC3\xA4\xC3\xB6 foo:bar", 3);  // two characters in four bytes
}

Test(filter, length_terms_and_depth_are_bounded) {
    cr_expect(parse_filter(std::string(1000, 'a')).has_value());
    expect_error(std::string(1001, 'a'), 1001);
    cr_expect(!parse_filter(std::string(5000, '\x80')).has_value());

    std::string words;
    for (int i = 0; i < 100; i++) words += "a ";
    cr_expect(parse_filter(words).has_value());
    expect_error(words + "b", 200);

    cr_expect(parse_filter(std::string(49, '(') + "a" + std::string(49, ')')).has_value());
    cr_expect(!parse_filter(std::string(500, '(') + "a" + std::string(499, ')')).has_value());
    cr_expect(!parse_filter(std::string(900, '-') + "a").has_value());
}

// Whatever comes in: an answer, and the same one twice.
Test(filter, random_text_never_breaks_the_parser) {
    const std::string alphabet = "ab*:\"\\()<>=- 1x.\xC3\xA4\n ANDORNOTstatus_code:client:process_name:";
    std::mt19937 random(7);
    const Batch batch = sample_batch();
    std::size_t good = 0;
    for (int round = 0; round < 20000; round++) {
        std::string text;
        for (auto n = random() % 40; n > 0; n--) text += alphabet[random() % alphabet.size()];
        const auto filter = parse_filter(text);
        if (!filter) {
            cr_assert(filter.error().message.find(" at ") != std::string::npos);
            continue;
        }
        good++;
        for (const auto& row : batch.l4) {
            const bool yes = matches(*filter, batch, row);
            const auto negated = parse_filter("NOT (" + text + ")");
            if (negated && filter->kind != Filter::Kind::all) {
                cr_assert_neq(yes, matches(*negated, batch, row), "%s", text.c_str());
            }
        }
    }
    cr_expect_gt(good, 1000u, "the alphabet makes hardly any expressions: %zu", good);
}

namespace {

// The plain meaning of a pattern, exponential in its stars.
bool reference(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
        return reference(pattern.substr(1), text) || (!text.empty() && reference(pattern, text.substr(1)));
    }
    const std::size_t skip = pattern[0] == '\\' && pattern.size() > 1 ? 1 : 0;
    return !text.empty() && pattern[skip] == text[0] && reference(pattern.substr(1 + skip), text.substr(1));
}

}  // namespace

Test(pattern, agrees_with_the_plain_meaning) {
    std::mt19937 random(11);
    std::size_t matched = 0;
    for (int round = 0; round < 50000; round++) {
        std::string pattern, text;
        for (auto n = random() % 8; n > 0; n--) pattern += "ab*\\"[random() % 4];
        for (auto n = random() % 10; n > 0; n--) text += "ab*\\"[random() % 4];
        const bool expected = reference(pattern, text);
        matched += expected ? 1 : 0;
        cr_assert_eq(matches_pattern(pattern, text), expected, "pattern %s text %s", pattern.c_str(),
                     text.c_str());
    }
    cr_expect_gt(matched, 1000u);
}

Test(pattern, exact_patterns_match_only_themselves) {
    for (const std::string text : {"", "*", "a*b", "\\", "\\*", "a\\", "plain"}) {
        cr_expect(matches_pattern(exact_pattern(text), text), "%s", text.c_str());
        cr_expect_not(matches_pattern(exact_pattern(text), text + "x"), "%s", text.c_str());
    }
    cr_expect_not(matches_pattern(exact_pattern("*"), "80"));
}

Test(pattern, many_stars_take_no_long_time) {
    std::string pattern;
    for (int i = 0; i < 400; i++) pattern += "*a";
    cr_expect_not(matches_pattern(pattern + "b", std::string(4000, 'a')));
}
