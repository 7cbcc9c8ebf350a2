// The minute in work: intervals merged until their minute is over.
//
// Sums add and histograms merge (BatchBuilder), so a minute says the same as its intervals, for as long as
// it is kept. Not thread-safe.
#pragma once

#include <cstdint>

#include "lmdb-store/entries.h"
#include "plugin/flow/batch_builder.h"

namespace weir::store {

class Rollup {
public:
    bool empty() const { return header_.last_sequence == 0; }

    // Whether an interval belongs to the same part of the same minute. False when another part must begin:
    // another minute (a step back of the clock included), another host's name, or too many rows.
    bool takes(const EntryHeader& header) const;

    // The header is the interval's as it was stored: with its sequence and losses.
    void add(const Batch& batch, const EntryHeader& header);

    // The entry for the minute table; the rollup is empty afterwards.
    NewEntry take();

private:
    BatchBuilder rows_;
    EntryHeader header_;
};

}  // namespace weir::store
