#pragma once

#include "abi/host/expected.h"

namespace weir::host {

// A configuration as it stands in its file; at most 1 MiB, so that a wrong path does not eat the memory.
Expected<std::string> read_config(const std::string& path);

}  // namespace weir::host
