#include "abi/host/target.h"

namespace weir::host {
namespace {

struct Kind {
    std::string_view prefix;  // the whole word when it does not end with a colon
    std::string_view shape;
    Expected<std::unique_ptr<Target>> (*make)(const std::string& rest, const TargetSettings& settings);
};

constexpr Kind kKinds[] = {
    {"stdout", "stdout", make_stdout_target},
    {"file:", "file:PATH", make_file_target},
    {"datakit:", "datakit:URL", make_datakit_target},
    {"influx:", "influx:URL", make_influx_target},
};

bool matches(const Kind& kind, std::string_view word) {
    return kind.prefix.ends_with(':') ? word.starts_with(kind.prefix) : word == kind.prefix;
}

}  // namespace

Expected<std::unique_ptr<Target>> make_target(const std::string& word, const TargetSettings& settings) {
    std::string known;
    for (const Kind& kind : kKinds) {
        if (matches(kind, word)) return kind.make(word.substr(kind.prefix.size()), settings);
        if (!known.empty()) known += ", ";
        known += kind.shape;
    }
    return fail("unknown target \"" + word + "\"; known are " + known);
}

}  // namespace weir::host
