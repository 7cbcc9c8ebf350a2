#include "abi/host/printable.h"

#include <cstdint>
#include <cstdio>

namespace weir::host {
namespace {

struct Character {
    std::uint32_t code = 0;
    std::size_t size = 0;  // bytes; 0 when the text does not begin with a valid UTF-8 sequence
};

std::size_t sequence_size(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

// RFC 3629, section 4: shortest form only, no surrogates, nothing above U+10FFFF.
Character first_character(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = sequence_size(lead);
    if (size == 0 || size > text.size()) return {};
    if (size == 1) return {lead, 1};
    std::uint32_t code = lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (next & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < kSmallest[size] || surrogate || code > 0x10FFFF) return {};
    return {code, size};
}

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

// Characters that reorder or break the line they stand in.
bool rearranges(std::uint32_t code) {
    return code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

void append_code(std::string& out, const char* format, unsigned value) {
    char buffer[16];
    const int size = std::snprintf(buffer, sizeof buffer, format, value);
    out.append(buffer, static_cast<std::size_t>(size));
}

void append_control(std::string& out, std::uint32_t code) {
    switch (code) {
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        default: append_code(out, code < 0x80 ? "\\x%02x" : "\\u{%04x}", code);
    }
}

}  // namespace

std::string printable(std::string_view text, Newlines newlines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character character = first_character(text);
        if (character.size == 0) {
            append_code(out, "\\x%02x", static_cast<unsigned char>(text.front()));
            text.remove_prefix(1);
            continue;
        }
        const bool kept = character.code == '\t' || (character.code == '\n' && newlines == Newlines::keep);
        if (!kept && is_control(character.code)) {
            append_control(out, character.code);
        } else if (rearranges(character.code)) {
            append_code(out, "\\u{%04x}", character.code);
        } else {
            out.append(text.substr(0, character.size));
        }
        text.remove_prefix(character.size);
    }
    return out;
}

std::string shortened(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    std::size_t end = limit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end)) + "...";
}

}  // namespace weir::host
