#include <algorithm>
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
    sink.on_http(record, {record.head, head});
    return true;
}

}  // namespace

bool dispatch_record(const void* data, std::size_t size, RecordSink& sink) {
    std::uint32_t kind = 0;
    if (size < sizeof(kind)) return false;
    std::memcpy(&kind, data, sizeof(kind));
    if (kind == WEIR_RECORD_HTTP) return dispatch_http(data, size, sink);
    if (kind != WEIR_RECORD_TCP || size < sizeof(weir_tcp_record)) return false;
    weir_tcp_record record;
    std::memcpy(&record, data, sizeof(record));
    sink.on_tcp(record);
    return true;
}

}  // namespace weir
