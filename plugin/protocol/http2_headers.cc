#include "plugin/protocol/http2_headers.h"

#include <algorithm>
#include <charconv>

namespace weir::protocol {
namespace {

// A decimal number of at most `digits` digits and nothing else, or -1.
std::int16_t small_number(std::string_view text, std::size_t digits) {
    std::int16_t out = 0;
    if (text.empty() || text.size() > digits || text.front() == '-') return -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? out : std::int16_t{-1};
}

}  // namespace

void Http2Headers::on_header(std::string_view name, std::string_view value) {
    if (name.empty()) {
        has_unknown = true;
    } else if (name == ":method") {
        has_method = true;
        method.assign(value.substr(0, kMaxHttp2Method));
    } else if (name == ":path") {
        has_path = true;
        set_path(value.substr(0, value.find_first_of("?#")));
    } else if (name == ":authority") {
        has_authority = true;
        if (!has_path && path.empty()) set_path(value);
    } else if (name == ":status") {
        status = static_cast<std::uint16_t>(std::max<std::int16_t>(0, small_number(value, 3)));
    } else if (name == "grpc-status") {
        grpc_status = small_number(value, 3);
    }
}

void Http2Headers::set_path(std::string_view text) {
    truncated = text.size() > kMaxHttp2Path;
    path.assign(text.substr(0, kMaxHttp2Path));
}

void Http2Headers::clear() {
    method.clear();
    path.clear();
    status = 0;
    grpc_status = kNoGrpcStatus;
    has_method = has_path = has_authority = has_unknown = truncated = false;
}

}  // namespace weir::protocol
