// The measures of the API: what rows add up to, and the numbers that are read off the sums.
//
// Sums add and histograms merge, so the same type serves a flow, an edge, a service and a total;
// a percentile is always taken from a merged histogram.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "plugin/flow/batch.h"
#include "plugin/flow/histogram.h"

namespace weir::query {

enum class Layer : std::uint8_t { l4, l7, dns };

// Bits, by Layer: in which layers a measure exists.
inline constexpr std::uint8_t kL4 = 1;
inline constexpr std::uint8_t kL7 = 2;
inline constexpr std::uint8_t kDns = 4;

// X(name, layers, unit, description). Units: "" for counts and shares.
#define WEIR_MEASURES(X)                                                                        \
    X(bytes_written, kL4 | kL7, "B", "bytes sent by the local end")                             \
    X(bytes_read, kL4 | kL7, "B", "bytes received by the local end")                            \
    X(client_sent, kL4 | kL7, "B", "bytes sent by the client")                                  \
    X(server_sent, kL4 | kL7, "B", "bytes sent by the server")                                  \
    X(rtt, kL4, "us", "TCP delay: smoothed round trip time, mean")                              \
    X(rtt_p50, kL4, "us", "TCP delay, median")                                                  \
    X(rtt_p95, kL4, "us", "TCP delay, 95th percentile")                                         \
    X(rtt_max, kL4, "us", "TCP delay, maximum")                                                 \
    X(rtt_var, kL4, "us", "TCP jitter: variation of the round trip time, mean")                 \
    X(rtt_var_p95, kL4, "us", "TCP jitter, 95th percentile")                                    \
    X(retransmits, kL4, "", "TCP segments sent again")                                          \
    X(tcp_established, kL4, "", "TCP connections established")                                  \
    X(tcp_closed, kL4, "", "TCP connections closed")                                            \
    X(connect_failed, kL4, "", "TCP connection attempts that failed")                           \
    X(connect_refused, kL4, "", "of those: refused by the peer")                                \
    X(connect_timed_out, kL4, "", "of those: without an answer")                                \
    X(connect_unreachable, kL4, "", "of those: no route, or told unreachable")                  \
    X(connect_reset, kL4, "", "of those: reset or given up midway")                             \
    X(connect_failed_other, kL4, "", "of those: for another reason")                            \
    X(count, kL7 | kDns, "", "requests or queries")                                             \
    X(rps, kL7 | kDns, "1/s", "requests or queries a second")                                   \
    X(latency, kL7 | kDns, "ns", "response time, mean")                                         \
    X(latency_p50, kL7 | kDns, "ns", "response time, median")                                   \
    X(latency_p95, kL7 | kDns, "ns", "response time, 95th percentile")                          \
    X(latency_p99, kL7 | kDns, "ns", "response time, 99th percentile")                          \
    X(latency_max, kL7 | kDns, "ns", "response time, maximum")                                  \
    X(errors, kL7 | kDns, "",                                                                   \
      "responses with a status of 400 and above; queries answered with an error or not at all") \
    X(error_rate, kL7 | kDns, "", "errors / requests or queries")                               \
    X(status_3xx, kL7, "", "responses with a status of 300 to 399")                             \
    X(status_4xx, kL7, "", "responses with a status of 400 to 499")                             \
    X(status_5xx, kL7, "", "responses with a status of 500 to 599")

enum class Measure : std::uint8_t {
#define WEIR_X(name, layers, unit, description) name,
    WEIR_MEASURES(WEIR_X)
#undef WEIR_X
        count_
};

inline constexpr std::size_t kMeasureCount = static_cast<std::size_t>(Measure::count_);

struct MeasureInfo {
    std::string_view name;
    std::uint8_t layers;
    std::string_view unit;
    std::string_view description;
};

inline constexpr std::array<MeasureInfo, kMeasureCount> kMeasures = {{
#define WEIR_X(name, layers, unit, description) {#name, layers, unit, description},
    WEIR_MEASURES(WEIR_X)
#undef WEIR_X
}};

constexpr const MeasureInfo& info(Measure measure) { return kMeasures[static_cast<std::size_t>(measure)]; }
constexpr bool in_layer(Measure measure, Layer layer) {
    return (info(measure).layers >> static_cast<unsigned>(layer) & 1) != 0;
}
std::optional<Measure> find_measure(std::string_view name);

// What rows of one layer add up to. The other layers' members stay 0.
struct Measures {
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t client_sent = 0;
    std::uint64_t server_sent = 0;
    std::uint64_t retransmits = 0;
    std::uint64_t tcp_established = 0;
    std::uint64_t tcp_closed = 0;
    std::uint64_t connect_failed = 0;
    std::uint64_t connect_refused = 0;
    std::uint64_t connect_timed_out = 0;
    std::uint64_t connect_unreachable = 0;
    std::uint64_t connect_reset = 0;
    std::uint64_t connect_failed_other = 0;
    std::uint64_t count = 0;
    std::uint64_t status_3xx = 0;
    std::uint64_t status_4xx = 0;
    std::uint64_t status_5xx = 0;
    std::uint64_t dns_errors = 0;
    Histogram rtt;      // us
    Histogram rtt_var;  // us
    Histogram latency;  // ns

    void add(const Flow& flow, const L4Row& row);
    void add(const Flow& flow, const L7Row& row);
    void add(const Flow& flow, const DnsRow& row);
    void merge(const Measures& other);
};

// The value of a measure over a range of so many seconds. Nothing when there are no samples: the
// API answers null then, never 0. Counts and sums always have a value.
std::optional<double> value(const Measures& measures, Measure measure, double seconds);

}  // namespace weir::query
