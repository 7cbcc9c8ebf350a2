#include "plugin/flow/seen_counts.h"

#include <utility>

namespace weir {

void SeenCounts::add_failure(Counts& counts, const weir_tcp_record& record) {
    const auto has = [&](unsigned flags) { return (record.flags & flags) != 0; };
    if (!has(WEIR_TCP_FAILED)) {
        counter(counts, KernelCounter::estab_resets) += 1;
        return;
    }
    const bool is_active = record.id.direction == WEIR_OUTGOING;
    counter(counts, KernelCounter::active_opens) += is_active && !has(WEIR_TCP_UNSENT);
    counter(counts, KernelCounter::attempt_fails) += has(WEIR_TCP_RESET);
}

void SeenCounts::add(const weir_udp_record& record) {
    Counts& counts = of(record.id.netns);
    counter(counts, KernelCounter::udp_in_datagrams) += record.datagrams_received;
    counter(counts, KernelCounter::udp_out_datagrams) += record.datagrams_sent;
}

void SeenCounts::look_up(std::uint32_t netns) {
    last_ = &counts_[netns];
    last_netns_ = netns;
}

SeenCounts::ByNetns SeenCounts::take() {
    last_ = nullptr;
    return std::exchange(counts_, {});
}

}  // namespace weir
