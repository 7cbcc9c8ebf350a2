// Who may ask: where a request claims to come from, and whether it knows the token.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/api/answer.h"
#include "http/net/message.h"

namespace weir::http {

// The token of "Authorization: Bearer TOKEN", empty without one.
std::string_view bearer_token(const Request& request);

// Thread-safe.
class Access {
public:
    // `names`: hosts, without ports, that a Host header may name beside loopback and the address that the
    // connection came in on. Without a token everybody who may connect may ask.
    Access(std::string token, std::vector<std::string> names);

    // Refuses what a foreign page could make a browser send: a Host of another name is DNS rebinding, an
    // Origin that is not that Host is another site.
    std::optional<ApiError> check_source(const Request& request) const;

    bool wants_token() const { return !token_.empty(); }
    bool token_is(std::string_view token) const;  // in constant time
    // By the token or by a session's cookie.
    bool allows(const Request& request) const;

    // The value of a Set-Cookie header.
    std::string begin_session(bool secure);

private:
    using Digest = std::array<std::uint8_t, 32>;
    using Clock = std::chrono::steady_clock;

    struct Session {
        Digest digest;  // of the id: a dump of memory does not hold what opens the door
        Clock::time_point end;
    };

    bool is_own_name(std::string_view host, const Request& request) const;
    bool session_is(std::string_view id) const;

    const std::string token_;
    const std::vector<std::string> names_;
    mutable std::mutex mutex_;
    std::deque<Session> sessions_;  // oldest first
};

}  // namespace weir::http
