// The point schema: every tag and field of every measurement, once.
//
// The encoders, describe(), the API's fields, the store's columns and the tables in the documents
// all come from this table. Names and units are those that readers of DataKit's netflow, httpflow
// and dnsflow know; what Weir adds is marked "added" in its description. Released names never change.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

enum class ValueType : std::uint8_t { tag, integer, string, boolean };

// Bits of FieldInfo::measurements.
enum Measurement : std::uint8_t { kNetflow = 1, kHttpflow = 2, kDnsflow = 4 };
inline constexpr std::uint8_t kFlows = kNetflow | kHttpflow;
inline constexpr std::uint8_t kMessages = kHttpflow | kDnsflow;
inline constexpr std::uint8_t kAllMeasurements = kNetflow | kHttpflow | kDnsflow;

struct FieldInfo {
    std::string_view name;
    ValueType type;
    std::uint8_t measurements;
    std::string_view unit;  // "", "B", "us", "ns", "count"
    std::string_view description;
};

// X(name, type, measurements, unit, description)
#define WEIR_POINT_FIELDS(X)                                                                             \
    X(host, tag, kAllMeasurements, "", "name of the host that saw the flow")                             \
    X(service, tag, kAllMeasurements, "", "name of the source of data, default ebpf")                    \
    X(family, tag, kAllMeasurements, "", "IPv4 or IPv6; IPv4 mapped in IPv6 counts as IPv4")             \
    X(direction, tag, kAllMeasurements, "", "incoming: the local end listened; outgoing: it connected")  \
    X(conn_side, tag, kAllMeasurements, "", "side of the local end: client or server")                   \
    X(transport, tag, kAllMeasurements, "", "tcp or udp")                                                \
    X(src_ip, tag, kAllMeasurements, "", "address of the local end")                                     \
    X(src_port, tag, kAllMeasurements, "", "port of the local end, * where ephemeral ports are folded")  \
    X(src_ip_type, tag, kAllMeasurements, "", "private, loopback, multicast or other")                   \
    X(dst_ip, tag, kAllMeasurements, "", "address of the remote end")                                    \
    X(dst_port, tag, kAllMeasurements, "", "port of the remote end, * where ephemeral ports are folded") \
    X(dst_ip_type, tag, kAllMeasurements, "", "private, loopback, multicast or other")                   \
    X(dst_nat_ip, tag, kFlows, "", "address behind a translated destination, N/A without")               \
    X(dst_nat_port, tag, kFlows, "", "port behind a translated destination, N/A without")                \
    X(dst_domain, tag, kFlows, "", "domain that the remote address was resolved from")                   \
    X(pid, tag, kFlows, "", "process that owns the socket, in the initial PID namespace")                \
    X(process_name, tag, kFlows, "", "name of that process")                                             \
    X(netns, tag, kFlows, "", "inode number of the network namespace")                                   \
    X(container_id, tag, kFlows, "", "added: container that the process runs in")                        \
    X(client_ip, tag, kAllMeasurements, "", "address of the end that connected")                         \
    X(client_port, tag, kAllMeasurements, "", "port of the end that connected")                          \
    X(client_ip_type, tag, kAllMeasurements, "", "private, loopback, multicast or other")                \
    X(server_ip, tag, kAllMeasurements, "", "address of the end that listened")                          \
    X(server_port, tag, kAllMeasurements, "", "port of the end that listened")                           \
    X(server_ip_type, tag, kAllMeasurements, "", "private, loopback, multicast or other")                \
    X(server_domain, tag, kFlows, "", "domain that the server's address was resolved from")              \
    X(bytes_read, integer, kFlows, "B", "bytes received by the local end")                               \
    X(bytes_written, integer, kFlows, "B", "bytes sent by the local end")                                \
    X(client_sent, integer, kFlows, "B", "bytes sent by the client")                                     \
    X(server_sent, integer, kFlows, "B", "bytes sent by the server")                                     \
    X(retransmits, integer, kNetflow, "count", "TCP segments sent again by the local end")               \
    X(rtt, integer, kNetflow, "us", "smoothed round trip time, mean")                                    \
    X(rtt_p95, integer, kNetflow, "us", "added: smoothed round trip time, 95th percentile")              \
    X(rtt_max, integer, kNetflow, "us", "added: smoothed round trip time, maximum")                      \
    X(rtt_var, integer, kNetflow, "us", "variation of the round trip time, mean")                        \
    X(tcp_established, integer, kNetflow, "count",                                                       \
      "connections first seen, those open at the start included")                                        \
    X(tcp_closed, integer, kNetflow, "count", "connections ended")                                       \
    X(connect_failed, integer, kNetflow, "count", "added: connection attempts that failed")              \
    X(connect_refused, integer, kNetflow, "count", "added: of those: refused by the peer")               \
    X(connect_timed_out, integer, kNetflow, "count", "added: of those: without an answer")               \
    X(connect_unreachable, integer, kNetflow, "count", "added: of those: no route, or told unreachable") \
    X(connect_reset, integer, kNetflow, "count", "added: of those: reset or given up midway")            \
    X(connect_failed_other, integer, kNetflow, "count", "added: of those: for another reason")           \
    X(method, string, kHttpflow, "", "request method")                                                   \
    X(path, string, kHttpflow, "", "request path without its query string")                              \
    X(route, string, kHttpflow, "", "added: path with its ids folded")                                   \
    X(http_version, string, kHttpflow, "", "1.0, 1.1 or 2")                                              \
    X(status_code, integer, kHttpflow, "", "response status, 0 when there was no response")              \
    X(grpc_status, integer, kHttpflow, "", "added: status of a gRPC call, absent for other requests")    \
    X(rcode, integer, kDnsflow, "", "response code, 0 without error, -1 without an answer in time")      \
    X(count, integer, kMessages, "count", "requests or queries")                                         \
    X(latency, integer, kMessages, "ns", "request's first byte to response's first byte, mean")          \
    X(latency_p50, integer, kHttpflow, "ns", "added: latency, median")                                   \
    X(latency_p95, integer, kHttpflow, "ns", "added: latency, 95th percentile")                          \
    X(latency_p99, integer, kHttpflow, "ns", "added: latency, 99th percentile")                          \
    X(latency_max, integer, kMessages, "ns", "latency, maximum; added to httpflow")                      \
    X(truncated, boolean, kHttpflow, "", "path is only the beginning of a longer one")

enum class Field : std::uint8_t {
#define WEIR_X(name, type, measurements, unit, description) name,
    WEIR_POINT_FIELDS(WEIR_X)
#undef WEIR_X
        count_
};

inline constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::count_);

inline constexpr std::array<FieldInfo, kFieldCount> kPointSchema = {{
#define WEIR_X(name, type, measurements, unit, description) \
    {#name, ValueType::type, measurements, unit, description},
    WEIR_POINT_FIELDS(WEIR_X)
#undef WEIR_X
}};

constexpr const FieldInfo& info(Field field) { return kPointSchema[static_cast<std::size_t>(field)]; }

}  // namespace weir
