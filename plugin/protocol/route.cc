// An id is told from a word by shape alone: no list of words, no memory of earlier paths, so a path has one
// route everywhere. The rules lean towards keeping a segment: a route that is too fine is bounded by its
// server's limit, one that is too coarse cannot be told apart again.
#include "plugin/protocol/route.h"

#include <algorithm>
#include <utility>

namespace weir::protocol {
namespace {

constexpr std::size_t kHashLength = 8;    // shortest hexadecimal run that is taken for a hash
constexpr std::size_t kTokenLength = 20;  // shortest mixed token
constexpr std::size_t kAnyLength = 64;    // no word is as long
constexpr std::size_t kExtension = 5;     // longest extension of a file
constexpr std::string_view kId = "{id}";
constexpr std::string_view kRedacted = "{redacted}";

// Own classes: the C library's depend on the locale of the host.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_upper(c) || is_lower(c); }
bool is_hex_letter(char c) { return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_dash(char c) { return c == '-' || c == '_'; }

struct Shape {
    std::size_t digits = 0, hex_letters = 0, letters = 0, dashes = 0, others = 0;
    bool has_upper = false, has_lower = false;
};

Shape shape_of(std::string_view segment) {
    Shape shape;
    for (const char c : segment) {
        shape.has_upper = shape.has_upper || is_upper(c);
        shape.has_lower = shape.has_lower || is_lower(c);
        if (is_digit(c)) {
            shape.digits++;
        } else if (is_hex_letter(c)) {
            shape.hex_letters++;
        } else if (is_letter(c)) {
            shape.letters++;
        } else if (is_dash(c)) {
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
        if (dash ? s[i] != '-' : !is_digit(s[i]) && !is_hex_letter(s[i])) return false;
    }
    return true;
}

// 1842, 2024-05-01, 20240501T120000Z, 12:30, 10.0.0.1, -3.5,48.1
bool is_numeric(std::string_view s) {
    return std::all_of(s.begin(), s.end(), [](char c) {
        return is_digit(c) || std::string_view("-_.:,+TZ").find(c) != std::string_view::npos;
    });
}

// words-and-numbers-2024: parts that are either
bool is_slug(std::string_view s) {
    while (!s.empty()) {
        const std::size_t end = std::min(s.find_first_of("-_"), s.size());
        const std::string_view part = s.substr(0, end);
        if (!std::all_of(part.begin(), part.end(), is_digit) &&
            !std::all_of(part.begin(), part.end(), is_letter))
            return false;
        s.remove_prefix(std::min(end + 1, s.size()));
    }
    return true;
}

bool is_mail_address(std::string_view s) {
    return s.find('@') != std::string_view::npos || s.find("%40") != std::string_view::npos;
}

bool is_id(std::string_view segment) {
    if (segment.empty()) return false;
    const Shape shape = shape_of(segment);
    if (is_mail_address(segment)) return true;
    if (shape.digits == 0) return segment.size() >= kAnyLength && shape.dashes == 0;
    if (is_numeric(segment) || is_uuid(segment)) return true;
    if (shape.letters + shape.dashes + shape.others == 0) return segment.size() >= kHashLength;
    if (shape.dashes != 0 && is_slug(segment)) return false;
    if (segment.size() >= kAnyLength) return true;
    if (shape.others != 0 || segment.size() < kTokenLength) return false;
    const bool is_base64 = shape.has_upper && shape.has_lower && shape.dashes == 0;
    return shape.digits >= 3 || is_base64;
}

// Where the extension of a file begins, its dot included; the size when there is none.
std::size_t extension_of(std::string_view segment) {
    const std::size_t dot = segment.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return segment.size();
    const std::string_view extension = segment.substr(dot + 1);
    const bool is_one =
        !extension.empty() && extension.size() <= kExtension && is_letter(extension.front()) &&
        std::all_of(extension.begin(), extension.end(), [](char c) { return is_digit(c) || is_letter(c); });
    return is_one ? dot : segment.size();
}

void fold_segment(std::string_view segment, std::string& out) {
    const std::size_t stem = extension_of(segment);
    if (is_id(segment)) {
        out.append(kId);
    } else if (stem != segment.size() && is_id(segment.substr(0, stem))) {
        out.append(kId).append(segment.substr(stem));
    } else {
        out.append(segment);
    }
}

// Calls f with each part between slashes.
template <typename F>
void each_segment(std::string_view path, F f) {
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        f(path.substr(at, slash - at));
        at = slash + 1;
    }
}

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> out;
    each_segment(path, [&](std::string_view segment) { out.push_back(segment); });
    return out;
}

bool is_any(std::string_view segment) {
    return segment == "*" || (segment.size() >= 2 && segment.front() == '{' && segment.back() == '}');
}

// `*` stands for any text.
bool is_like(std::string_view text, std::string_view glob) {
    std::size_t t = 0, g = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            resume = t;
        } else if (g < glob.size() && glob[g] == text[t]) {
            g++;
            t++;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.size() && glob[g] == '*') g++;
    return g == glob.size();
}

}  // namespace

