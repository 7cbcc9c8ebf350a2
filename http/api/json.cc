#include "http/api/json.h"

#include <cmath>
#include <cstdint>

#include "plugin/base/utf8.h"

namespace weir::http {

Json json_text(std::string_view text) {
    std::string scratch;
    return std::string(to_utf8(text, scratch));
}

Json json_text_or_null(std::string_view text) { return text.empty() ? Json() : json_text(text); }

Json json_number(double number) {
    constexpr double kLargestInteger = 9.2e18;
    if (std::nearbyint(number) == number && std::abs(number) < kLargestInteger) {
        return static_cast<std::int64_t>(number);
    }
    return number;
}

Json json_time(std::int64_t ns) { return ns / 1'000'000; }

std::string to_text(const Json& json) {
    return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

}  // namespace weir::http
