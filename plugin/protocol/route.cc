// Which segments are ids is decided by shape alone, segment by segment and in one pass, because it
// runs for every new path. The rules lean towards keeping a segment: a route that is too fine is
// bounded by its server's limit, one that is too coarse cannot be told apart again.
#include "plugin/protocol/route.h"

#include <algorithm>
#include <cctype>

namespace weir::protocol {
namespace {

constexpr std::size_t kHashLength = 8;    // shortest hexadecimal run that is taken for a hash
constexpr std::size_t kTokenLength = 20;  // shortest mixed token

struct Shape {
    std::size_t digits = 0, hex_letters = 0, letters = 0, dashes = 0, others = 0;
    bool has_upper = false, has_lower = false;
};

Shape shape_of(std::string_view segment) {
    Shape shape;
    for (const char c : segment) {
        const auto u = static_cast<unsigned char>(c);
        shape.has_upper = shape.has_upper || std::isupper(u);
        shape.has_lower = shape.has_lower || std::islower(u);
        if (std::isdigit(u)) {
            shape.digits++;
        } else if (std::isxdigit(u)) {
            shape.hex_letters++;
        } else if (std::isalpha(u)) {
            shape.letters++;
        } else if (c == '-' || c == '_') {
            shape.dashes++;
        } else {
            shape.others++;
        }
    }
    return shape;
}

bool is_uuid(std::string_view s) {
    if (s.size() != 36) return false;
    for (std::size_t i = 0; i < s.size(); i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !std::isxdigit(static_cast<unsigned char>(s[i]))) return false;
    }
    return true;
}

// 2024-05-01
bool is_date(std::string_view s) {
    if (s.size() != 10 || s[4] != '-' || s[7] != '-') return false;
    return std::count_if(s.begin(), s.end(), [](unsigned char c) { return std::isdigit(c); }) == 8;
}

bool is_id(std::string_view segment) {
    const Shape shape = shape_of(segment);
    if (shape.digits == 0) return false;
    if (shape.digits == segment.size()) return true;
    if (is_uuid(segment) || is_date(segment)) return true;
    if (shape.others != 0) return false;
    if (shape.letters == 0 && shape.dashes == 0) return segment.size() >= kHashLength;
    if (segment.size() < kTokenLength) return false;
    const bool is_base64 = shape.has_upper && shape.has_lower && shape.dashes == 0;
    return shape.digits >= 3 || is_base64;
}

}  // namespace

void fold_route(std::string_view path, std::string& out) {
    out.clear();
    std::size_t at = 0;
    while (at <= path.size()) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        const std::string_view segment = path.substr(at, slash - at);
        out.append(is_id(segment) ? std::string_view("{id}") : segment);
        if (slash == path.size()) break;
        out.push_back('/');
        at = slash + 1;
    }
}

}  // namespace weir::protocol
