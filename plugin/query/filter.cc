#include "plugin/query/filter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace weir::query {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// UTF-8 sequences count once, wherever the text is cut.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::optional<Field> find_field(std::string_view name) {
    for (std::size_t i = 0; i < kFieldCount; i++) {
        if (kPointSchema[i].name == name) return static_cast<Field>(i);
    }
    return std::nullopt;
}

// Tags are text, but these hold numbers (or `*`, which is none).
bool is_number(Field field) {
    switch (field) {
        case Field::src_port:
        case Field::dst_port:
        case Field::dst_nat_port:
        case Field::client_port:
        case Field::server_port:
        case Field::pid:
        case Field::netns: return true;
        default: return info(field).type == ValueType::integer;
    }
}

// A bare address such as fe80::1 has colons without being field:value.
bool looks_like_ipv6(std::string_view word) {
    return std::count(word.begin(), word.end(), ':') >= 2 &&
           word.find_first_not_of("0123456789abcdefABCDEF:.*") == std::string_view::npos;
}

bool has_wildcard(std::string_view pattern) {
    for (std::size_t i = 0; i < pattern.size(); i++) {
        if (pattern[i] == '*') return true;
        if (pattern[i] == '\\') i++;
    }
    return false;
}

Filter compare(Field field, Comparison comparison, double number) {
    Filter out;
    out.kind = Filter::Kind::field;
    out.field = field;
    out.comparison = comparison;
    out.number = number;
    return out;
}

Filter with_pattern(Filter::Kind kind, Field field, std::string pattern) {
    Filter out;
    out.kind = kind;
    out.field = field;
    out.pattern = std::move(pattern);
    return out;
}

Filter joined(Filter::Kind kind, std::vector<Filter> operands) {
    if (operands.size() == 1) return std::move(operands.front());
    Filter out;
    out.kind = kind;
    out.operands = std::move(operands);
    return out;
}

// 4xx: the class of a status code; nothing for other patterns.
std::optional<Filter> status_class(std::string_view pattern) {
    if (pattern.size() != 3 || pattern[0] < '1' || pattern[0] > '9' || lower(pattern[1]) != 'x' ||
        lower(pattern[2]) != 'x') {
        return std::nullopt;
    }
    const double first = (pattern[0] - '0') * 100;
    return Filter::both(compare(Field::status_code, Comparison::greater_equal, first),
                        compare(Field::status_code, Comparison::less, first + 100));
}

// Recursive descent over the grammar in filter.h; its depth and the number of terms are bounded.
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Filter> parse() {
        // A character is at most four bytes; stray continuation bytes count as none.
        if (characters(text_) > kMaxFilterCharacters || text_.size() > 4 * kMaxFilterCharacters) {
            return wrong("longer than " + std::to_string(kMaxFilterCharacters) + " characters", text_.size());
        }
        skip_spaces();
        if (at_end()) return Filter::everything();
        auto whole = expression();
        if (whole && !at_end()) return wrong("a ) without its (", at_);
        return whole;
    }

