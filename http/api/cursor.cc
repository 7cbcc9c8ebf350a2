#include "http/api/cursor.h"

#include <xxhash.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace weir::http {
namespace {

constexpr std::string_view kVersion = "1";
constexpr std::size_t kParts = 5;

std::string hex(std::uint64_t number) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return {digits.data(), end};
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, 16);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return out;
}

// It guards against mistakes, not against forgery.
std::uint64_t hash(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

std::optional<std::string> bytes_of(std::string_view digits) {
    std::string out;
    if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto byte = number_of(digits.substr(i, 2));
        if (!byte) return std::nullopt;
        out += static_cast<char>(*byte);
    }
    return out;
}

}  // namespace

std::string write_cursor(const Cursor& cursor, std::string_view fingerprint) {
    std::string out(kVersion);
    out += "-" + hex(static_cast<std::uint64_t>(cursor.range.from_ns)) + "-" +
           hex(static_cast<std::uint64_t>(cursor.range.to_ns)) + "-" + hex(hash(fingerprint)) + "-";
    for (const char c : cursor.store) {
        const auto byte = static_cast<unsigned char>(c);
        out += hex(byte >> 4) + hex(byte & 15);
    }
    return out;
}

std::optional<Cursor> read_cursor(std::string_view text, std::string_view fingerprint) {
    std::array<std::string_view, kParts> parts;
    for (std::size_t i = 0; i < kParts; i++) {
        const std::size_t dash = text.find('-');
        if ((dash == std::string_view::npos) != (i + 1 == kParts)) return std::nullopt;
        parts[i] = text.substr(0, dash);
        text = dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1);
    }
    const auto from = number_of(parts[1]), to = number_of(parts[2]), print = number_of(parts[3]);
    const auto store = bytes_of(parts[4]);
    if (parts[0] != kVersion || !from || !to || !print || !store) return std::nullopt;
    Cursor out{{static_cast<std::int64_t>(*from), static_cast<std::int64_t>(*to)}, *store};
    const bool sensible = out.range.from_ns >= 0 && out.range.from_ns < out.range.to_ns;
    if (!sensible || *print != hash(fingerprint)) return std::nullopt;
    return out;
}

}  // namespace weir::http
