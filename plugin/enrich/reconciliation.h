// Holds what Weir saw in an interval against what the kernel counted in the same, over the network namespaces
// that were known when it began and when it ended: of others neither side is complete, so neither is taken. A
// namespace that went away in between has left its last counts.
//
// The two sides are read one after the other, so under traffic an interval may differ by what happened
// between; over intervals that evens out. Owned by one thread.
#pragma once

#include <tsl/robin_map.h>

#include <memory>
#include <vector>

#include "plugin/enrich/kernel_counters.h"
#include "plugin/flow/seen_counts.h"

namespace weir::enrich {

class Reconciliation {
public:
    // What was not followed is not compared.
    explicit Reconciliation(bool has_udp) : has_udp_(has_udp) {}

    // Ends an interval. `counters` are those of the namespaces that are known now.
    ReconciledCounts finish(const std::vector<std::shared_ptr<CounterFiles>>& counters,
                            const SeenCounts::ByNetns& seen);

private:
    struct Known {
        std::shared_ptr<CounterFiles> files;
        KernelCounts counts{};
        bool is_there = true;
    };

    bool compares(std::size_t counter) const;

    const bool has_udp_;
    tsl::robin_map<std::uint32_t, Known> known_;
};

}  // namespace weir::enrich
