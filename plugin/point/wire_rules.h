// What every point keeps to on the wire, in either format, so that a receiver takes it and both formats say
// the same. Source: the checker of DataKit's point package.
//
// A measurement is at most 1024 bytes, a key 256, a tag value 1024; longer ones are cut, between characters.
// At most 256 tags and 1024 fields; the first ones are kept. A key that comes twice counts once, the first
// time, whether tag or field. A newline becomes a space; a `.` in a key becomes `_`. Text is UTF-8.
// In keys and tag values a backslash at the end, or before a comma, an equals sign or a space, is left out:
// parsers of line protocol differ on what it would mean there. NaN and infinities are no values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

inline constexpr std::size_t kMaxTags = 256;
inline constexpr std::size_t kMaxFields = 1024;
inline constexpr std::size_t kMaxKey = 256;
inline constexpr std::size_t kMaxTagValue = 1024;
inline constexpr std::size_t kMaxMeasurement = 1024;
inline constexpr std::size_t kMaxSeriesKey = 65535;  // of line protocol: measurement and tags as written

// `text` itself where nothing is to be done, else a copy in `scratch`. May come out empty, which is no value.
std::string_view clean_tag_value(std::string_view text, std::string& scratch);
// A string field.
std::string_view clean_string(std::string_view text, std::string& scratch);
std::string clean_key(std::string_view text);
std::string clean_measurement(std::string_view text);

// The keys of a kind of point.
struct PointShape {
    struct Key {
        std::string name;        // clean
        std::size_t source = 0;  // which of the keys that were given
    };
    std::string measurement;
    std::vector<Key> tags;  // sorted by name
    std::vector<Key> fields;
};

// Tags come before fields where both have a key.
PointShape make_shape(std::string_view measurement, const std::vector<std::string_view>& tags,
                      const std::vector<std::string_view>& fields);

}  // namespace weir
