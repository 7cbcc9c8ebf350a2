// What the plugin says of itself. Static texts, made once from the tables that the code runs on.
#pragma once

#include <string>

namespace weir::entry {

inline constexpr char kPluginName[] = "weir";
inline constexpr char kPluginVersion[] = WEIR_VERSION;

const std::string& describe_json();

struct ProbeResult {
    bool can_run = false;
    bool lacks_privilege = false;
    std::string json;
};
// Looks at the kernel and tries to load the programs; leaves nothing behind.
ProbeResult probe();

}  // namespace weir::entry
