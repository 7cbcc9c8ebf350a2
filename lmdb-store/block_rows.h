// A block as rows again.
#pragma once

#include "lmdb-store/block_reader.h"
#include "plugin/flow/batch.h"

namespace weir::store {

// Appends the block's rows, flows and texts to a batch; a row's place in the block is kept. On an error
// (ErrorCode::storage) the batch is as before.
Status append_rows(const BlockReader& block, Batch& into);

}  // namespace weir::store
