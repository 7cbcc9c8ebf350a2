#include "plugin/protocol/http2_frame.h"

namespace weir::protocol {
namespace {

// What frames that anybody sends look like. Bytes that are no frames must not pass for one.
constexpr std::uint32_t kUsualLength = 1u << 20;
constexpr std::uint32_t kUsualStream = 1u << 28;
constexpr std::size_t kSureFrames = 8;  // in a row are beyond doubt
// Frames of other types are as long as every peer must accept, section 4.2.
constexpr std::uint32_t kMaxExtension = 1u << 14;

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

std::uint8_t defined_flags(FrameType type) {
    switch (type) {
        case FrameType::data: return kEndStream | kPadded;
        case FrameType::headers: return kEndStream | kEndHeaders | kPadded | kHasPriority;
        case FrameType::push_promise: return kEndHeaders | kPadded;
        case FrameType::continuation: return kEndHeaders;
        case FrameType::settings:
        case FrameType::ping: return kAck;
        default: return 0;
    }
}

bool is_usual(const FrameHeader& frame) {
    return frame.type <= FrameType::continuation && is_valid(frame) && frame.length <= kUsualLength &&
           frame.stream < kUsualStream && (frame.flags & ~defined_flags(frame.type)) == 0;
}

// Frames that begin in `bytes` one after the other; 0 when something there is none.
std::size_t count_frames(std::string_view bytes, bool& ends_with_bytes) {
    std::size_t count = 0;
    while (bytes.size() >= kFrameHeaderSize && count < kSureFrames) {
        const FrameHeader frame = read_frame_header(bytes);
        // the reserved bit of the stream is never set
        if (!is_usual(frame) || (byte_at(bytes, 5) & 0x80) != 0) return 0;
        count++;
        const std::size_t size = kFrameHeaderSize + frame.length;
        if (size > bytes.size()) return count;
        bytes.remove_prefix(size);
    }
    ends_with_bytes = bytes.empty();
    return count;
}

}  // namespace

std::uint32_t read_number(std::string_view bytes) {
    return byte_at(bytes, 0) << 24 | byte_at(bytes, 1) << 16 | byte_at(bytes, 2) << 8 | byte_at(bytes, 3);
}

FrameHeader read_frame_header(std::string_view bytes) {
    FrameHeader frame;
    frame.length = byte_at(bytes, 0) << 16 | byte_at(bytes, 1) << 8 | byte_at(bytes, 2);
    frame.type = static_cast<FrameType>(byte_at(bytes, 3));
    frame.flags = static_cast<std::uint8_t>(byte_at(bytes, 4));
    frame.stream = read_number(bytes.substr(5)) & kStreamMask;
    return frame;
}

bool is_valid(const FrameHeader& frame) {
    switch (frame.type) {
        case FrameType::data:
        case FrameType::continuation: return frame.stream != 0;
        case FrameType::headers:
            return frame.stream != 0 &&
                   frame.length >= (frame.has(kPadded) ? 1u : 0u) + (frame.has(kHasPriority) ? 5u : 0u);
        case FrameType::priority: return frame.stream != 0 && frame.length == 5;
        case FrameType::rst_stream: return frame.stream != 0 && frame.length == 4;
        case FrameType::settings:
            return frame.stream == 0 && frame.length % 6 == 0 && (!frame.has(kAck) || frame.length == 0);
        case FrameType::push_promise:
            return frame.stream != 0 && frame.length >= 4u + (frame.has(kPadded) ? 1u : 0u);
        case FrameType::ping: return frame.stream == 0 && frame.length == 8;
        case FrameType::goaway: return frame.stream == 0 && frame.length >= 8;
        case FrameType::window_update: return frame.length == 4;
    }
    return frame.length <= kMaxExtension;
}

std::size_t find_frame(std::string_view bytes) {
    for (std::size_t at = 0; at + kFrameHeaderSize <= bytes.size(); at++) {
        bool ends_with_bytes = false;
        const std::size_t count = count_frames(bytes.substr(at), ends_with_bytes);
        if (count >= 2 || (count == 1 && (at == 0 || ends_with_bytes))) return at;
    }
    return std::string_view::npos;
}

}  // namespace weir::protocol
