// Method and path out of what the kernel side kept of a request. Pure; the bytes are hostile.
#pragma once

#include <optional>
#include <string_view>

namespace weir::protocol {

struct HttpRequest {
    std::string_view method;
    std::string_view path;  // as sent, without scheme, authority and query string; "*" for OPTIONS *
};

// `head` is "METHOD target", the target up to its query string or as far as it was kept. Nothing when it is
// not that. A target in absolute form (http://host/path) is reduced to its path, and "/" stands for an empty
// one; the target of CONNECT is an authority and stays as it is.
std::optional<HttpRequest> parse_request_head(std::string_view head, std::size_t method_length);

}  // namespace weir::protocol
