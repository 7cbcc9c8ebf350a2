#pragma once

#include "abi/host/expected.h"
#include "weir_abi.h"

namespace weir::host {

// Loads a plugin's file and checks what it hands over: its owner and mode, the entry, the major version, and
// that the table holds every function of version 1.0. The file stays mapped until the process ends, so the
// table is valid for ever.
Expected<const weir_plugin_v1*> load_plugin(const std::string& path);

}  // namespace weir::host
