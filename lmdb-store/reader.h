// Answers queries from an environment, whoever writes it.
//
// Each query reads one snapshot, which it holds for its own scan and no longer. At most as many scan at the
// same time as leave the writer, and whatever else runs on the host, a processor: the others wait for their
// turn (turns.h) within their time limit. A query runs on the thread that asks.
//
// Thread-safe.
#pragma once

#include <optional>

#include "lmdb-store/environment.h"
#include "lmdb-store/memory.h"
#include "lmdb-store/options.h"
#include "lmdb-store/turns.h"
#include "plugin/base/clock.h"
#include "plugin/query/query.h"

namespace weir::store {

class Reader {
public:
    // All must outlive it.
    Reader(const Environment& environment, const Options& options, const Clock& clock);

    // As of query::QueryEngine.
    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const;
    Result<query::RecordPage> records(const query::RecordQuery& query) const;

private:
    // Nothing when the endpoint table was asked and does not suffice.
    Result<std::optional<query::AggregateResult>> aggregate(const query::AggregateQuery& query,
                                                            bool may_ask_endpoints) const;

    const Environment& environment_;
    const Options& options_;
    const Clock& clock_;
    mutable MemoryPool memory_;
    mutable Turns turns_;
};

}  // namespace weir::store
