// Rows of a batch as blocks (block_format.h).
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/flow/batch.h"
#include "plugin/query/measures.h"

namespace weir::store {

using Block = std::vector<std::uint8_t>;

// All rows of a layer, in their order; empty when there are none. The batch must be sound: indexes in
// range, histograms storable.
std::vector<Block> encode_blocks(const Batch& batch, query::Layer layer);

}  // namespace weir::store
