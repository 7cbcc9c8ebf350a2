// Cuts a batch where a point ends, so that no request holds more points than a server takes.
#pragma once

#include <cstdint>
#include <vector>

#include "abi/host/target.h"

namespace weir::host {

// The points of `batch` in batches of at most `most` points each, in order; `format` is a WEIR_FORMAT_ value.
// The batch itself, alone, when `most` is 0 or the bytes are not what the format says.
std::vector<Batch> split_points(const Batch& batch, std::int32_t format, std::uint64_t most);

}  // namespace weir::host
