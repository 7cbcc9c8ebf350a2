// Times and durations in requests.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::http {

// "90s", "1h30m", "500ms": units ms, s, m, h, d, w. In ns; nothing when it is no duration, or is 0 or
// longer than ten years.
std::optional<std::int64_t> parse_duration(std::string_view text);

// Unix ms ("1714557600000"), RFC 3339 ("2024-05-01T10:00:00.5+02:00"; a `+` that came out of the URL as a
// blank is taken, too) or relative to now ("now", "-15m", "now-15m"). Wall time in ns; nothing when it
// is no time, or one before 1970 or after 2200.
std::optional<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns);

}  // namespace weir::http
