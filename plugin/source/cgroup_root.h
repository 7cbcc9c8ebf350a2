// The root of the cgroup v2 hierarchy: where programs are attached that see the whole host.
#pragma once

#include <string>

#include "plugin/base/status.h"

namespace weir {

// A descriptor of the root directory, the caller's to close. The hierarchy need not be mounted; where it is
// not, it is opened without a mount that anybody else could see. Inside a cgroup namespace it is that
// namespace's root, so only the processes below it are seen.
Result<int> open_cgroup_root();

}  // namespace weir
