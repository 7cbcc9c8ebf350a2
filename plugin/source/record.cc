#include <algorithm>
#include <cstdint>
#include <cstring>

#include "plugin/source/source.h"

namespace weir {
namespace {

bool dispatch_http(const void* data, std::size_t size, RecordSink& sink) {
    constexpr std::size_t kFixed = offsetof(weir_http_record, head);
    if (size < kFixed) return false;
    weir_http_record record{};
    std::memcpy(&record, data, std::min(size, sizeof(record)));
    const std::size_t head = record.head_len;
    // the ring rounds sizes up, so more may have come than is in use
    if (head > sizeof(record.head) || kFixed + head > size) return false;
    if (record.count > 1 && size < sizeof(record)) return false;
    if (record.latencies > WEIR_HTTP_LATENCIES_MAX) return false;
    sink.on_http(record, {record.head, head});
    return true;
}

// Records that end in data, which stays where it is.
template <typename Record>
bool dispatch_with_data(const void* data, std::size_t size, RecordSink& sink,
                        void (RecordSink::*take)(const Record&, std::span<const std::uint8_t>)) {
    constexpr std::size_t kFixed = offsetof(Record, data);
    if (size < kFixed) return false;
    Record record;
    std::memcpy(&record, data, kFixed);
    if (record.len > sizeof(record.data) || kFixed + record.len > size) return false;
    (sink.*take)(record, {static_cast<const std::uint8_t*>(data) + kFixed, record.len});
    return true;
}

template <typename Record>
bool dispatch_fixed(const void* data, std::size_t size, RecordSink& sink,
                    void (RecordSink::*take)(const Record&)) {
    if (size < sizeof(Record)) return false;
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(Record) == 0) {  // always so in the ring
        (sink.*take)(*static_cast<const Record*>(data));
        return true;
    }
    Record record;
    std::memcpy(&record, data, sizeof(record));
    (sink.*take)(record);
    return true;
}

}  // namespace

bool dispatch_record(const void* data, std::size_t size, RecordSink& sink) {
    std::uint32_t kind = 0;
    if (size < sizeof(kind)) return false;
    std::memcpy(&kind, data, sizeof(kind));
    switch (kind) {
        case WEIR_RECORD_TCP: return dispatch_fixed(data, size, sink, &RecordSink::on_tcp);
        case WEIR_RECORD_HTTP: return dispatch_http(data, size, sink);
        case WEIR_RECORD_UDP: return dispatch_fixed(data, size, sink, &RecordSink::on_udp);
        case WEIR_RECORD_DNS: return dispatch_with_data(data, size, sink, &RecordSink::on_dns);
        case WEIR_RECORD_CHUNK: return dispatch_with_data(data, size, sink, &RecordSink::on_chunk);
        default: return false;
    }
}

}  // namespace weir
