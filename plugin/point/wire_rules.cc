#include "plugin/point/wire_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include "plugin/base/utf8.h"

namespace weir {
namespace {

// Bytes that are not simply copied: those of other scripts are looked at by the UTF-8 check.
constexpr std::array<bool, 256> make_table(std::string_view special) {
    std::array<bool, 256> out{};
    for (std::size_t i = 0x80; i < out.size(); i++) out[i] = true;
    for (const char c : special) out[static_cast<unsigned char>(c)] = true;
    return out;
}
constexpr auto kNotInString = make_table("\n\r");
constexpr auto kNotInTag = make_table("\n\r\\");

bool has_any(std::string_view text, const std::array<bool, 256>& table) {
    return std::any_of(text.begin(), text.end(),
                       [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

void spaces_for_newlines(std::string& text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

void drop_ambiguous_backslashes(std::string& text) {
    std::size_t kept = text.size();  // from the end, where it is known what follows
    char next = ' ';
    for (std::size_t i = text.size(); i-- > 0;) {
        const char c = text[i];
        if (c == '\\' && (next == ' ' || next == ',' || next == '=')) continue;
        text[--kept] = next = c;
    }
    text.erase(0, kept);
}

// At most `limit` bytes, not cut inside a UTF-8 sequence.
std::string_view clip(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) limit--;
    return text.substr(0, limit);
}

std::string_view clean_part(std::string_view text, std::size_t limit, std::string& scratch) {
    if (!has_any(text, kNotInTag)) return clip(text, limit);
    std::string valid;
    scratch = clip(to_utf8(text, valid), limit);
    spaces_for_newlines(scratch);
    drop_ambiguous_backslashes(scratch);
    return scratch;
}

// Of `given`, the first `limit` that are not taken yet.
std::vector<PointShape::Key> take_keys(const std::vector<std::string_view>& given, std::size_t limit,
                                       std::set<std::string>& taken) {
    std::vector<PointShape::Key> out;
    for (std::size_t i = 0; i < given.size() && out.size() < limit; i++) {
        std::string key = clean_key(given[i]);
        if (key.empty() || !taken.insert(key).second) continue;
        out.push_back({std::move(key), i});
    }
    return out;
}

}  // namespace

std::string_view clean_tag_value(std::string_view text, std::string& scratch) {
    return clean_part(text, kMaxTagValue, scratch);
}

std::string_view clean_string(std::string_view text, std::string& scratch) {
    if (!has_any(text, kNotInString)) return text;
    std::string valid;
    scratch = to_utf8(text, valid);
    spaces_for_newlines(scratch);
    return scratch;
}

std::string clean_key(std::string_view text) {
    std::string scratch;
    std::string out(clean_part(text, kMaxKey, scratch));
    std::replace(out.begin(), out.end(), '.', '_');
    return out;
}

std::string clean_measurement(std::string_view text) {
    std::string scratch;
    return std::string(clean_part(text, kMaxMeasurement, scratch));
}

PointShape make_shape(std::string_view measurement, const std::vector<std::string_view>& tags,
                      const std::vector<std::string_view>& fields) {
    std::set<std::string> taken;
    PointShape out{clean_measurement(measurement), take_keys(tags, kMaxTags, taken), {}};
    out.fields = take_keys(fields, kMaxFields, taken);
    std::sort(out.tags.begin(), out.tags.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

}  // namespace weir
