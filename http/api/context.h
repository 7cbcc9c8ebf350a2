// What endpoints work with, and how they ask the store.
#pragma once

#include <chrono>
#include <cstdint>

#include "http/api/answer.h"
#include "http/net/message.h"
#include "http/status_provider.h"
#include "plugin/query/query.h"

namespace weir::http {

struct Scope;

// One request under way. All references outlive it.
struct Context {
    const Request& request;
    const query::QueryEngine& engine;
    const StatusProvider& status;
    std::int64_t now_ns = 0;
    std::chrono::steady_clock::time_point began;
    query::Budget budget;
};

// The store's answers; its errors become those of the API.
tl::expected<query::AggregateResult, ApiError> aggregate(const Context& context, query::AggregateQuery query);
tl::expected<query::RecordPage, ApiError> records(const Context& context, query::RecordQuery query);

// The query of a request for measures, to be completed.
query::AggregateQuery aggregate_query(const Scope& scope);

}  // namespace weir::http
