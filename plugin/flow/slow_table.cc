#include "plugin/flow/slow_table.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::uint64_t kMinuteNs = 60'000'000'000;
constexpr std::uint64_t kTimerNs = 200'000'000;
constexpr std::uint32_t kServerEnd = 1u << 16;  // above the ports

}  // namespace

std::uint64_t network_stall(const Request& request) {
    if (request.is_server) return 0;
    const std::uint64_t latency = request.latency_max;
    const std::uint64_t round_trip = std::min(std::uint64_t{request.evidence.rtt} * 1000, latency);
    const std::uint64_t timer = std::max(kTimerNs, 2 * round_trip);
    const std::uint64_t again = latency >= timer ? timer : 2 * round_trip;
    return std::min(latency,
                    round_trip + std::min<std::uint64_t>(request.evidence.retransmits, 1000) * again);
}

SlowRow* SlowTable::add(const ServerKey& server, bool is_server, std::uint64_t latency,
                        std::uint64_t time_ns) {
    ServerKey key = server;
    if (is_server) key.port |= kServerEnd;
    auto at = servers_.find(key);
    if (at == servers_.end() && servers_.size() >= limits_.servers) {
        ledger_.add(Loss::slow_servers_full);
        return nullptr;
    }
    if (at == servers_.end()) at = servers_.emplace(key, Server{}).first;
    Server& of = at.value();

    if (const std::uint64_t minute = time_ns / kMinuteNs; minute > of.minute) {
        of.minute = minute;
        of.latencies.clear();
    }
    if (of.latencies.size() >= limits_.per_server) {
        const std::uint64_t fastest = of.latencies.front();
        if (latency <= fastest) return nullptr;
        of.latencies.erase(of.latencies.begin());
        // its row is still here unless an earlier interval has reported it
        const auto row = std::find_if(of.rows.begin(), of.rows.end(),
                                      [&](const SlowRow& candidate) { return candidate.latency == fastest; });
        if (row != of.rows.end()) of.rows.erase(row);
    }
    of.latencies.insert(std::upper_bound(of.latencies.begin(), of.latencies.end(), latency), latency);
    SlowRow& row = of.rows.emplace_back();
    row.latency = latency;
    return &row;
}

}  // namespace weir
