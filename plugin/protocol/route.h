// Paths and the routes they belong to: /orders/1842/items is of the route /orders/{id}/items.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::protocol {

// Writes the route of `path` into `out` (replaced): segments that are ids become {id}, those that are an id
// with a file's extension {id}.ext, the rest stays as it is. Ids are numbers and what is put together from
// numbers (dates, times, versions, addresses), UUIDs, hexadecimal hashes, long tokens, and mail addresses.
void fold_route(std::string_view path, std::string& out);

// Routes that were given by hand, tried in their order. A pattern is a path; a segment in braces or a `*`
// stands for any one segment, `**` as the last one for any number of them, none included.
class RoutePatterns {
public:
    RoutePatterns() = default;
    explicit RoutePatterns(const std::vector<std::string>& patterns);

    // The pattern that the path is of, valid as long as this; empty when there is none.
    std::string_view match(std::string_view path) const;

    // Why a text is no pattern; empty when it is one.
    static std::string_view mistake(std::string_view pattern);

private:
    struct Pattern {
        std::string text;
        std::vector<std::string> segments;  // empty: any one
        bool takes_rest = false;
    };
    static bool is_match(const Pattern& pattern, const std::vector<std::string_view>& segments);

    std::vector<Pattern> patterns_;
};

// Segments of a path that nobody shall see. A rule is one segment or several joined by `/`, each with `*`
// for any text; wherever they follow each other in a path, the last one is hidden: `reset/*` hides what
// comes after reset, `sk_*` hides what begins with sk_.
class Redaction {
public:
    Redaction() = default;
    explicit Redaction(const std::vector<std::string>& rules);

    // False when there is nothing to hide; else `out` (replaced) is the path with {redacted} for what is
    // hidden.
    bool apply(std::string_view path, std::string& out) const;

    // Why a text is no rule; empty when it is one.
    static std::string_view mistake(std::string_view rule);

private:
    std::vector<std::vector<std::string>> rules_;
};

}  // namespace weir::protocol
