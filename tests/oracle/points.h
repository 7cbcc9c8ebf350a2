// Reads line protocol, from the format's description as receivers have it (InfluxDB's and DataKit's), not
// from the encoder: a separator counts unless a backslash stands right before it; strings end at a quote that
// is not escaped.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::oracle {

using Value = std::variant<std::int64_t, std::uint64_t, double, bool, std::string>;

struct Point {
    std::string name;
    std::map<std::string, std::string> tags;
    std::map<std::string, Value> fields;
    std::int64_t time = 0;
    bool operator==(const Point&) const = default;
};

// Throws std::runtime_error with what is wrong.
std::vector<Point> parse_lines(std::string_view text);

// What protobuf's own runtime reads; throws likewise, also for a PBPoints that is not in its shortest form.
std::vector<Point> parse_protobuf(std::string_view bytes);

}  // namespace weir::oracle
