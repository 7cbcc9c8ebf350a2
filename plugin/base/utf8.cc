#include "plugin/base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Length of the well-formed sequence at the begin of `text` (Unicode, table 3-7), 0 when there is none.
std::size_t sequence_length(std::string_view text) {
    const auto byte = [text](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : std::uint8_t{0};
    };
    const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
    const auto continues = [&](std::size_t i) { return in(byte(i), 0x80, 0xBF); };
    const unsigned first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    if (in(first, 0xC2, 0xDF)) return continues(1) ? 2 : 0;
    if (in(first, 0xE0, 0xEF)) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
        return in(second, low, high) && continues(2) ? 3 : 0;
    }
    if (in(first, 0xF0, 0xF4)) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
        return in(second, low, high) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string_view to_utf8(std::string_view text, std::string& scratch) {
    if (is_ascii(text)) return text;
    scratch.clear();
    bool valid = true;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text.substr(at));
        valid = valid && length != 0;
        scratch.append(length == 0 ? kReplacement : text.substr(at, length));
        at += std::max<std::size_t>(1, length);
    }
    return valid ? text : std::string_view(scratch);
}

}  // namespace weir
