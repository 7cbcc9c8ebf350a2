// HTTP/1.1 as far as a read-only API needs it: requests with at most a small body of a stated length.
//
// Strict on purpose: what two parsers could read in two ways (bare line feeds, folded lines, repeated
// Host, Transfer-Encoding) is refused, not interpreted.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/flow/address.h"

namespace weir::http {

inline constexpr std::size_t kMaxTargetBytes = 8 << 10;
inline constexpr std::size_t kMaxHeadBytes = 16 << 10;
inline constexpr std::size_t kMaxHeaders = 100;

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;
    std::string path;  // decoded, begins with /
    Pairs query;       // decoded, in the order sent
    Pairs headers;     // values as sent, without blanks around them
    std::string body;
    std::size_t content_length = 0;
    bool keep_alive = true;

    // Of its connection.
    Address local_address;
    bool tls = false;
    std::shared_ptr<const std::atomic<bool>> cancelled;  // set when nobody waits for the answer any more

    // Value of the first header of that name (letter case ignored), empty without one.
    std::string_view header(std::string_view name) const;
    bool has_header(std::string_view name) const;
};

struct Response {
    int status = 200;
    Pairs headers;
    std::string body;
    bool close = false;  // the connection, afterwards
};

// The begin of `input` as a request's head.
struct ParsedHead {
    enum class State { incomplete, complete, refused };

    State state = State::incomplete;
    std::size_t length = 0;  // complete: bytes of the head; the body follows
    Request request;
    int status = 0;  // refused: the answer's status, and why
    std::string_view why;
};

ParsedHead parse_head(std::string_view input);

// The bytes to send. `head_only` for answers to HEAD.
std::string serialize(const Response& response, bool head_only, bool keep_alive);

// Compares names of headers and hosts: ASCII without regard to letter case.
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace weir::http
