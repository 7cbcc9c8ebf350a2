// A query engine over batches in memory: the plain meaning of every query, row by row.
#pragma once

#include <atomic>
#include <vector>

#include "plugin/query/query.h"

namespace weir::test {

// Rows belong to a range by the last moment of their interval, as in the store.
class MemoryEngine : public query::QueryEngine {
public:
    std::vector<Batch> batches;  // oldest first
    query::Resolution resolution = query::Resolution::detail;
    LossCounts losses{};  // of every range
    query::StoreStatus store;
    std::atomic<bool> slow = false;        // queries go on until their budget ends
    std::atomic<bool> broken = false;      // queries fail with a storage error
    mutable std::atomic<int> running = 0;

    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const override;
    Result<query::RecordPage> records(const query::RecordQuery& query) const override;
    query::StoreStatus status() const override { return store; }

private:
    Status wait(const query::Budget& budget) const;
};

}  // namespace weir::test
