#include "plugin/flow/seen_counts.h"

#include <cerrno>
#include <utility>

namespace weir {
namespace {

std::uint64_t& counter(SeenCounts::Counts& counts, KernelCounter which) {
    return counts[static_cast<std::size_t>(which)];
}

}  // namespace

void SeenCounts::add(const weir_tcp_record& record) {
    const auto has = [&](unsigned flags) { return (record.flags & flags) != 0; };
    const bool is_active = record.id.direction == WEIR_OUTGOING;
    Counts& counts = of(record.id.netns);
    counter(counts, KernelCounter::retransmits) += record.retransmits;
    if (has(WEIR_TCP_FAILED)) {
        const bool is_tried = record.error != EADDRNOTAVAIL;  // with that there was no SYN
        counter(counts, KernelCounter::active_opens) += is_active && is_tried;
        counter(counts, KernelCounter::attempt_fails) += has(WEIR_TCP_RESET);
        return;
    }
    counter(counts, KernelCounter::estab_resets) += has(WEIR_TCP_RESET);
    if (!has(WEIR_TCP_ESTABLISHED) || has(WEIR_TCP_ADOPTED)) return;
    counter(counts, is_active ? KernelCounter::active_opens : KernelCounter::passive_opens) += 1;
}

void SeenCounts::add(const weir_udp_record& record) {
    Counts& counts = of(record.id.netns);
    counter(counts, KernelCounter::udp_in_datagrams) += record.datagrams_received;
    counter(counts, KernelCounter::udp_out_datagrams) += record.datagrams_sent;
}

SeenCounts::Counts& SeenCounts::of(std::uint32_t netns) {
    if (last_ == nullptr || netns != last_netns_) {
        last_ = &counts_[netns];
        last_netns_ = netns;
    }
    return *last_;
}

SeenCounts::ByNetns SeenCounts::take() {
    last_ = nullptr;
    return std::exchange(counts_, {});
}

}  // namespace weir
