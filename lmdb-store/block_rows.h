// A block as rows again.
#pragma once

#include <cstdint>
#include <vector>

#include "lmdb-store/block_reader.h"
#include "lmdb-store/segment.h"
#include "plugin/flow/batch.h"

namespace weir::store {

// Replaces flows, strings and rows of `out` with those of a block: row i of the block is row i of its part.
// A row whose subject is lost has no meaning, and lost[row] is 1. Its segment must have been opened for the
// part (of l7 and slow either). Errors: storage.
Status read_rows(const BlockReader& block, Segment& segment, Batch& out, std::vector<std::uint8_t>& lost);

// Reads all of a block of the endpoint table, to see whether it can be. Returns how many of its rows have an
// endpoint that can be read, too. The segment must have been opened for endpoints. Errors: storage.
Result<std::uint64_t> check_endpoint_rows(const BlockReader& block, Segment& segment);

}  // namespace weir::store