void fold_route(std::string_view path, std::string& out) {
    out.clear();
    bool is_first = true;
    each_segment(path, [&](std::string_view segment) {
        if (!std::exchange(is_first, false)) out.push_back('/');
        fold_segment(segment, out);
    });
}

RoutePatterns::RoutePatterns(const std::vector<std::string>& patterns) {
    for (const std::string& text : patterns) {
        Pattern pattern{text, {}, text.ends_with("/**")};
        const std::string_view fixed =
            std::string_view(text).substr(0, text.size() - (pattern.takes_rest ? 3 : 0));
        each_segment(fixed, [&](std::string_view segment) {
            pattern.segments.emplace_back(is_any(segment) ? std::string_view("*") : segment);
        });
        patterns_.push_back(std::move(pattern));
    }
}

std::string_view RoutePatterns::match(std::string_view path) const {
    if (patterns_.empty()) return {};
    const std::vector<std::string_view> segments = segments_of(path);
    for (const Pattern& pattern : patterns_) {
        if (is_match(pattern, segments)) return pattern.text;
    }
    return {};
}

bool RoutePatterns::is_match(const Pattern& pattern, const std::vector<std::string_view>& segments) {
    const std::size_t n = pattern.segments.size();
    if (pattern.takes_rest ? segments.size() < n : segments.size() != n) return false;
    return std::equal(pattern.segments.begin(), pattern.segments.end(), segments.begin(),
                      [](const std::string& wanted, std::string_view segment) {
                          return wanted == "*" ? !segment.empty() : wanted == segment;
                      });
}

std::string_view RoutePatterns::mistake(std::string_view pattern) {
    if (!pattern.starts_with('/')) return "must begin with /";
    if (pattern.find_first_of("?#") != std::string_view::npos) return "is a path: it has no ? and no #";
    if (const std::size_t rest = pattern.find("**"); rest != std::string_view::npos) {
        const bool is_last = rest + 2 == pattern.size() && pattern[rest - 1] == '/';
        if (!is_last) return "may have ** as its last segment only";
    }
    return {};
}

Redaction::Redaction(const std::vector<std::string>& rules) {
    for (const std::string& rule : rules) {
        std::vector<std::string>& segments = rules_.emplace_back();
        each_segment(rule, [&](std::string_view segment) { segments.emplace_back(segment); });
    }
}

bool Redaction::apply(std::string_view path, std::string& out) const {
    if (rules_.empty()) return false;
    const std::vector<std::string_view> segments = segments_of(path);
    bool is_changed = false;
    out.clear();
    for (std::size_t i = 0; i < segments.size(); i++) {
        const bool is_hidden =
            !segments[i].empty() && std::any_of(rules_.begin(), rules_.end(), [&](const auto& rule) {
                return rule.size() <= i + 1 &&
                       std::equal(rule.begin(), rule.end(),
                                  segments.begin() + static_cast<std::ptrdiff_t>(i + 1 - rule.size()),
                                  [](const std::string& glob, std::string_view segment) {
                                      return is_like(segment, glob);
                                  });
            });
        if (i != 0) out.push_back('/');
        out.append(is_hidden ? kRedacted : segments[i]);
        is_changed = is_changed || is_hidden;
    }
    return is_changed;
}

std::string_view Redaction::mistake(std::string_view rule) {
    if (rule.empty()) return "must not be empty";
    if (rule.starts_with('/') || rule.ends_with('/')) return "is made of segments: it has no / at its ends";
    return {};
}

}  // namespace weir::protocol
