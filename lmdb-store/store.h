// The history of this host in LMDB: intervals for some minutes, minutes for some days, and the queries
// over them.
//
// What a range holds, and from which of the two it is answered, is in plan.h; how it is stored, in format.h
// and block_format.h; how space is kept, in writer.h.
//
// Threads: append(), flush() and close() are for one thread, the caller's; the queries for any number of
// others beside it. The store starts no thread. It must not be used in a child after fork().
#pragma once

#include <memory>

#include "lmdb-store/options.h"
#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/base/status.h"
#include "plugin/flow/batch.h"
#include "plugin/query/query.h"

namespace weir::store {

class Store final : public query::QueryEngine {
public:
    // Opens or makes the store in options.path. The clock and the ledger must outlive it. Errors:
    // invalid_argument (options), storage (cannot be made or opened, in use, of a newer version).
    static Result<std::unique_ptr<Store>> open(const Options& options, const Clock& clock, Logger logger,
                                               Ledger& ledger);
    ~Store() override;  // closes

    // Stores an interval, durable against the end of the process when it returns. What is lost when it fails
    // is counted (Loss::store_failed); the next one may succeed. Errors: invalid_argument, storage, bad_state
    // (closed).
    Status append(const BatchPtr& batch);

    // Writes the minute in work, which is otherwise written when it is over. Errors: storage, bad_state.
    Status flush();

    // Flushes and lets go of the directory; waits for queries at work. Queries fail afterwards. Idempotent.
    Status close();

    // With steps, `limit` counts keys, ranked by what their steps add up to; each has all of its steps, in
    // order of time. Steps begin at multiples of step_ns since 1970. Rows that find no room because the
    // answer has too many groups are in `rest`. Losses hold rows that could not be read.
    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const override;

    // Rows of a page have one host: where its name changed, a page ends early. Range and resolution of a page
    // after the first are those of the first. Bars that would be 0 are left out; limit 0 asks for bars only.
    // A page holds at most 100,000 records.
    Result<query::RecordPage> records(const query::RecordQuery& query) const override;

    query::StoreStatus status() const override;

private:
    class Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::store
