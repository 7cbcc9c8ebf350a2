#include "http/api/access.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace weir::http {
namespace {

constexpr std::string_view kCookie = "weir_session";
constexpr std::size_t kMostSessions = 64;
constexpr std::chrono::hours kSessionTime{12};
constexpr std::size_t kIdBytes = 32;

std::array<std::uint8_t, 32> digest_of(std::string_view text) {
    std::array<std::uint8_t, 32> out;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
    return out;
}

template <typename Bytes>
bool equal_in_constant_time(const Bytes& a, const Bytes& b) {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_id() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::uint8_t, kIdBytes> bytes;
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw std::system_error(errno, std::system_category(), "getrandom");
    }
    std::string out;
    for (const auto byte : bytes) (out += kDigits[byte >> 4]) += kDigits[byte & 15];
    return out;
}

// "name:port" and "[::1]:port" without port and brackets. Nothing when it is neither.
std::optional<std::string_view> host_of(std::string_view authority) {
    std::string_view host = authority, port;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
        host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (!port.empty() && (port[0] != ':' || port.find_first_not_of("0123456789", 1) != port.npos)) {
        return std::nullopt;
    }
    if (host.empty()) return std::nullopt;
    return host;
}

// The value of the session's cookie among the others.
std::string_view session_cookie(const Request& request) {
    std::string_view rest = request.header("Cookie");
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        std::string_view one = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        while (one.starts_with(' ')) one.remove_prefix(1);
        const std::size_t equals = one.find('=');
        if (one.substr(0, equals) == kCookie && equals != one.npos) return one.substr(equals + 1);
    }
    return {};
}

}  // namespace

std::string_view bearer_token(const Request& request) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view value = request.header("Authorization");
    if (value.size() < kScheme.size() || !equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) {
        return {};
    }
    return value.substr(kScheme.size());
}

Access::Access(std::string token, std::vector<std::string> names)
    : token_(std::move(token)), names_(std::move(names)) {}

bool Access::is_own_name(std::string_view host, const Request& request) const {
    if (equal_ignoring_case(host, "localhost")) return true;
    if (const auto address = Address::parse(host)) {
        if (address->type() == AddressType::loopback || *address == request.local_address) return true;
    }
    return std::any_of(names_.begin(), names_.end(),
                       [&](const std::string& name) { return equal_ignoring_case(name, host); });
}

std::optional<ApiError> Access::check_source(const Request& request) const {
    const std::string_view authority = request.header("Host");
    const auto host = host_of(authority);
    if (!host) return ApiError{400, "bad_request", "the Host header is missing or malformed", ""};
    if (!is_own_name(*host, request)) {
        return ApiError{403, "forbidden", "the Host header names another host; use this one's address", ""};
    }
    if (!request.has_header("Origin")) return std::nullopt;
    const std::string_view origin = request.header("Origin");
    const std::string_view scheme = origin.substr(0, origin.find("://"));
    const bool is_web = scheme == "http" || scheme == "https";
    if (!is_web || !equal_ignoring_case(origin.substr(scheme.size() + 3), authority)) {
        return ApiError{403, "forbidden", "requests from other sites are refused", ""};
    }
    return std::nullopt;
}

bool Access::token_is(std::string_view token) const {
    return !token.empty() && equal_in_constant_time(digest_of(token), digest_of(token_));
}

bool Access::allows(const Request& request) const {
    return !wants_token() || token_is(bearer_token(request)) || session_is(session_cookie(request));
}

bool Access::session_is(std::string_view id) const {
    if (id.empty()) return false;
    const Digest digest = digest_of(id);
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    bool found = false;
    for (const auto& session : sessions_) {
        if (equal_in_constant_time(session.digest, digest) && now < session.end) found = true;
    }
    return found;
}

std::string Access::begin_session(bool secure) {
    const std::string id = random_id();
    {
        const std::lock_guard lock(mutex_);
        if (sessions_.size() == kMostSessions) sessions_.pop_front();
        sessions_.push_back({digest_of(id), Clock::now() + kSessionTime});
    }
    const auto seconds = std::chrono::seconds(kSessionTime).count();
    return std::string(kCookie) + "=" + id + "; Path=/; Max-Age=" + std::to_string(seconds) +
           "; HttpOnly; SameSite=Strict" + (secure ? "; Secure" : "");
}

}  // namespace weir::http
