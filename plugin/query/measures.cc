#include "plugin/query/measures.h"

namespace weir::query {
namespace {

std::optional<double> mean(const Histogram& histogram) {
    if (histogram.empty()) return std::nullopt;
    return histogram.mean();
}

std::optional<double> quantile(const Histogram& histogram, double q) {
    if (histogram.empty()) return std::nullopt;
    return static_cast<double>(histogram.quantile(q));
}

std::optional<double> max(const Histogram& histogram) {
    if (histogram.empty()) return std::nullopt;
    return static_cast<double>(histogram.max());
}

std::optional<double> ratio(double part, double whole) {
    if (whole <= 0) return std::nullopt;
    return part / whole;
}

template <typename Row>
void add_bytes(Measures& into, const Flow& flow, const Row& row) {
    into.bytes_written += row.bytes_written;
    into.bytes_read += row.bytes_read;
    into.client_sent += flow.is_client() ? row.bytes_written : row.bytes_read;
    into.server_sent += flow.is_client() ? row.bytes_read : row.bytes_written;
}

}  // namespace

std::optional<Measure> find_measure(std::string_view name) {
    for (std::size_t i = 0; i < kMeasureCount; i++) {
        if (kMeasures[i].name == name) return static_cast<Measure>(i);
    }
    return std::nullopt;
}

void Measures::add(const Flow& flow, const L4Row& row) {
    add_bytes(*this, flow, row);
    retransmits += row.retransmits;
    tcp_established += row.tcp_established;
    tcp_closed += row.tcp_closed;
    connect_failed += row.connect_failed;
    connect_refused += row.connect_refused;
    connect_timed_out += row.connect_timed_out;
    connect_unreachable += row.connect_unreachable;
    connect_reset += row.connect_reset;
    connect_failed_other += row.connect_failed_other;
    rtt.merge(row.rtt);
    rtt_var.merge(row.rtt_var);
}

void Measures::add(const Flow& flow, const L7Row& row) {
    add_bytes(*this, flow, row);
    count += row.count;
    const unsigned status_class = row.status / 100u;
    if (status_class == 3) status_3xx += row.count;
    if (status_class == 4) status_4xx += row.count;
    if (status_class == 5) status_5xx += row.count;
    latency.merge(row.latency);
}

void Measures::add(const Flow&, const DnsRow& row) {
    count += row.count;
    if (row.rcode != 0) dns_errors += row.count;
    latency.merge(row.latency);
}

void Measures::merge(const Measures& other) {
    bytes_written += other.bytes_written;
    bytes_read += other.bytes_read;
    client_sent += other.client_sent;
    server_sent += other.server_sent;
    retransmits += other.retransmits;
    tcp_established += other.tcp_established;
    tcp_closed += other.tcp_closed;
    connect_failed += other.connect_failed;
    connect_refused += other.connect_refused;
    connect_timed_out += other.connect_timed_out;
    connect_unreachable += other.connect_unreachable;
    connect_reset += other.connect_reset;
    connect_failed_other += other.connect_failed_other;
    count += other.count;
    status_3xx += other.status_3xx;
    status_4xx += other.status_4xx;
    status_5xx += other.status_5xx;
    dns_errors += other.dns_errors;
    rtt.merge(other.rtt);
    rtt_var.merge(other.rtt_var);
    latency.merge(other.latency);
}

std::optional<double> value(const Measures& m, Measure measure, double seconds) {
    const auto number = [](std::uint64_t n) { return static_cast<double>(n); };
    const std::uint64_t errors = m.status_4xx + m.status_5xx + m.dns_errors;
    switch (measure) {
        case Measure::bytes_written: return number(m.bytes_written);
        case Measure::bytes_read: return number(m.bytes_read);
        case Measure::client_sent: return number(m.client_sent);
        case Measure::server_sent: return number(m.server_sent);
        case Measure::rtt: return mean(m.rtt);
        case Measure::rtt_p50: return quantile(m.rtt, 0.50);
        case Measure::rtt_p95: return quantile(m.rtt, 0.95);
        case Measure::rtt_max: return max(m.rtt);
        case Measure::rtt_var: return mean(m.rtt_var);
        case Measure::rtt_var_p95: return quantile(m.rtt_var, 0.95);
        case Measure::retransmits: return number(m.retransmits);
        case Measure::tcp_established: return number(m.tcp_established);
        case Measure::tcp_closed: return number(m.tcp_closed);
        case Measure::connect_failed: return number(m.connect_failed);
        case Measure::connect_refused: return number(m.connect_refused);
        case Measure::connect_timed_out: return number(m.connect_timed_out);
        case Measure::connect_unreachable: return number(m.connect_unreachable);
        case Measure::connect_reset: return number(m.connect_reset);
        case Measure::connect_failed_other: return number(m.connect_failed_other);
        case Measure::count: return number(m.count);
        case Measure::rps: return ratio(number(m.count), seconds);
        case Measure::latency: return mean(m.latency);
        case Measure::latency_p50: return quantile(m.latency, 0.50);
        case Measure::latency_p95: return quantile(m.latency, 0.95);
        case Measure::latency_p99: return quantile(m.latency, 0.99);
        case Measure::latency_max: return max(m.latency);
        case Measure::errors: return number(errors);
        case Measure::error_rate: return ratio(number(errors), number(m.count));
        case Measure::status_3xx: return number(m.status_3xx);
        case Measure::status_4xx: return number(m.status_4xx);
        case Measure::status_5xx: return number(m.status_5xx);
        case Measure::count_: break;
    }
    return std::nullopt;
}

}  // namespace weir::query
