// What a header block of HTTP/2 says that matters to Weir: pseudo-headers and gRPC's status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/protocol/hpack.h"

namespace weir::protocol {

inline constexpr std::size_t kMaxHttp2Path = 256;
inline constexpr std::size_t kMaxHttp2Method = 32;
inline constexpr std::int16_t kNoGrpcStatus = -1;

class Http2Headers final : public HeaderSink {
public:
    void on_header(std::string_view name, std::string_view value) override;
    // For the next block; keeps its memory.
    void clear();

    // Not trailers, as far as can be told.
    bool is_request() const { return has_method || has_path || has_authority || has_unknown; }
    bool is_response() const { return status != 0 || has_unknown; }

    std::string method;
    std::string path;  // without query string; the authority for CONNECT
    std::uint16_t status = 0;
    std::int16_t grpc_status = kNoGrpcStatus;
    bool has_method = false;
    bool has_path = false;
    bool has_authority = false;
    bool has_unknown = false;  // a header that refers to what was not seen
    bool truncated = false;    // the path

private:
    void set_path(std::string_view text);
};

}  // namespace weir::protocol
