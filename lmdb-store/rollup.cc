#include "lmdb-store/rollup.h"

#include <algorithm>

namespace weir::store {
namespace {

// Bounds the memory of the minute in work, to some ten MiB; a larger minute is written in parts.
constexpr std::size_t kMaxRows = 128 * 1024;

}  // namespace

bool Rollup::takes(const EntryHeader& header) const {
    if (empty()) return true;
    return header_.end_ns == minute_end(header.end_ns) && header_.host == header.host &&
           header_.service == header.service && rows_.flow_count() + rows_.l7_count() < kMaxRows;
}

void Rollup::add(const Batch& batch, const EntryHeader& header) {
    if (empty()) {
        header_ = EntryHeader();
        header_.begin_ns = header.begin_ns;
        header_.end_ns = minute_end(header.end_ns);
        header_.host = header.host;
        header_.service = header.service;
        header_.first_sequence = header.first_sequence;
    }
    header_.begin_ns = std::min(header_.begin_ns, header.begin_ns);
    header_.last_sequence = header.last_sequence;
    for (std::size_t i = 0; i < kLossCount; i++) header_.losses[i] += header.losses[i];
    rows_.add(batch);
}

NewEntry Rollup::take() {
    const auto batch = rows_.take();
    batch->begin_ns = header_.begin_ns;
    batch->end_ns = header_.end_ns;
    batch->host = header_.host;
    batch->service = header_.service;
    batch->losses = header_.losses;
    NewEntry out = make_entry(*batch);
    out.header.first_sequence = header_.first_sequence;
    out.header.last_sequence = header_.last_sequence;
    header_ = EntryHeader();
    return out;
}

}  // namespace weir::store
