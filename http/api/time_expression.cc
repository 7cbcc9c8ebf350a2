#include "http/api/time_expression.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace weir::http {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLongest = 10 * 366 * 24 * 3600 * kSecond;
constexpr std::int64_t kLatest = 7'258'118'400 * kSecond;  // 2200-01-01

struct Unit {
    std::string_view name;
    std::int64_t ns;
};
constexpr Unit kUnits[] = {  // a name comes before those it begins with
    {"ms", 1'000'000},     {"s", kSecond},         {"m", 60 * kSecond},
    {"h", 3600 * kSecond}, {"d", 86400 * kSecond}, {"w", 7 * 86400 * kSecond}};

// Takes exactly `count` digits off the text.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
    int value = 0;
    if (text.size() < count) return std::nullopt;
    for (const char c : text.substr(0, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

// ".123456789" and shorter, in ns; what is finer is dropped.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    if (!take(text, ".")) return 0;
    std::int64_t ns = 0, scale = kSecond;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; digits++) {
        scale /= 10;
        ns += (text[digits] - '0') * scale;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    return ns;
}

// "Z" or "+02:00", in seconds east of Greenwich; must be the end of the text.
std::optional<int> take_offset(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    if (text.size() != 6) return std::nullopt;
    const bool west = text[0] == '-';
    if (!take(text, "+- ")) return std::nullopt;
    const auto hours = take_digits(text, 2);
    if (!hours || !take(text, ":")) return std::nullopt;
    const auto minutes = take_digits(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const int seconds = *hours * 3600 + *minutes * 60;
    return west ? -seconds : seconds;
}

std::optional<std::int64_t> take_date(std::string_view& text) {
    const auto year = take_digits(text, 4);
    if (!year || !take(text, "-")) return std::nullopt;
    const auto month = take_digits(text, 2);
    if (!month || !take(text, "-")) return std::nullopt;
    const auto day = take_digits(text, 2);
    if (!day) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400};
}

std::optional<std::int64_t> take_time_of_day(std::string_view& text) {
    const auto hour = take_digits(text, 2);
    if (!hour || !take(text, ":")) return std::nullopt;
    const auto minute = take_digits(text, 2);
    if (!minute || !take(text, ":")) return std::nullopt;
    const auto second = take_digits(text, 2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return *hour * 3600 + *minute * 60 + *second;
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
    const auto date = take_date(text);
    if (!date || *date < 0 || *date >= kLatest / kSecond || !take(text, "Tt ")) return std::nullopt;
    const auto time = take_time_of_day(text);
    if (!time) return std::nullopt;
    const auto fraction = take_fraction(text);
    const auto offset = take_offset(text);
    if (!fraction || !offset) return std::nullopt;
    return (*date + *time - *offset) * kSecond + *fraction;
}

std::optional<std::int64_t> parse_relative(std::string_view text, std::int64_t now_ns) {
    if (text.starts_with("now")) text.remove_prefix(3);
    if (text.empty()) return now_ns;
    if (!take(text, "-")) return std::nullopt;
    const auto ago = parse_duration(text);
    if (!ago) return std::nullopt;
    return now_ns - *ago;
}

std::optional<std::int64_t> parse_unix_ms(std::string_view text) {
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc() || end != text.data() + text.size() || ms > kLatest / 1'000'000) {
        return std::nullopt;
    }
    return ms * 1'000'000;
}

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
    std::int64_t total = 0;
    while (!text.empty()) {
        std::int64_t amount = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
        if (error != std::errc() || amount < 0) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        const auto* const unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                              [&](const Unit& one) { return text.starts_with(one.name); });
        if (unit == std::end(kUnits) || amount > (kLongest - total) / unit->ns) return std::nullopt;
        text.remove_prefix(unit->name.size());
        total += amount * unit->ns;
    }
    if (total == 0) return std::nullopt;
    return total;
}

std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns) {
    if (text.empty()) return std::nullopt;
    std::optional<std::int64_t> out;
    if (text[0] == '-' || text.starts_with("now")) {
        out = parse_relative(text, now_ns);
    } else if (text.find('-') == std::string_view::npos) {
        out = parse_unix_ms(text);
    } else {
        out = parse_rfc3339(text);
    }
    if (!out || *out < 0 || *out > kLatest) return std::nullopt;
    return out;
}

}  // namespace weir::http
