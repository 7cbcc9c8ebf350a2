#include "plugin/protocol/http2.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::protocol {
namespace {

// A HEADERS frame with one byte of payload.
constexpr std::uint64_t kSmallestRequest = kFrameHeaderSize + 1;

}  // namespace

Http2Connection::Http2Connection(MemoryBudget& budget, Http2Sink& sink, Http2StreamLimits limits)
    : budget_(budget),
      sink_(sink),
      limits_(limits),
      client_(true, budget, *this),
      server_(false, budget, *this) {}

Http2Connection::~Http2Connection() { budget_.give_back(streams_.size() * kStreamCost); }

void Http2Connection::begin_upgraded(const Http2Request* request) {
    note_request(1);
    if (request == nullptr) return;
    Stream stream;
    stream.method = request->method;
    stream.path = request->path;
    stream.truncated = request->path_truncated;
    stream.begin_ns = stream.last_ns = request->begin_ns;
    stream.request_bytes = request->request_bytes;
    stream.response_bytes = request->response_bytes;
    stream.has_request = true;
    keep(1, std::move(stream));
}

void Http2Connection::feed(const Http2Piece& piece) {
    (piece.from_client ? client_ : server_).feed(piece.offset, piece.bytes, piece.time_ns);
}

void Http2Connection::flush(std::uint64_t now_ns) {
    finish_where([&](std::uint32_t, const Stream& stream) {
        return (stream.is_damaged || stream.has_ended) && now_ns > stream.last_ns + limits_.damaged_ns;
    });
    for (auto at = streams_.begin(); at != streams_.end(); ++at) {
        Stream& stream = at.value();
        if (stream.has_request && stream.has_response && stream.request_bytes + stream.response_bytes != 0) {
            report(stream, 0);
        }
    }
}

void Http2Connection::close() {
    finish_where([](std::uint32_t, const Stream&) { return true; });
}

void Http2Connection::on_bytes(Http2Side& side, std::uint32_t id, std::uint64_t n) {
    Stream* const stream = id == 0 ? nullptr : find(id);
    if (stream != nullptr) {
        (side.from_client() ? stream->request_bytes : stream->response_bytes) += n;
        stream->last_ns = side.now_ns();
        return;
    }
    (side.from_client() ? loose_request_bytes_ : loose_response_bytes_) += n;
    if (side.from_client()) hidden_bytes_ += n;
}

void Http2Connection::on_block(Http2Side& side, const Http2Side::Block& block) {
    // streams with even numbers are pushed
    const bool is_request = !block.is_promise && block.stream % 2 == 1;
    if (is_request && (side.from_client() ? on_request_block(block) : on_response_block(block))) return;
    on_bytes(side, 0, block.bytes);
}

// False when the block is of no request that is followed.
bool Http2Connection::on_request_block(const Http2Side::Block& block) {
    const Http2Headers& headers = block.headers;
    Stream* stream = find(block.stream);
    if (stream == nullptr) {
        // trailers come without a method
        const bool is_new = block.stream >= next_stream_ && (headers.is_request() || block.is_lost);
        if (!is_new) return false;
        if (is_hiding_) add_hidden_requests(block.stream);
        note_request(block.stream);
        Stream fresh;
        fill(fresh, block);
        keep(block.stream, std::move(fresh));
        return true;
    }
    if (stream->begin_ns == 0 && headers.is_request()) {
        fill(*stream, block);
    } else {
        stream->request_bytes += block.bytes;
    }
    note_request(block.stream);
    if (stream->has_ended) finish(block.stream);
    return true;
}

void Http2Connection::fill(Stream& stream, const Http2Side::Block& block) {
    const Http2Headers& headers = block.headers;
    stream.has_request = true;
    stream.begin_ns = block.begin_ns;
    stream.last_ns = now_ns();
    stream.request_bytes += block.bytes;
    stream.method = headers.method;
    // without a path, only CONNECT has its authority for one
    if (headers.has_path || headers.method == "CONNECT") stream.path = headers.path;
    stream.truncated = headers.truncated;
}

bool Http2Connection::on_response_block(const Http2Side::Block& block) {
    const Http2Headers& headers = block.headers;
    Stream* const stream = find_or_begin(block.stream);
    if (stream == nullptr) return false;
    stream->response_bytes += block.bytes;
    stream->last_ns = now_ns();
    const bool is_interim = headers.status >= 100 && headers.status < 200;
    if (!stream->has_response && !is_interim) {
        stream->has_response = true;
        stream->status = headers.status;
        // trailers, when the begin of the response is lost
        const bool is_trailers = stream->is_damaged && !headers.is_response();
        if (!is_trailers) stream->response_ns = block.begin_ns;
    }
    if (headers.grpc_status != kNoGrpcStatus) stream->grpc_status = headers.grpc_status;
    if (block.end_stream) end_response(block.stream, *stream);
    return true;
}

void Http2Connection::on_end_stream(Http2Side& side, std::uint32_t id) {
    if (side.from_client()) return;
    if (Stream* const stream = find(id)) end_response(id, *stream);
}

void Http2Connection::on_reset(std::uint32_t id) { finish(id); }

// What the server has not begun it will not do any more (section 6.8).
void Http2Connection::on_goaway(Http2Side& side, std::uint32_t last_stream) {
    if (side.from_client()) return;
    finish_where(
        [&](std::uint32_t id, const Stream& stream) { return id > last_stream && !stream.has_response; });
}

