// Requests that were answered alike on one connection, whichever protocol brought them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "bpf/events.h"
#include "plugin/flow/batch.h"

namespace weir {

// What a socket said when the first byte of a response came. 0 = unknown.
struct SocketEvidence {
    std::uint64_t age = 0;          // ns since the connection was established
    std::uint32_t retransmits = 0;  // segments sent again since the request's first byte
    std::uint32_t rtt = 0;          // us, smoothed
    std::uint32_t unread = 0;       // bytes received and not read by the program
    std::uint32_t unsent = 0;       // bytes written and not acknowledged by the peer
};

// Texts are raw bytes from traffic, valid during the call.
struct Request {
    std::string_view method;
    std::string_view path;   // without query string
    bool truncated = false;  // path is only its beginning
    HttpVersion version = HttpVersion::unknown;
    std::uint16_t status = 0;  // 0 = no response
    std::int16_t grpc_status = L7Row::kNoGrpcStatus;
    bool is_server = false;  // it was received here
    // First byte of the request to first byte of the response, ns. Of one request, latency_sum is it; of
    // several there are their buckets (plugin/flow/histogram.h), one each or one for all of them.
    bool has_latency = false;
    std::span<const std::uint16_t> latencies;
    std::uint64_t latency_sum = 0;
    std::uint64_t latency_max = 0;
    bool is_folded = false;   // counted by status class: method and path are not known
    std::uint64_t count = 1;  // 0: more bytes of requests that are counted elsewhere
    std::uint64_t request_bytes = 0;
    std::uint64_t response_bytes = 0;
    // Of the slowest one, when there is a latency.
    std::uint64_t begin_ns = 0;  // boot time of its first byte
    std::uint64_t total = 0;     // ns, to its response's last byte as far as it was seen, 0 = unknown
    SocketEvidence evidence;
};

class RequestSink {
public:
    virtual ~RequestSink() = default;
    virtual void on_request(const weir_conn_id& id, const Request& request) = 0;
};

}  // namespace weir
