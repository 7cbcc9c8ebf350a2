// One HTTP/2 connection (RFC 9113), read from outside: pieces of the bytes of both directions go in,
// requests with what was answered come out, gRPC's status included.
//
// The bytes may begin in the middle of the connection, and some may be missing:
// - A direction that was joined late, or lost bytes, is searched for the next frame (see http2_side.h).
//   Headers that refer to what was sent before are unknown (see hpack.h): such a request has the path
//   "unknown" when its path is one of them, and the next one whose headers are spelled out is whole
//   again. HPACK permits no more. A request that began before the connection was joined is not reported.
// - Clients number their requests one after the other. What a loss hid in the client's direction shows
//   as a hole in the numbers, and those requests are reported with the path "unknown", so that their
//   number stays right; no more of them than the lost bytes can hold.
//
// Pushed streams are followed only as far as decompression needs it. Bytes that belong to no stream
// (settings, pings, windows, pushes) go with the next request that is reported, so the bytes of all
// requests add up to those of the connection.
//
// Bounded by Http2StreamLimits and the budget; whatever does not fit is reported with less detail, and
// counted. Not thread-safe; no clock and no I/O.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/protocol/http2_side.h"
#include "plugin/protocol/memory_budget.h"

namespace weir::protocol {

struct Http2Piece {
    bool from_client = false;
    std::uint64_t time_ns = 0;  // any monotonic clock
    std::uint64_t offset = 0;   // of the first byte, in this direction of the connection
    std::string_view bytes;
};

inline constexpr std::string_view kUnknown = "unknown";

// Text is valid during the call, and hostile.
struct Http2Request {
    std::string_view method;      // kUnknown when it was not seen
    std::string_view path;        // see Http2Headers; kUnknown when it was not seen
    bool path_truncated = false;  // longer than kMaxHttp2Path
    std::uint16_t status = 0;     // 0 = no response, or its status was not seen
    std::int16_t grpc_status = kNoGrpcStatus;
    std::uint64_t count = 1;        // 0: only bytes of a request that is reported later
    std::uint64_t begin_ns = 0;     // first byte of the request; 0 = not seen
    std::uint64_t response_ns = 0;  // first byte of the response, never before begin_ns; 0 = none seen
    std::uint64_t end_ns = 0;       // last frame
    std::uint64_t request_bytes = 0;
    std::uint64_t response_bytes = 0;
};

enum class Http2Loss : std::uint8_t {
    bytes_missing,    // bytes of a direction were lost, or made no sense
    headers_unknown,  // a request whose method, path or status refers to what was not seen
    streams_full,     // a request was reported before its response came, to make room
};

class Http2Sink {
public:
    virtual ~Http2Sink() = default;
    virtual void on_request(const Http2Request& request) = 0;
    virtual void on_loss(Http2Loss loss, std::uint64_t n) = 0;
};

struct Http2StreamLimits {
    std::size_t streams = 1024;                 // of a connection at once
    std::uint64_t damaged_ns = 30'000'000'000;  // how long a request whose end may be lost is waited for
};

class Http2Connection final : private Http2Side::Events {
public:
    // The budget and the sink must outlive the connection; the sink is called from within the calls below.
    Http2Connection(MemoryBudget& budget, Http2Sink& sink, Http2StreamLimits limits = {});
    ~Http2Connection() override;
    Http2Connection(const Http2Connection&) = delete;
    Http2Connection& operator=(const Http2Connection&) = delete;

    // The connection began as HTTP/1.1, and the request that was upgraded is stream 1 (RFC 7540, section
    // 3.2): what it was, its bytes included, or nothing when it is not to be reported.
    void begin_upgraded(const Http2Request* request);

    void feed(const Http2Piece& piece);

    // Reports the bytes so far of requests that are being answered, and requests whose end seems lost.
    void flush(std::uint64_t now_ns);

    // Reports what is left.
    void close();

    std::size_t stream_count() const { return streams_.size(); }

private:
    struct Stream {
        std::string method, path;
        std::uint64_t begin_ns = 0, response_ns = 0, last_ns = 0;
        std::uint64_t request_bytes = 0, response_bytes = 0;  // not reported yet
        std::uint16_t status = 0;
        std::int16_t grpc_status = kNoGrpcStatus;
        bool truncated = false;
        bool has_request = false;
        bool has_response = false;
        bool has_ended = false;   // answered before its request was seen
        bool is_damaged = false;  // bytes were lost while it was open
    };
    using Streams = tsl::robin_map<std::uint32_t, Stream>;
    static constexpr std::size_t kStreamCost = sizeof(Streams::value_type) + kMaxHttp2Path;

    void on_bytes(Http2Side& side, std::uint32_t stream, std::uint64_t n) override;
    void on_block(Http2Side& side, const Http2Side::Block& block) override;
    void on_end_stream(Http2Side& side, std::uint32_t stream) override;
    void on_reset(std::uint32_t stream) override;
    void on_goaway(Http2Side& side, std::uint32_t last_stream) override;
    void on_missing(Http2Side& side) override;

    bool on_request_block(const Http2Side::Block& block);
    bool on_response_block(const Http2Side::Block& block);
    void fill(Stream& stream, const Http2Side::Block& block);
    Stream* find(std::uint32_t id);
    Stream* find_or_begin(std::uint32_t id);
    bool knows_requests() const;
    void note_request(std::uint32_t id);
    void add_hidden_requests(std::uint32_t until);
    void keep(std::uint32_t id, Stream stream);
    void end_response(std::uint32_t id, Stream& stream);
    void report(Stream& stream, std::uint64_t count);
    void finish(std::uint32_t id);
    template <typename Predicate>
    void finish_where(Predicate is_over);
    std::uint64_t now_ns() const;

    MemoryBudget& budget_;
    Http2Sink& sink_;
    const Http2StreamLimits limits_;
    Http2Side client_, server_;
    Streams streams_;
    std::uint32_t next_stream_ = 1;   // the lowest request not accounted for
    bool is_hiding_ = false;          // bytes of the client's direction were lost since then
    std::uint64_t hidden_bytes_ = 0;  // of it since then, as far as they belong to no stream
    std::uint64_t loose_request_bytes_ = 0, loose_response_bytes_ = 0;
};

}  // namespace weir::protocol