void Http2Connection::on_missing(Http2Side& side) {
    sink_.on_loss(Http2Loss::bytes_missing, 1);
    if (side.from_client()) is_hiding_ = true;
    for (auto at = streams_.begin(); at != streams_.end(); ++at) at.value().is_damaged = true;
}

Http2Connection::Stream* Http2Connection::find(std::uint32_t id) {
    const auto at = streams_.find(id);
    return at == streams_.end() ? nullptr : &at.value();
}

// The stream of a response. One whose request was not seen is a request that is lost, or one whose
// bytes are still to come: both ends of a socket may be at work at once.
Http2Connection::Stream* Http2Connection::find_or_begin(std::uint32_t id) {
    if (Stream* const stream = find(id)) return stream;
    if (id < next_stream_ || !knows_requests()) return nullptr;
    if (is_hiding_) add_hidden_requests(id + 2);
    if (Stream* const stream = find(id)) return stream;
    Stream early;
    early.last_ns = now_ns();
    keep(id, std::move(early));
    return find(id);
}

// False as long as a connection that was joined midway has not shown how far it has come.
bool Http2Connection::knows_requests() const { return client_.has_begin() || next_stream_ != 1; }

void Http2Connection::note_request(std::uint32_t id) {
    next_stream_ = std::max(next_stream_, id + 2);
    hidden_bytes_ = 0;
    is_hiding_ = false;
}

// The requests between those accounted for and `until`: as many as the lost bytes can hold. Responses may
// have shown some of them already.
void Http2Connection::add_hidden_requests(std::uint32_t until) {
    std::uint64_t between = knows_requests() ? (until - next_stream_) / 2 : 0;
    for (auto at = streams_.begin(); at != streams_.end(); ++at) {
        if (at->second.has_request || at->first >= until) continue;
        at.value().has_request = true;
        if (between != 0) between--;
    }
    const std::uint64_t hidden = std::min(between, hidden_bytes_ / kSmallestRequest);
    std::uint64_t kept =
        std::min<std::uint64_t>(hidden, limits_.streams - std::min(limits_.streams, streams_.size()));
    Stream rest;
    if (hidden > kept) report(rest, hidden - kept);
    for (std::uint32_t id = until - 2; kept != 0 && id >= next_stream_; id -= 2) {
        if (find(id) != nullptr) continue;
        Stream stream;
        stream.has_request = stream.is_damaged = true;
        stream.last_ns = now_ns();
        keep(id, std::move(stream));
        kept--;
    }
    if (hidden != 0) note_request(until - 2);
    finish_where([](std::uint32_t, const Stream& stream) { return stream.has_ended && stream.has_request; });
}

// Keeps a stream that is new, or reports it at once when there is no room at all.
void Http2Connection::keep(std::uint32_t id, Stream stream) {
    while (!streams_.empty() &&
           (streams_.size() >= limits_.streams || budget_.limit() - budget_.used() < kStreamCost)) {
        const auto oldest = std::min_element(streams_.begin(), streams_.end(),
                                             [](const auto& a, const auto& b) { return a.first < b.first; });
        sink_.on_loss(Http2Loss::streams_full, 1);
        finish(oldest->first);
    }
    if (budget_.take(kStreamCost)) {
        streams_.emplace(id, std::move(stream));
    } else {
        sink_.on_loss(Http2Loss::streams_full, 1);
        report(stream, 1);
    }
}

void Http2Connection::end_response(std::uint32_t id, Stream& stream) {
    if (stream.has_request) {
        finish(id);
    } else {
        stream.has_ended = true;
    }
}

void Http2Connection::finish(std::uint32_t id) {
    const auto at = streams_.find(id);
    if (at == streams_.end()) return;
    Stream stream = std::move(at.value());
    streams_.erase(at);
    budget_.give_back(kStreamCost);
    report(stream, 1);
}

template <typename Predicate>
void Http2Connection::finish_where(Predicate is_over) {
    std::vector<std::uint32_t> over;
    for (const auto& [id, stream] : streams_) {
        if (is_over(id, stream)) over.push_back(id);
    }
    std::sort(over.begin(), over.end());
    for (const std::uint32_t id : over) finish(id);
}

void Http2Connection::report(Stream& stream, std::uint64_t count) {
    Http2Request request;
    request.method = stream.method.empty() ? kUnknown : std::string_view(stream.method);
    request.path = stream.path.empty() ? kUnknown : std::string_view(stream.path);
    request.path_truncated = stream.truncated;
    request.status = stream.status;
    request.grpc_status = stream.grpc_status;
    request.count = count;
    request.begin_ns = stream.begin_ns;
    request.response_ns = stream.response_ns == 0 ? 0 : std::max(stream.response_ns, stream.begin_ns);
    request.end_ns = stream.last_ns;
    request.request_bytes = std::exchange(stream.request_bytes, 0) + std::exchange(loose_request_bytes_, 0);
    request.response_bytes =
        std::exchange(stream.response_bytes, 0) + std::exchange(loose_response_bytes_, 0);
    const bool is_unknown =
        stream.method.empty() || stream.path.empty() || (stream.has_response && stream.status == 0);
    if (is_unknown && count != 0) sink_.on_loss(Http2Loss::headers_unknown, count);
    sink_.on_request(request);
}

std::uint64_t Http2Connection::now_ns() const { return std::max(client_.now_ns(), server_.now_ns()); }

}  // namespace weir::protocol
