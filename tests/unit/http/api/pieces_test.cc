// The small parts of the API: cursors, steps, tables, JSON.
#include <criterion/criterion.h>

#include <random>
#include <string>

#include "http/api/cursor.h"
#include "http/api/json.h"
#include "http/api/steps.h"
#include "http/api/table.h"

using namespace weir;
using namespace weir::http;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000, kHour = 3600 * kSecond;

std::string csv_of(const std::string& text) {
    const Table table{{{"a"}}, {{json_text(text)}}};
    const std::string csv = to_csv(table);
    cr_assert(csv.starts_with("a\r\n"));
    return csv.substr(3, csv.size() - 5);
}

}  // namespace

Test(cursor, comes_back_as_it_was) {
    const Cursor cursor{{12345678901234, 98765432109876}, std::string("\x00\xff-\x10z", 5)};
    const auto back = read_cursor(write_cursor(cursor, "l4\n"), "l4\n");
    cr_assert(back.has_value());
    cr_expect_eq(back->range.from_ns, cursor.range.from_ns);
    cr_expect_eq(back->range.to_ns, cursor.range.to_ns);
    cr_expect(back->store == cursor.store);
}

Test(cursor, of_another_search_is_refused) {
    const std::string text = write_cursor({{1, 2}, "x"}, "l4\n");
    cr_expect_not(read_cursor(text, "l7\n").has_value());
}

Test(cursor, what_is_no_cursor) {
    const std::string good = write_cursor({{1, 2}, "x"}, "f");
    cr_expect(read_cursor(good, "f").has_value());
    for (std::size_t n = 0; n < good.size(); n++) {
        cr_expect_not(read_cursor(good.substr(0, n), "f").has_value(), "%s", good.substr(0, n).c_str());
    }
    cr_expect_not(read_cursor(good + "0", "f").has_value());
    cr_expect_not(read_cursor(good + "-00", "f").has_value());
    cr_expect_not(read_cursor("2" + good.substr(1), "f").has_value());
    cr_expect_not(read_cursor(write_cursor({{2, 1}, "x"}, "f"), "f").has_value());
    cr_expect_not(read_cursor(write_cursor({{-5, 1}, "x"}, "f"), "f").has_value());
    std::mt19937 random(1);
    for (int round = 0; round < 20000; round++) {
        std::string text = good;
        text[random() % text.size()] = static_cast<char>(random());
        read_cursor(text, "f");
    }
}

Test(steps, are_about_sixty_of_a_sensible_length) {
    cr_expect_eq(auto_step(15 * 60 * kSecond, 0), 15 * kSecond);
    cr_expect_eq(auto_step(kHour, 0), 60 * kSecond);
    cr_expect_eq(auto_step(4 * kHour, 0), 300 * kSecond);
    cr_expect_eq(auto_step(24 * kHour, 0), 1800 * kSecond);
    cr_expect_eq(auto_step(48 * kHour, 0), kHour);
    cr_expect_eq(auto_step(1, 0), kSecond);
    cr_expect_eq(auto_step(60 * kSecond, 10 * kSecond), 10 * kSecond);
    cr_expect_eq(auto_step(15 * 60 * kSecond, 10 * kSecond), 20 * kSecond, "15 s would not hold whole intervals");
    cr_expect_eq(auto_step(15 * 60 * kSecond, 7 * kSecond) % (7 * kSecond), 0);
    cr_expect_eq(auto_step(365 * 24 * kHour, 0), 7 * 24 * kHour);
    for (std::int64_t range = 1; range < 400 * 24 * kHour; range = range * 3 / 2 + 1) {
        cr_assert_leq(range / auto_step(range, 0), 60);
    }
}

Test(csv, cells_that_could_be_formulas_are_defused) {
    cr_expect(csv_of("=1+1") == "\"'=1+1\"");
    cr_expect(csv_of("+1") == "\"'+1\"");
    cr_expect(csv_of("-1") == "\"'-1\"");
    cr_expect(csv_of("@a") == "\"'@a\"");
    cr_expect(csv_of("\ta") == "\"'\ta\"");
    cr_expect(csv_of("\ra") == "\"'\ra\"");
    cr_expect(csv_of("a=1") == "\"a=1\"");
    cr_expect(csv_of("") == "\"\"");
}

Test(csv, quotes_and_control_characters) {
    cr_expect(csv_of("a\"b,c\nd") == "\"a\"\"b,c\nd\"");
    cr_expect(csv_of("a\x1b[31mb\x7f") == "\"a\xEF\xBF\xBD[31mb\xEF\xBF\xBD\"");
    cr_expect(csv_of("a\xc2\x9b"
                     "b") ==
              "\"a\xEF\xBF\xBD"
              "b\"");
    cr_expect(csv_of("\xc3\xa4\xff") == "\"\xc3\xa4\xEF\xBF\xBD\"");
}

Test(csv, numbers_nulls_and_ends) {
    const Table table{{{"n"}, {"end", true}, {"last"}},
                      {{-5, end_json({query::KeyPart::Kind::ip, "::1"}), nullptr},
                       {1.5, end_json({query::KeyPart::Kind::process, "=x"}), true}}};
    cr_expect(to_csv(table) ==
              "n,end.id,end.kind,end.name,last\r\n"
              "-5,\"ip:::1\",\"ip\",\"::1\",\r\n"
              "1.5,\"process:=x\",\"process\",\"'=x\",true\r\n");
    cr_expect(to_csv({{{"a"}, {"b"}}, {}}) == "a,b\r\n");
}

Test(json, any_bytes_become_valid_ascii) {
    std::mt19937 random(5);
    for (int round = 0; round < 20000; round++) {
        std::string bytes;
        for (auto n = random() % 12; n > 0; n--) bytes += static_cast<char>(random());
        const std::string text = to_text(Json{{"a", json_text(bytes)}});
        for (const char c : text) cr_assert(c >= ' ' && c < 0x7f);
        cr_assert(Json::accept(text));
    }
    cr_expect(to_text(json_text("\x1b\x7f\xc2\x9b\xff")) == R"("\u001b\u007f\u009b\ufffd")");
}

Test(json, integers_stay_integers) {
    cr_expect(to_text(json_number(3)) == "3");
    cr_expect(to_text(json_number(2.5)) == "2.5");
    cr_expect(to_text(json_number(9007199254740991.0)) == "9007199254740991");
}
