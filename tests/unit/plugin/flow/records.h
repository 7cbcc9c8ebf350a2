// Makes records as the kernel side would, for tests of what is downstream of it.
#pragma once

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bpf/events.h"
#include "plugin/flow/address.h"

namespace weir::test {

struct Ends {
    const char* local = "10.0.0.1";
    std::uint16_t local_port = 40000;
    const char* remote = "10.0.0.2";
    std::uint16_t remote_port = 80;
    weir_direction direction = WEIR_OUTGOING;
    const char* process = "curl";
    std::uint32_t pid = 100;
    bool peer_is_local = false;
};

inline weir_conn_id make_id(const Ends& ends) {
    weir_conn_id id{};
    const Address local = *Address::parse(ends.local), remote = *Address::parse(ends.remote);
    std::copy(local.bytes.begin(), local.bytes.end(), id.local);
    std::copy(remote.bytes.begin(), remote.bytes.end(), id.remote);
    id.netns = 4026531840;
    id.pid = ends.pid;
    id.local_port = ends.local_port;
    id.remote_port = ends.remote_port;
    id.transport = IPPROTO_TCP;
    id.direction = static_cast<__u8>(ends.direction);
    id.owner = WEIR_OWNER_EXACT;
    id.peer_is_local = ends.peer_is_local;
    std::memcpy(id.process, ends.process, strnlen(ends.process, sizeof(id.process)));
    return id;
}

inline weir_tcp_record make_tcp(const Ends& ends, std::uint32_t flags, std::uint64_t sent,
                                std::uint64_t received) {
    weir_tcp_record record{};
    record.kind = WEIR_RECORD_TCP;
    record.flags = flags;
    record.id = make_id(ends);
    record.bytes_sent = sent;
    record.bytes_received = received;
    return record;
}

inline weir_udp_record make_udp(const Ends& ends, std::uint64_t sent, std::uint64_t received) {
    weir_udp_record record{};
    record.kind = WEIR_RECORD_UDP;
    record.id = make_id(ends);
    record.id.transport = IPPROTO_UDP;
    record.bytes_sent = sent;
    record.bytes_received = received;
    record.datagrams_sent = sent != 0;
    record.datagrams_received = received != 0;
    return record;
}

// The record's head is "METHOD path".
inline weir_http_record make_http(const Ends& ends, std::string_view method, std::string_view path,
                                  std::uint16_t status, std::uint64_t latency) {
    weir_http_record record{};
    record.kind = WEIR_RECORD_HTTP;
    record.status = status;
    record.flags = ends.direction == WEIR_INCOMING ? WEIR_HTTP_SERVER : 0;
    record.version = 11;
    record.id = make_id(ends);
    record.count = 1;
    record.latencies = status != 0;
    record.latency_sum = record.latency_max = latency;
    record.request_bytes = 100;
    record.response_bytes = 1000;
    record.method_len = static_cast<__u8>(method.size());
    const std::string head = std::string(method) + " " + std::string(path);
    record.head_len = static_cast<__u16>(std::min(head.size(), sizeof(record.head)));
    std::copy_n(head.begin(), record.head_len, record.head);
    return record;
}

inline std::string_view head_of(const weir_http_record& record) { return {record.head, record.head_len}; }

}  // namespace weir::test
