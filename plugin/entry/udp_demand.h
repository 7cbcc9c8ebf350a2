// Whether sends and receives need to be looked at when only UDP asks for it.
//
// Looking costs each call of every program a little, TCP's included; where HTTP is not followed, that would
// be paid for nothing on a host without UDP traffic. So the kernel's own counters of datagrams are asked once
// a second: traffic switches it on, half a minute without any switches it off. What passed in the meantime is
// a loss like any other.
//
// Owned by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/enrich/kernel_counters.h"

namespace weir::entry {

class UdpDemand {
public:
    using Counters = std::vector<std::shared_ptr<enrich::CounterFiles>>;

    UdpDemand(bool on_demand, Ledger& ledger) : on_demand_(on_demand), ledger_(ledger) {}

    // When the counters are worth a look again.
    bool is_due(std::int64_t now_ns) const { return on_demand_ && now_ns >= next_ns_; }
    // Whether it is wanted from now on. now_ns: boot time.
    bool check(const Counters& counters, std::int64_t now_ns);

private:
    const bool on_demand_;
    Ledger& ledger_;
    bool wanted_ = false;
    bool has_last_ = false;
    std::uint64_t last_ = 0;  // datagrams of all namespaces
    std::int64_t next_ns_ = 0, active_ns_ = 0;
};

}  // namespace weir::entry
