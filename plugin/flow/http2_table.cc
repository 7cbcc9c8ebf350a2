#include "plugin/flow/http2_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "plugin/protocol/http_request.h"

namespace weir {
namespace {

constexpr std::size_t kMaxHeld = 256;
constexpr std::uint16_t kSwitchingProtocols = 101;

Loss loss_of(protocol::Http2Loss loss) {
    switch (loss) {
        case protocol::Http2Loss::bytes_missing: return Loss::http2_bytes_missing;
        case protocol::Http2Loss::headers_unknown: return Loss::http2_headers_unknown;
        case protocol::Http2Loss::streams_full: break;
    }
    return Loss::http2_streams_full;
}

bool is_same_connection(const weir_conn_id& a, const weir_conn_id& b) {
    return std::memcmp(a.local, b.local, sizeof(a.local)) == 0 &&
           std::memcmp(a.remote, b.remote, sizeof(a.remote)) == 0 && a.local_port == b.local_port &&
           a.remote_port == b.remote_port && a.netns == b.netns;
}

Request request_of(const protocol::Http2Request& request, bool is_server) {
    Request out;
    out.method = request.method;
    out.path = request.path;
    out.truncated = request.path_truncated;
    out.version = HttpVersion::http2;
    out.status = request.status;
    out.grpc_status = request.grpc_status;
    out.is_server = is_server;
    out.has_latency = request.begin_ns != 0 && request.response_ns != 0;
    if (out.has_latency) out.latency_sum = out.latency_max = request.response_ns - request.begin_ns;
    out.count = request.count;
    out.begin_ns = request.begin_ns;
    if (out.has_latency && request.end_ns > request.begin_ns) out.total = request.end_ns - request.begin_ns;
    out.request_bytes = request.request_bytes;
    out.response_bytes = request.response_bytes;
    return out;
}

}  // namespace

class Http2Table::Connection final : private protocol::Http2Sink {
public:
    Connection(Http2Table& table, const weir_chunk_record& record)
        : http2(table.budget_, *this),
          cookie(record.cookie),
          id_(record.id),
          is_server_((record.flags & WEIR_CHUNK_SERVER) != 0),
          table_(table) {}

    void feed(const weir_chunk_record& record, std::span<const std::uint8_t> data) {
        id_ = record.id;  // its owner may have become known
        const bool is_received = (record.flags & WEIR_CHUNK_RX) != 0;
        http2.feed({is_received == is_server_,
                    record.time,
                    record.offset,
                    {reinterpret_cast<const char*>(data.data()), data.size()}});
    }

    protocol::Http2Connection http2;
    const std::uint64_t cookie;

private:
    void on_request(const protocol::Http2Request& request) override {
        table_.sink_.on_request(id_, request_of(request, is_server_));
    }
    void on_loss(protocol::Http2Loss loss, std::uint64_t n) override { table_.ledger_.add(loss_of(loss), n); }

    weir_conn_id id_;
    const bool is_server_;
    Http2Table& table_;
};

Http2Table::Http2Table(RequestSink& sink, Ledger& ledger, Http2Limits limits)
    : sink_(sink), ledger_(ledger), limits_(limits), budget_(limits.bytes) {}

Http2Table::~Http2Table() = default;

void Http2Table::on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) {
    if ((record.flags & WEIR_CHUNK_END) != 0) {
        if (const auto at = by_cookie_.find(record.cookie); at != by_cookie_.end()) end(at->second);
        return;
    }
    find_or_begin(record).feed(record, data);
}

Http2Table::Connection& Http2Table::find_or_begin(const weir_chunk_record& record) {
    if (const auto at = by_cookie_.find(record.cookie); at != by_cookie_.end()) {
        connections_.splice(connections_.begin(), connections_, at->second);
    } else {
        make_room();
        connections_.emplace_front(*this, record);
        by_cookie_.emplace(record.cookie, connections_.begin());
        if ((record.flags & WEIR_CHUNK_UPGRADED) != 0) begin_upgraded(connections_.front(), record);
    }
    return connections_.front();
}

void Http2Table::begin_upgraded(Connection& connection, const weir_chunk_record& record) {
    const auto held = std::find_if(held_.begin(), held_.end(), [&](const weir_http_record& candidate) {
        return is_same_connection(candidate.id, record.id);
    });
    if (held == held_.end()) {
        connection.http2.begin_upgraded(nullptr);  // reported as what it was before
        return;
    }
    const auto head = protocol::parse_request_head({held->head, held->head_len}, held->method_len);
    protocol::Http2Request request;
    if (head) request.method = head->method;
    if (head) request.path = head->path;
    request.path_truncated = (held->flags & WEIR_HTTP_PATH_TRUNCATED) != 0;
    request.begin_ns = held->time;
    request.request_bytes = held->request_bytes;
    request.response_bytes = held->response_bytes;
    connection.http2.begin_upgraded(&request);
    held_.erase(held);
}

bool Http2Table::hold(const weir_http_record& record) {
    if (record.status != kSwitchingProtocols || record.count != 1 || held_.size() >= kMaxHeld) return false;
    held_.push_back(record);
    return true;
}

std::vector<weir_http_record> Http2Table::release() { return std::exchange(held_, {}); }

void Http2Table::flush(std::uint64_t now_ns) {
    for (Connection& connection : connections_) connection.http2.flush(now_ns);
}

// Before anything has to do without: a connection that finds no memory loses its headers.
void Http2Table::make_room() {
    const std::size_t enough = limits_.bytes / 4 * 3;
    while (!connections_.empty() && (connections_.size() >= limits_.connections ||
                                     budget_.used() + connections_.size() * sizeof(Connection) > enough)) {
        ledger_.add(Loss::http2_connections_full);
        end(std::prev(connections_.end()));
    }
}

void Http2Table::end(Connections::iterator connection) {
    connection->http2.close();
    by_cookie_.erase(connection->cookie);
    connections_.erase(connection);
}

}  // namespace weir
