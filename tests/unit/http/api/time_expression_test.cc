#include "http/api/time_expression.h"

#include <criterion/criterion.h>

#include <string_view>

using namespace weir::http;

namespace {

constexpr std::int64_t kMs = 1'000'000, kSecond = 1000 * kMs, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr std::int64_t kNow = 1'714'557'600 * kSecond;  // 2024-05-01T10:00:00Z

void expect_time(std::string_view text, std::int64_t expected) {
    const auto time = parse_time(text, kNow);
    cr_expect(time.has_value(), "%s is refused", text.data());
    cr_expect_eq(time.value_or(-1), expected, "%s: %ld", text.data(), time.value_or(-1));
}

}  // namespace

Test(time_expression, relative) {
    expect_time("now", kNow);
    expect_time("-15m", kNow - 15 * kMinute);
    expect_time("now-15m", kNow - 15 * kMinute);
    expect_time("-1h30m", kNow - 90 * kMinute);
    expect_time("-500ms", kNow - 500 * kMs);
    expect_time("-2d", kNow - 48 * kHour);
    expect_time("-1w", kNow - 7 * 24 * kHour);
}

Test(time_expression, unix_ms) {
    expect_time("1714557600000", kNow);
    expect_time("1714557600123", kNow + 123 * kMs);
    expect_time("0", 0);
}

Test(time_expression, rfc3339) {
    expect_time("2024-05-01T10:00:00Z", kNow);
    expect_time("2024-05-01t10:00:00z", kNow);
    expect_time("2024-05-01 10:00:00Z", kNow);
    expect_time("2024-05-01T12:00:00+02:00", kNow);
    expect_time("2024-05-01T12:00:00 02:00", kNow);  // the + was not escaped in the URL
    expect_time("2024-05-01T05:30:00-04:30", kNow);
    expect_time("2024-05-01T10:00:00.25Z", kNow + 250 * kMs);
    expect_time("2024-05-01T10:00:00.1234567891Z", kNow + 123456789);
    expect_time("2024-02-29T00:00:00Z", 1'709'164'800 * kSecond);
    expect_time("1970-01-01T00:00:00Z", 0);
}

Test(time_expression, what_is_no_time) {
    for (const std::string_view text : {"",
                                        "-",
                                        "-15",
                                        "15m",
                                        "-15x",
                                        "-m",
                                        "now+1m",
                                        "yesterday",
                                        "-0m",
                                        "--1m",
                                        "2023-02-29T00:00:00Z",
                                        "2024-13-01T00:00:00Z",
                                        "2024-05-01T24:00:00Z",
                                        "2024-05-01T10:00:00",
                                        "2024-05-01",
                                        "2024-05-01T10:00Z",
                                        "2024-05-01T10:00:00.Z",
                                        "2024-05-01T10:00:00+2:00",
                                        "2024-05-01T10:00:00Zx",
                                        "1714557600000x",
                                        "99999999999999999",
                                        "99999999999999999999999",
                                        "-99999999999d",
                                        "-60y",
                                        "1969-12-31T23:59:59Z",
                                        "9999-01-01T00:00:00Z",
                                        "-100w100w100w100w100w100w",
                                        "1e3"}) {
        cr_expect_not(parse_time(text, kNow).has_value(), "%s is taken", text.data());
    }
}

Test(time_expression, durations) {
    cr_expect_eq(parse_duration("60s").value_or(0), kMinute);
    cr_expect_eq(parse_duration("1m").value_or(0), kMinute);
    cr_expect_eq(parse_duration("1h1s").value_or(0), kHour + kSecond);
    for (const std::string_view text : {"", "0s", "s", "1", "-1s", "1 s", "1.5s", "99999999999999999w"}) {
        cr_expect_not(parse_duration(text).has_value(), "%s is taken", text.data());
    }
}
