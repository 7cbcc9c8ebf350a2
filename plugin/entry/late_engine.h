// A query engine that is there before its store: the HTTP address is taken first, so that a busy one is
// found out before a store is made.
#pragma once

#include <atomic>

#include "plugin/query/query.h"

namespace weir::entry {

class LateEngine final : public query::QueryEngine {
public:
    // The engine must outlive all queries.
    void set(const query::QueryEngine* engine) { engine_ = engine; }

    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const override {
        const auto* engine = engine_.load();
        if (engine == nullptr) return not_yet();
        return engine->aggregate(query);
    }
    Result<query::RecordPage> records(const query::RecordQuery& query) const override {
        const auto* engine = engine_.load();
        if (engine == nullptr) return not_yet();
        return engine->records(query);
    }
    query::StoreStatus status() const override {
        const auto* engine = engine_.load();
        return engine == nullptr ? query::StoreStatus{} : engine->status();
    }

private:
    static tl::unexpected<Error> not_yet() { return fail(ErrorCode::storage, "the store is being opened"); }

    std::atomic<const query::QueryEngine*> engine_{nullptr};
};

}  // namespace weir::entry
