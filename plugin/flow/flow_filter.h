// Which flows are left out: rules in the language of DataKit's netlog_blacklist.
//
//   rules    = rule { (";" | newline) rule }         a flow that meets any of them is left out
//   rule     = and { "||" and }
//   and      = not { "&&" not }
//   not      = { "!" } compared
//   compared = value [ ("==" | "!=" | "<" | "<=" | ">" | ">=") value ]
//   value    = name | number | "text" | 'text' | true | false | function "(" value "," value ")" | "(" rule
//   ")"
//
// A line may be broken after an operator, a comma and inside of parentheses; # begins a comment. Names:
//   tcp udp ipv4 ipv6               true or false; IPv4 mapped in IPv6 is ipv4
//   src_port dst_port pid           numbers; src is this host's end, and ports are those of the connection,
//   not folded ip_saddr ip_daddr               addresses of IPv4 flows, ip6_saddr ip6_daddr of IPv6 flows;
//   the others have none process_name                    added k8s_src_pod k8s_dst_pod         empty where an
//   end is no pod
// Functions: ipnet_contains("10.0.0.0/8", address), has_prefix(text, prefix).
//
// A rule is compiled once: types, addresses and networks are checked then. Immutable, so thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/events.h"
#include "plugin/base/status.h"

namespace weir {

// What rules know of a flow.
struct FilteredFlow {
    const weir_conn_id& id;
    std::string_view src_pod = {};
    std::string_view dst_pod = {};
};

class FlowFilter {
public:
    // Bounds, so that neither reading nor meeting rules can exhaust the stack or the processor.
    static constexpr std::size_t kMaxText = 65536;
    static constexpr std::size_t kMaxNodes = 4096;
    static constexpr std::size_t kMaxDepth = 64;

    // Blank text leaves out nothing. Errors: bad_config, with line and column (from 1) of `text`.
    static Result<FlowFilter> parse(std::string_view text);

    FlowFilter();
    ~FlowFilter();
    FlowFilter(FlowFilter&&) noexcept;
    FlowFilter& operator=(FlowFilter&&) noexcept;

    bool empty() const { return rules_.empty(); }
    bool leaves_out(const FilteredFlow& flow) const;
    // Names of processes whose flows are left out whatever else they are: those that a rule asks for alone,
    // as in process_name == "curl" || process_name == "wget". Not all that there may be.
    const std::vector<std::string>& processes() const { return processes_; }

    struct Node;

private:
    std::vector<std::unique_ptr<const Node>> rules_;
    std::vector<std::string> processes_;
};

}  // namespace weir
