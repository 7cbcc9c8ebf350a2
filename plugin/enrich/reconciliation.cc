#include "plugin/enrich/reconciliation.h"

namespace weir::enrich {

ReconciledCounts Reconciliation::finish(const std::vector<std::shared_ptr<CounterFiles>>& counters,
                                        const SeenCounts::ByNetns& seen) {
    ReconciledCounts out{};
    for (auto at = known_.begin(); at != known_.end(); ++at) {
        Known& known = at.value();
        known.is_there = false;
        const auto now = known.files->read();
        if (!now) continue;
        const auto saw = seen.find(at->first);
        for (std::size_t i = 0; i < kKernelCounters; i++) {
            if (!compares(i)) continue;
            if (!out[i]) out[i].emplace();
            out[i]->kernel += (*now)[i] - known.counts[i];
            out[i]->seen += saw == seen.end() ? 0 : saw->second[i];
        }
        known.counts = *now;
    }
    for (const auto& files : counters) {
        const auto at = known_.find(files->netns());
        if (at != known_.end() && at->second.files == files) {
            at.value().is_there = true;
        } else if (const auto now = files->read()) {
            known_.insert_or_assign(files->netns(), Known{files, *now, true});
        }
    }
    for (auto at = known_.begin(); at != known_.end();)
        at = at->second.is_there ? std::next(at) : known_.erase(at);
    return out;
}

bool Reconciliation::compares(std::size_t counter) const {
    return has_udp_ || counter < static_cast<std::size_t>(KernelCounter::udp_in_datagrams);
}

}  // namespace weir::enrich
