#pragma once

#include "abi/host/expected.h"

namespace weir::host {

// http://[user:password@]host[:port][/path][?query]; https likewise. And over a unix socket, in the two ways
// that are in use: unix:SOCKET[:/path][?query], where SOCKET may begin with // for form's sake, and
// http+unix://SOCKET[/path][?query], where each / of SOCKET is written %2F.
struct HttpUrl {
    bool tls = false;
    std::string unix_socket;  // its path; then host is "localhost" and port is 80
    std::string host;         // an IPv6 address stands here without its brackets
    int port = 0;             // 80 or 443 when the URL has none
    std::string path;         // empty when the URL has none, or only "/"
    std::string query;        // with its "?"; empty when there is none
    std::string user;
    std::string password;

    // For messages: no user, password or query, which may hold secrets.
    std::string without_secrets() const;
};

// RFC 3986 as far as servers need it. What would break a request line (spaces, control characters) is
// refused.
Expected<HttpUrl> parse_http_url(const std::string& text);

}  // namespace weir::host
