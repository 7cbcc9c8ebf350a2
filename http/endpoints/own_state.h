// Answers about Weir itself. None asks the store for data, so they are quick.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "http/net/message.h"
#include "http/status_provider.h"
#include "plugin/query/query.h"

namespace weir::http {

// The endpoint's own counters. Thread-safe.
struct HttpCounters {
    std::array<std::atomic<std::uint64_t>, 6> by_status_class{};  // [2]: answers 200 to 299

    void count(int status) {
        by_status_class[static_cast<std::size_t>(status / 100) % 6].fetch_add(1, std::memory_order_relaxed);
    }
};

Response health(const StatusProvider& provider);

// `engine` is null when the store is disabled.
Response status(const StatusProvider& provider, const query::QueryEngine* engine, std::int64_t now_ns);

// Prometheus text format 0.0.4.
Response metrics(const StatusProvider& provider, const query::QueryEngine* engine,
                 const HttpCounters& counters, std::int64_t now_ns);

}  // namespace weir::http
