#include "abi/host/target.h"

namespace weir::host {
namespace {

struct Kind {
    std::string_view prefix;  // the whole word when it does not end with a colon
    std::string_view shape;
    Expected<std::unique_ptr<Target>> (*make)(const std::string& rest, std::int32_t points_format);
};

constexpr Kind kKinds[] = {
    {"stdout", "stdout", make_stdout_target},
    {"file:", "file:PATH", make_file_target},
    {"influx:", "influx:URL", make_influx_target},
};

bool matches(const Kind& kind, std::string_view word) {
    return kind.prefix.ends_with(':') ? word.starts_with(kind.prefix) : word == kind.prefix;
}

}  // namespace

Expected<std::unique_ptr<Target>> make_target(const std::string& word, std::int32_t points_format) {
    std::string known;
    for (const Kind& kind : kKinds) {
        if (matches(kind, word)) return kind.make(word.substr(kind.prefix.size()), points_format);
        if (!known.empty()) known += ", ";
        known += kind.shape;
    }
    return fail("unknown target \"" + word + "\"; known are " + known);
}

}  // namespace weir::host
