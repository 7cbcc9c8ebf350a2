#include "plugin/flow/route_table.h"

#include <xxhash.h>

#include <utility>

namespace weir {
namespace {

constexpr std::int64_t kGenerationNs = 3'600'000'000'000;
constexpr std::size_t kMaxServers = 1024;  // of a generation

}  // namespace

RouteTable::RouteTable(RouteOptions options)
    : options_(std::move(options)), patterns_(options_.patterns), servers_(kMaxServers) {}

std::string_view RouteTable::route(const ServerKey& server, std::string_view path) {
    if (const std::string_view pattern = patterns_.match(path); !pattern.empty()) return pattern;
    protocol::fold_route(path, folded_);
    return admit(server, folded_) ? std::string_view(folded_) : kOther;
}

bool RouteTable::admit(const ServerKey& server, std::string_view route) {
    Routes& routes = servers_.take(server);
    const std::uint64_t hash = XXH3_64bits(route.data(), route.size());
    if (routes.young.contains(hash)) return true;
    const bool is_known = routes.old.erase(hash) != 0;
    if (!is_known && routes.young.size() + routes.old.size() >= options_.per_server) return false;
    routes.young.insert(hash);
    return true;
}

void RouteTable::forget_old(std::int64_t now_ns) {
    // a clock that was set back begins a generation anew
    if (now_ns >= generation_ns_ && now_ns - generation_ns_ < kGenerationNs) return;
    const bool is_first = generation_ns_ == 0;
    generation_ns_ = now_ns;
    if (is_first) return;
    servers_.each([](Routes& routes) {
        routes.old = std::move(routes.young);
        routes.young.clear();
    });
}

}  // namespace weir
