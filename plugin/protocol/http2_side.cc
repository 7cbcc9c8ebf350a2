#include "plugin/protocol/http2_side.h"

#include <algorithm>
#include <utility>

namespace weir::protocol {
namespace {

// Bytes of a payload that are read for themselves: padding's length and priority, the promised stream,
// a reset's reason, the last stream of GOAWAY.
std::uint32_t prefix_size(const FrameHeader& frame) {
    const std::uint32_t padding = frame.has(kPadded) ? 1 : 0;
    switch (frame.type) {
        case FrameType::headers: return padding + (frame.has(kHasPriority) ? 5 : 0);
        case FrameType::push_promise: return padding + 4;
        case FrameType::rst_stream:
        case FrameType::goaway: return 4;
        default: return 0;
    }
}

}  // namespace

void Http2Side::feed(std::uint64_t offset, std::string_view bytes, std::uint64_t time_ns) {
    now_ns_ = std::max(now_ns_, time_ns);
    if (!has_bytes_) next_offset_ = offset;
    has_bytes_ = true;
    if (offset < next_offset_) {  // seen already
        bytes.remove_prefix(
            static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), next_offset_ - offset)));
    } else if (offset > next_offset_) {
        if (!skip_missing(offset - next_offset_)) lose();
        next_offset_ = offset;
    }
    next_offset_ += bytes.size();
    while (!bytes.empty()) bytes.remove_prefix(step(bytes));
}

// Whether the missing bytes belong to a payload that is not read.
bool Http2Side::skip_missing(std::uint64_t missing) {
    if (state_ == State::skip && missing <= skip_) {
        skip(static_cast<std::size_t>(missing));
        return true;
    }
    events_.on_bytes(*this, 0, missing);
    return false;
}

// Takes at least one byte.
std::size_t Http2Side::step(std::string_view bytes) {
    switch (state_) {
        case State::begin: return begin(bytes);
        case State::seek: return seek(bytes);
        case State::header: return read_header(bytes);
        case State::prefix: return read_prefix(bytes);
        case State::fragment: return read_fragment(bytes);
        case State::skip: return skip(bytes.size());
    }
    return bytes.size();
}

// Puts pieces together until `wanted` bytes are held; how many were taken.
std::size_t Http2Side::hold(std::string_view bytes, std::size_t wanted) {
    const std::size_t n = std::min(bytes.size(), wanted - held_size_);
    std::copy_n(bytes.begin(), n, held_.begin() + static_cast<std::ptrdiff_t>(held_size_));
    held_size_ += n;
    return n;
}

// A client begins with its preface, a server with its settings. What begins otherwise was joined midway.
std::size_t Http2Side::begin(std::string_view bytes) {
    const std::size_t before = held_size_;
    if (before == 0) frame_ns_ = now_ns_;
    const std::size_t taken = hold(bytes, from_client_ ? kHttp2Preface.size() : kFrameHeaderSize);
    const std::string_view held(held_.data(), held_size_);
    bool is_begin = from_client_ && kHttp2Preface.starts_with(held);
    if (is_begin && held.size() == kHttp2Preface.size()) {
        held_size_ = 0;
        state_ = State::header;
        events_.on_bytes(*this, 0, held.size());
    } else if (!from_client_ && held.size() < kFrameHeaderSize) {
        is_begin = true;
    } else if (!from_client_) {
        const FrameHeader first = read_frame_header(held);
        is_begin = first.type == FrameType::settings && !first.has(kAck) && is_valid(first);
        if (is_begin) begin_frame();
    }
    if (is_begin) return taken;
    inflater_.forget();
    has_begin_ = false;
    state_ = State::seek;
    held_size_ = 0;
    events_.on_bytes(*this, 0, before);  // came before this piece and cannot be searched any more
    return seek(bytes);
}

std::size_t Http2Side::seek(std::string_view bytes) {
    if (const std::size_t at = from_client_ ? bytes.find(kHttp2Preface) : std::string_view::npos;
        at != std::string_view::npos) {
        inflater_.restart();
        has_begin_ = true;
        state_ = State::header;
        events_.on_bytes(*this, 0, at + kHttp2Preface.size());
        return at + kHttp2Preface.size();
    }
    const std::size_t at = find_frame(bytes);
    if (at == std::string_view::npos) {
        events_.on_bytes(*this, 0, bytes.size());
        return bytes.size();
    }
    events_.on_bytes(*this, 0, at);
    state_ = State::header;
    return at + read_header(bytes.substr(at));
}

