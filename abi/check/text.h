#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace weir::check {

inline bool is_utf8(std::string_view text) {
    try {
        static_cast<void>(nlohmann::json(text).dump());
        return true;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

// A discarded value when it is no JSON.
inline nlohmann::json parse_json(std::string_view text) {
    return nlohmann::json::parse(text, nullptr, false);
}

}  // namespace weir::check
