// Drives the kernel side's HTTP programs, compiled for user space, over a connection's bytes, and reads
// what they report.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bpf/events.h"
#include "plugin/protocol/http_request.h"
#include "plugin/source/source.h"
#include "tests/unit/bpf/http_native.h"

namespace weir::test {

// What was reported, added up: "METHOD path status", as often as it was counted.
class Reported final : public RecordSink {
public:
    void on_tcp(const weir_tcp_record&) override {}
    void on_udp(const weir_udp_record&) override {}
    void on_dns(const weir_dns_record&, std::span<const std::uint8_t>) override {}
    void on_http(const weir_http_record& record, std::string_view head) override {
        bytes += record.request_bytes + record.response_bytes;
        is_sound = is_sound && record.count <= WEIR_HTTP_LATENCIES_MAX && record.latencies <= record.count &&
                   record.latency_max <= record.latency_sum && head.find('?') == std::string_view::npos;
        if (record.count == 0) return;
        const auto request = protocol::parse_request_head(head, record.method_len);
        is_sound = is_sound && request.has_value();
        if (!request) return;
        requests[std::string(request->method) + " " + std::string(request->path) + " " +
                 std::to_string(record.status)] += record.count;
    }

    std::map<std::string, std::uint64_t> requests;
    std::uint64_t bytes = 0;
    bool is_sound = true;
};

// One end of a connection. What it reports goes to `sink`.
class NativeEnd {
public:
    NativeEnd(bool is_server, bool is_late, RecordSink& sink)
        : is_server_(is_server), conn_(native_open(is_server, is_late, take, &sink)) {}
    ~NativeEnd() { close(); }
    NativeEnd(const NativeEnd&) = delete;
    NativeEnd& operator=(const NativeEnd&) = delete;

    // Each call gets a block of its own, so that a sanitizer sees who reads beyond its bytes.
    void call(bool from_client, std::string_view bytes) { call(from_client, std::vector{bytes}); }
    void call(bool from_client, const std::vector<std::string_view>& parts) {
        std::vector<std::vector<char>> blocks;
        std::vector<iovec> vectors;
        for (const std::string_view part : parts) blocks.emplace_back(part.begin(), part.end());
        for (std::vector<char>& block : blocks) vectors.push_back({block.data(), block.size()});
        native_call(conn_, from_client == is_server_, vectors.data(), vectors.size());
    }
    void unreadable(bool from_client, std::size_t n) {
        native_unreadable_call(conn_, from_client == is_server_, static_cast<std::uint32_t>(n));
    }
    void unseen(std::size_t n) { native_unseen(conn_, static_cast<std::uint32_t>(n)); }
    void walk() { native_walk(conn_); }
    void close() {
        if (conn_ != nullptr) native_close(std::exchange(conn_, nullptr));
    }

private:
    static void take(void* sink, const void* record, std::size_t size) {
        auto& out = *static_cast<RecordSink*>(sink);
        if (!dispatch_record(record, size, out)) std::abort();
    }

    const bool is_server_;
    native_conn* conn_;
};

}  // namespace weir::test
