// Keeps a batch below its ceilings by adding the smallest of it up.
//
// Which flows are small is known only after some of the interval, so the table may grow a quarter over its
// ceiling and is then folded back. A flow that was folded and comes back begins anew; sums stay exact.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plugin/flow/batch.h"

namespace weir {

// The flow that flows like this one fold into: one for each direction and transport. Incoming flows whose
// other end is on this host, too, have one of their own, between loopback addresses, or sums that count such
// pairs once could not leave them out. `process` is the id of kOther.
Flow other_flow(const Flow& like, StringId process);

struct Folded {
    std::uint64_t flows = 0;
    std::uint64_t requests = 0;
};

bool is_other_flow(const Batch& batch, const Flow& flow);

// How far a batch may grow before it is folded.
constexpr std::size_t with_slack(std::size_t max_rows) { return max_rows + max_rows / 4 + 8; }

// Makes all but the `max_rows` largest flows (by bytes, of connections and requests) and request groups (by
// count) equal to their ~other, and says how many those were. Rows that have become equal are not merged yet:
// BatchBuilder::add does that.
Folded fold_smallest(Batch& batch, std::size_t max_rows);

}  // namespace weir
