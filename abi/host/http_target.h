// What all targets that POST points have in common; a kind of server is a dialect.
//
// What an answer means for the batch:
//   2xx                   it is there
//   413                   too large: its halves are tried, each by itself
//   429, 408, 425         not now, for as long as it takes; Retry-After is honoured up to 30 s
//   502, 503, 504         the same
//   3xx, 401, 403, 404,   the same: nothing is wrong with the points, but with the URL, the token or the
//   407                   database, and somebody can put that right
//   no connection,        the same. A server that took the batch and lost its answer gets it again; the
//   points no answer             have the same time and tags, so a database overwrites what it has other 5xx
//   the same, but given up after a time that is configured: it may be this batch that
//                         the server trips over, and what waits behind it must not wait for ever
//   all else              refused: the same request would be answered the same way
#pragma once

#include "abi/host/http_client.h"
#include "abi/host/target.h"

namespace weir::host {

struct HttpDialect {
    std::string prefix;  // of the target's name: "influx:"
    HttpHeaders headers;
    std::uint64_t most_points = 0;
    bool gzip = false;
    std::chrono::milliseconds give_up_after{};
    std::string errors_path;  // where errors are told as JSON, {input, source, err_content}; empty: nowhere
};

std::unique_ptr<Target> make_http_target(HttpUrl url, HttpDialect dialect);

}  // namespace weir::host