std::size_t Http2Side::read_header(std::string_view bytes) {
    if (held_size_ == 0) frame_ns_ = now_ns_;
    const std::size_t taken = hold(bytes, kFrameHeaderSize);
    if (held_size_ == kFrameHeaderSize) begin_frame();
    return taken;
}

void Http2Side::begin_frame() {
    held_size_ = 0;
    is_payload_counted_ = false;
    frame_ = read_frame_header({held_.data(), kFrameHeaderSize});
    const bool continues = frame_.type == FrameType::continuation;
    if (!is_valid(frame_) || (block_.is_open && (!continues || frame_.stream != block_.stream))) {
        events_.on_bytes(*this, 0, kFrameHeaderSize);
        lose();
        return;
    }
    prefix_ = prefix_size(frame_);
    fragment_ = 0;
    skip_ = frame_.length - prefix_;
    if (frame_.type == FrameType::headers || frame_.type == FrameType::push_promise) {
        open_block();
    } else if (continues && block_.is_open) {
        fragment_ = std::exchange(skip_, 0);
    } else if (continues) {
        inflater_.forget();  // the rest of a block whose begin is lost
    }
    add_bytes(kFrameHeaderSize);
    if (frame_.type == FrameType::data && frame_.has(kEndStream)) {
        // nothing may come any more in this direction that would show the payload's end
        add_bytes(frame_.length);
        is_payload_counted_ = true;
        events_.on_end_stream(*this, frame_.stream);
    }
    advance();
}

void Http2Side::open_block() {
    block_.headers.clear();
    block_.stream = frame_.stream;
    block_.end_stream = frame_.type == FrameType::headers && frame_.has(kEndStream);
    block_.is_promise = frame_.type == FrameType::push_promise;
    block_.begin_ns = frame_ns_;
    block_.bytes = 0;
    block_.is_open = true;
    block_.is_lost = false;
    if (prefix_ == 0) fragment_ = std::exchange(skip_, 0);
}

// To the next part of the payload that has bytes left.
void Http2Side::advance() {
    if (prefix_ != 0) {
        state_ = State::prefix;
    } else if (fragment_ != 0) {
        state_ = State::fragment;
    } else if (skip_ != 0) {
        state_ = State::skip;
    } else {
        end_frame();
    }
}

std::size_t Http2Side::read_prefix(std::string_view bytes) {
    const std::size_t taken = hold(bytes, prefix_);
    add_bytes(taken);
    if (held_size_ == prefix_) end_prefix();
    return taken;
}

void Http2Side::end_prefix() {
    held_size_ = 0;
    prefix_ = 0;
    if (frame_.type == FrameType::rst_stream) {
        events_.on_reset(frame_.stream);
    } else if (frame_.type == FrameType::goaway) {
        events_.on_goaway(*this, read_number({held_.data(), 4}) & kStreamMask);
    } else {
        const std::uint32_t padding = frame_.has(kPadded) ? static_cast<unsigned char>(held_[0]) : 0;
        if (padding > skip_) {
            inflater_.forget();
            block_.is_lost = true;
        } else {
            fragment_ = std::exchange(skip_, padding) - padding;
        }
    }
    advance();
}

std::size_t Http2Side::read_fragment(std::string_view bytes) {
    const std::string_view part = bytes.substr(0, fragment_);
    if (!block_.is_lost) block_.is_lost = !inflater_.feed(part, false, block_.headers);
    fragment_ -= static_cast<std::uint32_t>(part.size());
    add_bytes(part.size());
    if (fragment_ == 0) advance();
    return part.size();
}

std::size_t Http2Side::skip(std::size_t available) {
    const std::size_t taken = std::min<std::size_t>(available, skip_);
    skip_ -= static_cast<std::uint32_t>(taken);
    if (!is_payload_counted_) add_bytes(taken);
    if (skip_ == 0) advance();
    return taken;
}

void Http2Side::add_bytes(std::uint64_t n) {
    if (block_.is_open) {
        block_.bytes += n;
    } else {
        events_.on_bytes(*this, frame_.stream, n);
    }
}

void Http2Side::end_frame() {
    state_ = State::header;
    if (block_.is_open && frame_.has(kEndHeaders)) close_block();
}

void Http2Side::close_block() {
    if (!block_.is_lost) block_.is_lost = !inflater_.feed({}, true, block_.headers);
    block_.is_open = false;
    events_.on_block(*this, block_);
}

void Http2Side::lose() {
    if (block_.is_open) events_.on_bytes(*this, 0, block_.bytes);
    block_.is_open = false;
    inflater_.forget();
    state_ = State::seek;
    held_size_ = 0;
    prefix_ = fragment_ = skip_ = 0;
    events_.on_missing(*this);
}

}  // namespace weir::protocol
