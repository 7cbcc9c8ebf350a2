#include "tests/oracle/points.h"

#include <cmath>
#include <stdexcept>

#include "point.pb.h"

namespace weir::oracle {
namespace {

[[noreturn]] void wrong(const std::string& what, std::string_view where) {
    throw std::runtime_error(what + " in: " + std::string(where.substr(0, 400)));
}

// Reads one line from left to right.
class Line {
public:
    explicit Line(std::string_view text) : text_(text) {}

    Point read() {
        Point point;
        point.name = until(", ", ", ");
        if (point.name.empty()) wrong("no measurement", text_);
        std::string before;
        while (take() == ',') {
            std::string key = until("=, ", ",= ");
            if (take() != '=') wrong("a tag without value", text_);
            std::string value = until(",= ", ",= ");
            if (peek() == '=') wrong("an equals sign in a tag value", text_);
            if (key.empty() || value.empty()) wrong("an empty tag", text_);
            if (!before.empty() && key <= before) wrong("tags that are not sorted, or twice", text_);
            before = key;
            point.tags[key] = value;
        }
        // the space has been taken
        do {
            std::string key = until("=, ", ",= ");
            if (key.empty() || take() != '=') wrong("a field without value", text_);
            if (!point.fields.emplace(key, value()).second) wrong("a field twice", text_);
        } while (take() == ',');
        if (text_[at_ - 1] != ' ') wrong("no timestamp", text_);
        std::size_t used = 0;
        const std::string time(text_.substr(at_));
        point.time = std::stoll(time, &used);
        if (used != time.size()) wrong("something behind the timestamp", text_);
        return point;
    }

private:
    char peek() const {
        if (at_ >= text_.size()) wrong("the line ends early", text_);
        return text_[at_];
    }
    char take() {
        const char c = peek();
        at_++;
        return c;
    }

    // Up to one of `ends` that has no backslash before it; a backslash before one of `escapes` goes.
    std::string until(std::string_view ends, std::string_view escapes) {
        std::string out;
        for (;; at_++) {
            const char c = peek();
            const bool escaped = !out.empty() && text_[at_ - 1] == '\\';
            if (escaped && escapes.find(c) != std::string_view::npos) {
                out.back() = c;
                continue;
            }
            if (ends.find(c) != std::string_view::npos) return out;
            out.push_back(c);
        }
    }

    Value value() {
        if (peek() == '"') return quoted();
        const std::size_t end = text_.find_first_of(", ", at_);
        if (end == std::string_view::npos) wrong("no timestamp", text_);
        const std::string token(text_.substr(at_, end - at_));
        at_ = end;
        if (token == "true" || token == "false") return token == "true";
        std::size_t used = 0;
        Value out;
        if (token.ends_with('i')) {
            out = static_cast<std::int64_t>(std::stoll(token, &used));
        } else if (token.ends_with('u')) {
            out = static_cast<std::uint64_t>(std::stoull(token, &used));
        } else {
            const double number = std::strtod(token.c_str(), nullptr);
            used = token.find_first_not_of("+-.0123456789e") == std::string::npos ? token.size() : 0;
            if (!std::isfinite(number) || token.empty()) wrong("not a number", text_);
            return used == token.size() ? Value(number) : (wrong("not a number", text_), Value());
        }
        if (used + 1 != token.size()) wrong("not a number", text_);
        return out;
    }

    std::string quoted() {
        std::string out;
        at_++;
        for (;;) {
            char c = take();
            if (c == '"') return out;
            if (c == '\\' && (peek() == '"' || peek() == '\\')) c = take();
            out.push_back(c);
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

Value value_of(const point::Field& field) {
    switch (field.val_case()) {
        case point::Field::kI: return field.i();
        case point::Field::kU: return field.u();
        case point::Field::kF: return field.f();
        case point::Field::kB: return field.b();
        case point::Field::kS: return field.s();
        default: wrong("a field without value", field.key());
    }
}

Point point_of(const point::PBPoint& from) {
    Point out;
    out.name = from.name();
    out.time = from.time();
    for (const point::Field& field : from.fields()) {
        if (out.tags.count(field.key()) + out.fields.count(field.key()) != 0)
            wrong("a key twice", field.key());
        if (!field.is_tag()) {
            out.fields[field.key()] = value_of(field);
        } else if (field.val_case() == point::Field::kS && !field.s().empty()) {
            out.tags[field.key()] = field.s();
        } else {
            wrong("a tag that is no text", field.key());
        }
    }
    return out;
}

}  // namespace

std::vector<Point> parse_lines(std::string_view text) {
    std::vector<Point> out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) wrong("a line without its end", text);
        out.push_back(Line(text.substr(0, end)).read());
        text.remove_prefix(end + 1);
    }
    return out;
}

std::vector<Point> parse_protobuf(std::string_view bytes) {
    point::PBPoints points;
    if (!points.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) wrong("not a PBPoints", "");
    if (points.SerializeAsString() != bytes) wrong("not its shortest form, or unknown members", "");
    std::vector<Point> out;
    for (const point::PBPoint& point : points.arr()) out.push_back(point_of(point));
    return out;
}

}  // namespace weir::oracle
