// Routes and redactions of any path, with any rules. Input: u8 length of a rule, the rule, the path.
#include "plugin/protocol/route.h"
#include "tests/fuzz/input.h"

using namespace weir::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::Input input(data, size);
    const std::string rule(input.bytes(input.byte()));
    const std::string path(input.bytes(size));
    std::string once, twice, hidden;
    fold_route(path, once);
    fold_route(once, twice);
    weir::fuzz::check(once == twice, "a route is its own route");
    if (RoutePatterns::mistake(rule).empty()) {
        const RoutePatterns patterns({rule});
        const std::string_view found = patterns.match(path);
        weir::fuzz::check(found.empty() || found == rule, "the pattern or nothing");
    }
    if (Redaction::mistake(rule).empty()) {
        const Redaction redaction({rule});
        if (redaction.apply(path, hidden)) {
            weir::fuzz::check(hidden.find("{redacted}") != std::string::npos, "something is hidden");
        } else {
            weir::fuzz::check(hidden == path, "nothing is");
        }
    }
    return 0;
}
