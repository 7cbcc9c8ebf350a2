// Evaluates filters and dimensions over rows of a batch: for engines that look at rows, and as the
// plain meaning that faster engines are tested against.
#pragma once

#include "plugin/query/query.h"

namespace weir::query {

bool matches(const Filter& filter, const Batch& batch, const L4Row& row);
bool matches(const Filter& filter, const Batch& batch, const L7Row& row);

KeyPart key_part(const Dimension& dimension, const Batch& batch, const L4Row& row);
KeyPart key_part(const Dimension& dimension, const Batch& batch, const L7Row& row);

// Whether a row is left out where each flow is counted once.
inline bool is_counted_elsewhere(const Flow& flow) {
    return flow.peer_is_local && flow.direction == Direction::incoming;
}

}  // namespace weir::query
