// Which route a request belongs to, with a bound on the routes of each server.
//
// Configured patterns come first and are always known. What they do not match has its ids folded. A server
// that shows more different routes than the bound (a scan, ids that look like words) has the rest in
// "~other". A route that was not seen for one to two hours gives its place back.
//
// Owned by one thread; no locks.
#pragma once

#include <tsl/robin_set.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/flow/address.h"
#include "plugin/flow/recent.h"
#include "plugin/protocol/route.h"

namespace weir {

inline constexpr std::string_view kOther = "~other";

// Where a server listens. On loopback addresses the same port may be another server in each network
// namespace: 0 for any other address.
struct ServerKey {
    Address address;
    std::uint32_t netns = 0;
    std::uint32_t port = 0;
};

struct RouteOptions {
    std::vector<std::string> patterns;  // see RoutePatterns
    std::size_t per_server = 200;
    bool operator==(const RouteOptions&) const = default;
};

class RouteTable {
public:
    explicit RouteTable(RouteOptions options);

    // Valid until the next call.
    std::string_view route(const ServerKey& server, std::string_view path);

    // To be called now and then with the wall time.
    void forget_old(std::int64_t now_ns);

    const RouteOptions& options() const { return options_; }

private:
    // By hash, in two generations: what is used again moves to the young one.
    struct Routes {
        tsl::robin_set<std::uint64_t> young, old;
    };

    bool admit(const ServerKey& server, std::string_view route);

    RouteOptions options_;
    protocol::RoutePatterns patterns_;
    Recent<ServerKey, Routes> servers_;
    std::int64_t generation_ns_ = 0;  // when the young generation began
    std::string folded_;
};

}  // namespace weir