private:
    Result<Filter> expression() {
        std::vector<Filter> operands;
        do {
            auto operand = conjunction();
            if (!operand) return operand;
            operands.push_back(std::move(*operand));
        } while (take_keyword("OR"));
        return joined(Filter::Kind::disjunction, std::move(operands));
    }

    Result<Filter> conjunction() {
        std::vector<Filter> operands;
        do {
            auto operand = factor();
            if (!operand) return operand;
            operands.push_back(std::move(*operand));
        } while (take_keyword("AND") || (!at_end() && peek() != ')' && !sees_keyword("OR")));
        return joined(Filter::Kind::conjunction, std::move(operands));
    }

    Result<Filter> factor() {
        if (++depth_ > kMaxFilterDepth) return wrong("nested too deeply", at_);
        auto out = nested_or_term();
        depth_--;
        return out;
    }

    Result<Filter> nested_or_term() {
        if (take_keyword("NOT") || take('-')) return negation();
        if (take('(')) return parenthesized();
        return term();
    }

    Result<Filter> negation() {
        auto operand = factor();
        if (!operand) return operand;
        Filter out;
        out.kind = Filter::Kind::negation;
        out.operands.push_back(std::move(*operand));
        return out;
    }

    Result<Filter> parenthesized() {
        const std::size_t open = at_ - 1;
        skip_spaces();
        auto inner = expression();
        if (!inner) return inner;
        if (!take(')')) return wrong("this ( is never closed", open);
        skip_spaces();
        return inner;
    }

    Result<Filter> term() {
        if (at_end() || peek() == ')' || sees_keyword("AND") || sees_keyword("OR")) {
            return wrong("a term is missing", at_);
        }
        if (++terms_ > kMaxFilterTerms) {
            return wrong("more than " + std::to_string(kMaxFilterTerms) + " terms", at_);
        }
        const std::size_t begin = at_;
        const std::string_view name = take_field_name();
        auto out = name.empty() ? bare_term() : field_term(name, begin);
        skip_spaces();
        return out;
    }

    Result<Filter> bare_term() {
        auto pattern = value();
        if (!pattern) return tl::unexpected(pattern.error());
        if (!has_wildcard(*pattern)) pattern = "*" + *pattern + "*";
        return with_pattern(Filter::Kind::any_field, Field::host, std::move(*pattern));
    }

    Result<Filter> field_term(std::string_view name, std::size_t begin) {
        if (name == "client" || name == "server") {
            auto pattern = value();
            if (!pattern) return tl::unexpected(pattern.error());
            const auto kind = name == "client" ? Filter::Kind::client : Filter::Kind::server;
            return with_pattern(kind, Field::host, std::move(*pattern));
        }
        const auto field = find_field(name);
        if (!field) return wrong("there is no field \"" + std::string(name) + "\"", begin);
        if (const auto comparison = take_comparison()) return comparison_term(*field, *comparison, begin);
        const bool quoted = !at_end() && peek() == '"';
        auto pattern = value();
        if (!pattern) return tl::unexpected(pattern.error());
        if (*field == Field::status_code && !quoted) {
            if (auto filter = status_class(*pattern)) return std::move(*filter);
        }
        return with_pattern(Filter::Kind::field, *field, std::move(*pattern));
    }

    Result<Filter> comparison_term(Field field, Comparison comparison, std::size_t begin) {
        if (!is_number(field)) {
            return wrong(std::string(info(field).name) + " is not a number and cannot be compared", begin);
        }
        const std::size_t at = at_;
        auto digits = value();
        if (!digits) return tl::unexpected(digits.error());
        double number = 0;
        const char* const last = digits->data() + digits->size();
        const auto [end, error] = std::from_chars(digits->data(), last, number);
        if (error != std::errc() || end != last || !std::isfinite(number)) {
            return wrong("a number is expected", at);
        }
        return compare(field, comparison, number);
    }

    // The name of `name:` and the colon; empty (and nothing taken) when the term has no field.
    std::string_view take_field_name() {
        if (peek() == '"') return {};
        const std::string_view word = text_.substr(at_, word_length());
        const std::size_t colon = word.find(':');
        if (colon == 0 || colon == std::string_view::npos || looks_like_ipv6(word)) return {};
        if (word.substr(0, colon).find_first_of("\\*\"") != std::string_view::npos) return {};
        at_ += colon + 1;
        return word.substr(0, colon);
    }

    std::optional<Comparison> take_comparison() {
        if (take('>')) return take('=') ? Comparison::greater_equal : Comparison::greater;
        if (take('<')) return take('=') ? Comparison::less_equal : Comparison::less;
        return std::nullopt;
    }

    // A pattern: what is quoted matches only itself, in a word * and \ keep their meaning.
    Result<std::string> value() {
        if (!at_end() && peek() == '"') return quoted();
        const std::size_t length = word_length();
        if (length == 0) return wrong("a value is missing", at_);
        const std::string_view word = text_.substr(at_, length);
        if (word.find('"') != std::string_view::npos) {
            return wrong("a quote inside of a word", at_ + word.find('"'));
        }
        at_ += length;
        return std::string(word);
    }

    Result<std::string> quoted() {
        const std::size_t open = at_++;
        std::string out;
        while (!at_end() && peek() != '"') {
            const bool escapes =
                peek() == '\\' && at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || text_[at_ + 1] == '\\');
            if (escapes) at_++;
            out += text_[at_++];
        }
        if (!take('"')) return wrong("this quote is never closed", open);
        if (!at_end() && !is_space(peek()) && peek() != ')') {
            return wrong("a blank is missing after the quote", at_);
        }
        return exact_pattern(out);
    }

    // Up to the next blank or parenthesis that has no \ before it.
    std::size_t word_length() const {
        std::size_t end = at_;
        while (end < text_.size() && !is_space(text_[end]) && text_[end] != '(' && text_[end] != ')') {
            end += text_[end] == '\\' && end + 1 < text_.size() ? 2 : 1;
        }
        return end - at_;
    }

    bool sees_keyword(std::string_view keyword) const {
        return text_.substr(at_, keyword.size()) == keyword && word_length() == keyword.size();
    }

    bool take_keyword(std::string_view keyword) {
        if (!sees_keyword(keyword)) return false;
        at_ += keyword.size();
        skip_spaces();
        return true;
    }

    bool take(char c) {
        if (at_end() || peek() != c) return false;
        at_++;
        return true;
    }

    void skip_spaces() {
        while (!at_end() && is_space(peek())) at_++;
    }
    bool at_end() const { return at_ >= text_.size(); }
    char peek() const { return text_[at_]; }

    tl::unexpected<Error> wrong(const std::string& what, std::size_t at) const {
        return fail(ErrorCode::invalid_argument,
                    what + " at " + std::to_string(characters(text_.substr(0, at))));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t terms_ = 0;
};

}  // namespace

Filter Filter::equals(Field field, std::string value) {
    return with_pattern(Kind::field, field, exact_pattern(value));
}

Filter Filter::both(Filter a, Filter b) {
    if (a.kind == Kind::all) return b;
    if (b.kind == Kind::all) return a;
    Filter out;
    out.kind = Kind::conjunction;
    out.operands.push_back(std::move(a));
    out.operands.push_back(std::move(b));
    return out;
}

Result<Filter> parse_filter(std::string_view text) { return Parser(text).parse(); }

// Goes forward and, on a mismatch, back to the last `*`, which then swallows one character more.
bool matches_pattern(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0;
    std::size_t after_star = std::string_view::npos, swallowed = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            after_star = ++p;
            swallowed = t;
            continue;
        }
        const std::size_t escape = p + 1 < pattern.size() && pattern[p] == '\\' ? 1 : 0;
        if (p < pattern.size() && lower(pattern[p + escape]) == lower(text[t])) {
            p += escape + 1;
            t++;
            continue;
        }
        if (after_star == std::string_view::npos) return false;
        p = after_star;
        t = ++swallowed;
    }
    while (p < pattern.size() && pattern[p] == '*') p++;
    return p == pattern.size();
}

std::string exact_pattern(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '*' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace weir::query
