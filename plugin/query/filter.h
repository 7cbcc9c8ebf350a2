// The search expressions of the API (`q=`), as a tree that any engine can evaluate.
//
// Grammar, loosest first:
//   expression := conjunction { "OR" conjunction }
//   conjunction := factor { ["AND"] factor }
//   factor := ("NOT" | "-") factor | "(" expression ")" | term
//   term := [ field ":" [ ">" | ">=" | "<" | "<=" ] ] value
//   value := word | '"' characters, \" and \\ escaped '"'
// `*` in a word matches any run of characters; between quotes, or after a \, it is itself. A term without
// a field matches any address, process name, domain or host of the row, as a substring unless it holds a
// `*`. `status_code:5xx` matches a class of status codes. Fields are the names of the point schema, and
// `client` and `server`: one end of the flow, by any of its names. Comparisons are for fields that are
// numbers. A row without a value matches only the empty pattern (`dst_domain:""`), so `dst_domain:*` finds
// the rows that have one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "abi/schema/point_schema.h"
#include "plugin/base/status.h"

namespace weir::query {

enum class Comparison : std::uint8_t { matches, less, less_equal, greater, greater_equal };

struct Filter {
    enum class Kind : std::uint8_t {
        all,
        conjunction,
        disjunction,
        negation,
        field,
        any_field,
        client,  // the client's end: its address, its domain, and, on this host, its process and host name
        server,  // the server's end, likewise
    };

    Kind kind = Kind::all;         // `all` matches every row
    std::vector<Filter> operands;  // of conjunction, disjunction (any number), negation (one)
    Field field = Field::host;     // of Kind::field
    Comparison comparison = Comparison::matches;
    std::string pattern;  // for `matches`, any_field, client and server: see matches_pattern()
    double number = 0;    // for the other comparisons

    static Filter everything() { return {}; }
    static Filter equals(Field field, std::string value);
    static Filter both(Filter a, Filter b);
};

// Bounds of an expression, so that neither parsing nor matching one can exhaust the stack or the processor.
inline constexpr std::size_t kMaxFilterCharacters = 1000;
inline constexpr std::size_t kMaxFilterTerms = 100;
inline constexpr std::size_t kMaxFilterDepth = 50;

// Empty or blank text matches everything. Errors: bad expression, with the position (characters from 0) at
// the end of the message: "... at 12".
Result<Filter> parse_filter(std::string_view text);

// Whether all of `text` matches `pattern`, in which `*` stands for any run of characters and `\` takes the
// character after it as it is; letter case of ASCII is ignored. Takes time linear in text for each `*`.
bool matches_pattern(std::string_view pattern, std::string_view text);

// The pattern that only `text` itself matches (but for letter case).
std::string exact_pattern(std::string_view text);

}  // namespace weir::query
