// The coverage ledger: what Weir did not see, by reason.
//
// Every place that drops, refuses or overflows counts here, under a name that exists once. A batch
// carries what was lost in its interval; the store keeps it, and every answer of the API sums it
// over the range asked for.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

// X(identifier, what one unit of the counter means). The identifier is the name in status, metrics
// and coverage; names are stored, so they are only ever added.
// clang-format off: one entry a line, so that additions do not meet
#define WEIR_LOSSES(X)                                                                                      \
    X(ring_full_tcp,                                                                                        \
      "reports of connections without round trip time because the ring to user space was full")             \
    X(tcp_fold_full, "of those: added to ~other because of too many flows")                                 \
    X(ring_full_http, "requests without detail because the ring to user space was full")                    \
    X(http_flows_full, "of those: requests added to ~other because of too many flows")                      \
    X(http_lost, "HTTP connections that made no sense any more while a request was open")                   \
    X(http_contended, "calls not looked at because another CPU held their connection")                      \
    X(tls_table_full, "TLS connections that found no room")                                                 \
    X(tls_socket_unknown, "requests under TLS whose socket did not become known")                           \
    X(http2_lost, "pieces of HTTP/2 that found the ring full or could not be read")                         \
    X(ring_full_dns, "DNS messages that found the ring to user space full")                                 \
    X(udp_flows_full, "datagrams added to ~other because the kernel side's table was full")                 \
    X(dns_unreadable, "DNS messages whose bytes could not be read")                                         \
    X(udp_not_followed, "datagrams that passed before UDP was looked at again (without HTTP, on demand)")   \
    X(socket_storage_refused, "sockets that the kernel gave no storage for")                                \
    X(http_buffer_unreadable, "sends or receives on HTTP sockets whose bytes could not be read")            \
    X(seen_late, "connections first seen after they began: what they did before is missing")                \
    X(closed_unseen, "connections seen only at their end")                                                  \
    X(owner_unknown, "connections reported without a known process")                                        \
    X(flow_table_full, "flows added to ~other because an interval had too many")                            \
    X(paths_folded, "requests added to ~other because an interval had too many different ones")             \
    X(dns_unparsed, "DNS messages that could not be read")                                                  \
    X(dns_table_full, "DNS queries that found no room to wait for their answer")                            \
    X(nat_unresolved, "connections whose translation could not be known")                                   \
    X(record_malformed, "records from the kernel side that made no sense")                                  \
    X(batches_merged, "intervals merged into the next because a reader was behind")                         \
    X(points_refused, "points that the host did not take in time")                                          \
    X(points_unwritable, "points whose tags are longer than any receiver takes")                            \
    X(spool_full, "points that the host did not take and the spool had no room for")                        \
    X(host_call_slow, "callbacks of the host that took longer than a second")                               \
    X(store_failed, "intervals that could not be written to the store")                                     \
    X(http2_bytes_missing, "times that bytes of HTTP/2 were not seen, or made no sense")                    \
    X(http2_headers_unknown, "HTTP/2 requests with headers that were named before they were seen")          \
    X(http2_streams_full, "HTTP/2 requests reported without their response, to make room")                  \
    X(http2_connections_full, "HTTP/2 connections given up, to make room")                                  \
    X(slow_servers_full, "requests not looked at for being slow: too many servers")                         \
    X(store_unreadable, "stored rows that could not be read back")                                          \
    X(connects_unnoted,                                                                                     \
      "connects that were not watched for failing before a SYN because too many were under way")            \
    X(program_busy,                                                                                         \
      "events that interrupted the very program that looks at them and are passed by; of them, begins and " \
      "ends of connections are made up for")
// clang-format on

enum class Loss : std::uint8_t {
#define WEIR_X(name, help) name,
    WEIR_LOSSES(WEIR_X)
#undef WEIR_X
        count
};

inline constexpr std::size_t kLossCount = static_cast<std::size_t>(Loss::count);

struct LossInfo {
    std::string_view name;
    std::string_view help;
};

inline constexpr std::array<LossInfo, kLossCount> kLosses = {{
#define WEIR_X(name, help) {#name, help},
    WEIR_LOSSES(WEIR_X)
#undef WEIR_X
}};

// Amounts by reason, indexed by Loss. A plain value.
using LossCounts = std::array<std::uint64_t, kLossCount>;

// Totals since start. Thread-safe.
class Ledger {
public:
    void add(Loss loss, std::uint64_t n = 1) {
        counts_[static_cast<std::size_t>(loss)].fetch_add(n, std::memory_order_relaxed);
    }

    LossCounts totals() const {
        LossCounts out{};
        for (std::size_t i = 0; i < kLossCount; i++) out[i] = counts_[i].load(std::memory_order_relaxed);
        return out;
    }

private:
    std::array<std::atomic<std::uint64_t>, kLossCount> counts_{};
};

}  // namespace weir
