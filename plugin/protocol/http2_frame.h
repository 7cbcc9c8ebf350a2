// Frame headers of HTTP/2 (RFC 9113, sections 4.1 and 6). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::protocol {

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kFrameHeaderSize = 9;

enum class FrameType : std::uint8_t {
    data = 0,
    headers = 1,
    priority = 2,
    rst_stream = 3,
    settings = 4,
    push_promise = 5,
    ping = 6,
    goaway = 7,
    window_update = 8,
    continuation = 9,
};

enum FrameFlags : std::uint8_t {
    kEndStream = 0x1,  // of DATA and HEADERS
    kAck = 0x1,        // of SETTINGS and PING
    kEndHeaders = 0x4,
    kPadded = 0x8,
    kHasPriority = 0x20,
};

struct FrameHeader {
    std::uint32_t length = 0;          // of the payload
    FrameType type = FrameType::data;  // may be none of the named ones: such frames are ignored
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;

    bool has(FrameFlags flag) const { return (flags & flag) != 0; }
};

// Stream identifiers have 31 bits.
inline constexpr std::uint32_t kStreamMask = 0x7fffffff;

// `bytes` holds at least 4 bytes: the first ones, big-endian.
std::uint32_t read_number(std::string_view bytes);

// `bytes` holds at least kFrameHeaderSize bytes.
FrameHeader read_frame_header(std::string_view bytes);

// What every peer must accept: lengths and streams as the type demands.
bool is_valid(const FrameHeader& frame);

// Where in `bytes`, taken out of the middle of a connection, a frame begins: the first place from which
// frames follow each other to the end of the bytes. npos when there is none that is sure enough; a
// single frame is enough when it begins or ends with the bytes, as what is sent by one call does.
std::size_t find_frame(std::string_view bytes);

}  // namespace weir::protocol
