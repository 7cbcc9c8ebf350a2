// What each tag and field of the point schema is for a row of a batch: the one place that knows.
//
// Everything is inline and takes the field as an argument, so that where the field is a constant, as in the
// encoders, nothing but that field's own code is left.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <variant>

#include "abi/schema/point_schema.h"
#include "plugin/flow/batch.h"
#include "plugin/point/fields.h"
#include "plugin/point/plain_text.h"

namespace weir::row_values {

// monostate: the row has no such value.
using RowValue = std::variant<std::monostate, PlainText, std::string_view, std::int64_t, bool>;

inline constexpr PlainText kNotAvailable = {"N/A"};

inline PlainText text_of(const Address& address, FieldScratch& scratch) {
    static_assert(std::tuple_size_v<FieldScratch> >= Address::kMaxText);
    return {{scratch.data(), address.write_to(scratch.data())}};
}

inline PlainText text_of(std::uint64_t number, FieldScratch& scratch) {
    const auto end = std::to_chars(scratch.data(), scratch.data() + scratch.size(), number).ptr;
    return {{scratch.data(), static_cast<std::size_t>(end - scratch.data())}};
}

inline PlainText port_text(std::uint16_t port, FieldScratch& scratch) {
    return port == 0 ? PlainText{"*"} : text_of(port, scratch);
}

inline RowValue text_or_nothing(std::string_view text) {
    if (text.empty()) return std::monostate{};
    return text;
}

inline RowValue integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// For details that most rows do not have.
inline RowValue integer_if_any(std::uint64_t value) {
    if (value == 0) return std::monostate{};
    return integer(value);
}

inline RowValue mean(const Histogram& histogram) {
    if (histogram.empty()) return std::monostate{};
    return static_cast<std::int64_t>(std::llround(histogram.mean()));
}

inline RowValue quantile(const Histogram& histogram, double q) {
    if (histogram.empty()) return std::monostate{};
    return integer(histogram.quantile(q));
}

inline RowValue max(const Histogram& histogram) {
    if (histogram.empty()) return std::monostate{};
    return integer(histogram.max());
}

inline RowValue grpc_status(const L7Row& row) {
    if (row.grpc_status == L7Row::kNoGrpcStatus) return std::monostate{};
    return std::int64_t{row.grpc_status};
}

// Tags of the flow, the same for every measurement.
[[gnu::always_inline]] inline RowValue flow_value(const Batch& batch, const Flow& flow, Field field,
                                                  FieldScratch& scratch) {
    switch (field) {
        case Field::host: return std::string_view(batch.host);
        case Field::service: return std::string_view(batch.service);
        case Field::family: return PlainText{flow.is_v6 ? "IPv6" : "IPv4"};
        case Field::direction: return PlainText{to_string(flow.direction)};
        case Field::conn_side: return PlainText{flow.is_client() ? "client" : "server"};
        case Field::transport: return PlainText{to_string(flow.transport)};
        case Field::src_ip: return text_of(flow.local, scratch);
        case Field::src_port: return port_text(flow.local_port, scratch);
        case Field::src_ip_type: return PlainText{to_string(flow.local.type())};
        case Field::dst_ip: return text_of(flow.remote, scratch);
        case Field::dst_port: return port_text(flow.remote_port, scratch);
        case Field::dst_ip_type: return PlainText{to_string(flow.remote.type())};
        case Field::dst_nat_ip: return flow.is_translated() ? text_of(flow.nat, scratch) : kNotAvailable;
        case Field::dst_nat_port:
            return flow.is_translated() ? text_of(flow.nat_port, scratch) : kNotAvailable;
        case Field::dst_domain: return text_or_nothing(batch.strings[flow.domain]);
        case Field::server_domain:
            return text_or_nothing(flow.is_client() ? batch.strings[flow.domain] : std::string_view());
        case Field::container_id: return text_or_nothing(batch.strings[flow.container]);
        case Field::pid: return text_of(flow.pid, scratch);
        case Field::process_name: return text_or_nothing(batch.strings[flow.process]);
        case Field::netns: return text_of(flow.netns, scratch);
        case Field::client_ip: return text_of(flow.client(), scratch);
        case Field::client_port: return port_text(flow.client_port(), scratch);
        case Field::client_ip_type: return PlainText{to_string(flow.client().type())};
        case Field::server_ip: return text_of(flow.server(), scratch);
        case Field::server_port: return port_text(flow.server_port(), scratch);
        case Field::server_ip_type: return PlainText{to_string(flow.server().type())};
        default: return std::monostate{};
    }
}

// A DNS row has none.
inline RowValue bytes_value(const Flow&, const DnsRow&, Field) { return std::monostate{}; }

template <typename Row>
[[gnu::always_inline]] inline RowValue bytes_value(const Flow& flow, const Row& row, Field field) {
    switch (field) {
        case Field::bytes_read: return integer(row.bytes_read);
        case Field::bytes_written: return integer(row.bytes_written);
        case Field::client_sent: return integer(flow.is_client() ? row.bytes_written : row.bytes_read);
        case Field::server_sent: return integer(flow.is_client() ? row.bytes_read : row.bytes_written);
        default: return std::monostate{};
    }
}

[[gnu::always_inline]] inline RowValue row_value(const Batch&, const L4Row& row, Field field) {
    switch (field) {
        case Field::retransmits: return integer(row.retransmits);
        case Field::rtt: return mean(row.rtt);
        case Field::rtt_p95: return quantile(row.rtt, 0.95);
        case Field::rtt_max: return max(row.rtt);
        case Field::rtt_var: return mean(row.rtt_var);
        case Field::tcp_established: return integer(row.tcp_established);
        case Field::tcp_closed: return integer(row.tcp_closed);
        case Field::connect_failed: return integer(row.connect_failed);
        case Field::connect_refused: return integer_if_any(row.connect_refused);
        case Field::connect_timed_out: return integer_if_any(row.connect_timed_out);
        case Field::connect_unreachable: return integer_if_any(row.connect_unreachable);
        case Field::connect_reset: return integer_if_any(row.connect_reset);
        case Field::connect_failed_other: return integer_if_any(row.connect_failed_other);
        default: return std::monostate{};
    }
}

[[gnu::always_inline]] inline RowValue row_value(const Batch& batch, const L7Row& row, Field field) {
    switch (field) {
        case Field::method: return batch.strings[row.method];
        case Field::path: return batch.strings[row.path];
        case Field::route: return batch.strings[row.route];
        case Field::http_version: return PlainText{to_string(row.version)};
        case Field::status_code: return integer(row.status);
        case Field::grpc_status: return grpc_status(row);
        case Field::count: return integer(row.count);
        case Field::latency: return mean(row.latency);
        case Field::latency_p50: return quantile(row.latency, 0.50);
        case Field::latency_p95: return quantile(row.latency, 0.95);
        case Field::latency_p99: return quantile(row.latency, 0.99);
        case Field::latency_max: return max(row.latency);
        case Field::truncated: return row.truncated;
        default: return std::monostate{};
    }
}

[[gnu::always_inline]] inline RowValue row_value(const Batch&, const DnsRow& row, Field field) {
    switch (field) {
        case Field::rcode: return std::int64_t{row.rcode};
        case Field::count: return integer(row.count);
        case Field::latency: return mean(row.latency);
        case Field::latency_max: return max(row.latency);
        default: return std::monostate{};
    }
}

template <typename Row>
inline constexpr std::uint8_t kMeasurementOf = 0;
template <>
inline constexpr std::uint8_t kMeasurementOf<L4Row> = kNetflow;
template <>
inline constexpr std::uint8_t kMeasurementOf<L7Row> = kHttpflow;
template <>
inline constexpr std::uint8_t kMeasurementOf<DnsRow> = kDnsflow;

template <typename Row>
[[gnu::always_inline]] inline RowValue value_of(const Batch& batch, const Row& row, Field field,
                                                FieldScratch& scratch) {
    const FieldInfo& about = info(field);
    if ((about.measurements & kMeasurementOf<Row>) == 0) return std::monostate{};
    const Flow& flow = batch.flows[row.flow];
    if (about.type == ValueType::tag) return flow_value(batch, flow, field, scratch);
    const RowValue bytes = bytes_value(flow, row, field);
    return std::holds_alternative<std::monostate>(bytes) ? row_value(batch, row, field) : bytes;
}

}  // namespace weir::row_values
