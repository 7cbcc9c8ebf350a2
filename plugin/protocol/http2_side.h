// One direction of an HTTP/2 connection: bytes in pieces become frames and header blocks.
//
// A direction whose begin was not seen, or that lost bytes where they matter, is searched for the next
// frame. Bytes missing from a payload that is not read (DATA) do no harm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugin/protocol/hpack.h"
#include "plugin/protocol/http2_frame.h"
#include "plugin/protocol/http2_headers.h"
#include "plugin/protocol/memory_budget.h"

namespace weir::protocol {

class Http2Side {
public:
    // A header block, in one frame or more.
    struct Block {
        Http2Headers headers;
        std::uint32_t stream = 0;
        bool end_stream = false;
        bool is_promise = false;     // of a push: belongs to the stream that is pushed
        std::uint64_t begin_ns = 0;  // time of its first byte
        std::uint64_t bytes = 0;     // of its frames
        bool is_open = false;
        bool is_lost = false;  // undecodable from some point on: what came before is there
    };

    class Events {
    public:
        virtual ~Events() = default;
        // Bytes of DATA and other frames of a stream, 0 for none. Those of blocks come with the block.
        virtual void on_bytes(Http2Side& side, std::uint32_t stream, std::uint64_t n) = 0;
        virtual void on_block(Http2Side& side, const Block& block) = 0;
        // By the header of a DATA frame, whose payload may still come, or be left out.
        virtual void on_end_stream(Http2Side& side, std::uint32_t stream) = 0;
        virtual void on_reset(std::uint32_t stream) = 0;
        virtual void on_goaway(Http2Side& side, std::uint32_t last_stream) = 0;
        // Bytes that were not seen, or made no sense; frames and headers among them are lost.
        virtual void on_missing(Http2Side& side) = 0;
    };

    Http2Side(bool from_client, MemoryBudget& budget, Events& events)
        : from_client_(from_client), events_(events), inflater_(budget) {}

    void feed(std::uint64_t offset, std::string_view bytes, std::uint64_t time_ns);

    bool from_client() const { return from_client_; }
    // The begin was seen, or may still come.
    bool has_begin() const { return has_begin_; }
    std::uint64_t now_ns() const { return now_ns_; }

private:
    enum class State : std::uint8_t {
        begin,     // nothing is known; the client's preface may have begun
        seek,      // between frames that are not known
        header,    // in a frame's header
        prefix,    // in the part of a payload that is read before or without a fragment
        fragment,  // in a part of a header block
        skip,      // in a payload, or padding, that is not read
    };

    bool skip_missing(std::uint64_t missing);
    std::size_t step(std::string_view bytes);
    std::size_t begin(std::string_view bytes);
    std::size_t seek(std::string_view bytes);
    std::size_t read_header(std::string_view bytes);
    std::size_t read_prefix(std::string_view bytes);
    std::size_t read_fragment(std::string_view bytes);
    std::size_t skip(std::size_t available);
    std::size_t hold(std::string_view bytes, std::size_t wanted);

    void begin_frame();
    void open_block();
    void advance();
    void end_prefix();
    void end_frame();
    void close_block();
    void add_bytes(std::uint64_t n);
    void lose();

    const bool from_client_;
    Events& events_;
    State state_ = State::begin;
    bool has_bytes_ = false;
    bool has_begin_ = true;
    std::uint64_t now_ns_ = 0;
    std::uint64_t next_offset_ = 0;
    FrameHeader frame_;
    std::uint64_t frame_ns_ = 0;
    std::uint32_t prefix_ = 0;    // bytes of the payload to be read before the rest
    std::uint32_t fragment_ = 0;  // bytes left
    std::uint32_t skip_ = 0;      // bytes left
    bool is_payload_counted_ = false;
    std::size_t held_size_ = 0;
    std::array<char, kHttp2Preface.size()> held_{};  // what came in pieces
    Block block_;
    HeaderInflater inflater_;
};

}  // namespace weir::protocol
