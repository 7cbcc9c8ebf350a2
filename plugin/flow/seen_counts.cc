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
    const auto has = [&](weir_tcp_flags flag) { return (record.flags & flag) != 0; };
    const bool is_made = has(WEIR_TCP_ESTABLISHED) && !has(WEIR_TCP_ADOPTED);
    const bool is_active = record.id.direction == WEIR_OUTGOING;
    Counts& counts = counts_[record.id.netns];
    const bool has_failed = has(WEIR_TCP_FAILED);
    const bool is_tried = has_failed && record.error != EADDRNOTAVAIL;  // with that there was no SYN
    counter(counts, KernelCounter::active_opens) += is_active && (is_made || is_tried);
    counter(counts, KernelCounter::passive_opens) += !is_active && is_made;
    counter(counts, KernelCounter::attempt_fails) += has_failed && has(WEIR_TCP_RESET);
    counter(counts, KernelCounter::estab_resets) += !has_failed && has(WEIR_TCP_RESET);
    counter(counts, KernelCounter::retransmits) += record.retransmits;
}

void SeenCounts::add(const weir_udp_record& record) {
    Counts& counts = counts_[record.id.netns];
    counter(counts, KernelCounter::udp_in_datagrams) += record.datagrams_received;
    counter(counts, KernelCounter::udp_out_datagrams) += record.datagrams_sent;
}

SeenCounts::ByNetns SeenCounts::take() { return std::exchange(counts_, {}); }

}  // namespace weir
