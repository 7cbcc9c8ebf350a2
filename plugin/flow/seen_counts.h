// What was seen of what the kernel counts by itself, by network namespace: the one side of the
// reconciliation. What a configuration leaves out of points and store was seen all the same.
//
// How the kernel counts (net/ipv4/tcp.c, udp.c), and what that is in records:
//   ActiveOpens   a SYN was sent: connections made, and failed, that this end began
//   PassiveOpens  a connection was made that a listener of this end was asked for
//   AttemptFails  a connect ended by an error; one that its program gave up is none
//   EstabResets   a connection ended that neither end, or only the peer, had said that it was done
//   RetransSegs   segments sent again, SYNs included, as the socket counts them
//   In/OutDatagrams  datagrams that a program received or sent
// Not in records are what the kernel does without a socket that is followed: it answers half-open connections
// again (RetransSegs), and forgets those that the peer resets (AttemptFails).
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>

#include "bpf/events.h"
#include "plugin/flow/batch.h"

namespace weir {

class SeenCounts {
public:
    using Counts = std::array<std::uint64_t, kKernelCounters>;
    using ByNetns = tsl::robin_map<std::uint32_t, Counts>;

    void add(const weir_tcp_record& record) {
        Counts& counts = of(record.id.netns);
        counter(counts, KernelCounter::retransmits) += record.retransmits;
        const bool is_active = record.id.direction == WEIR_OUTGOING;
        const bool is_made =
            (record.flags & (WEIR_TCP_ESTABLISHED | WEIR_TCP_ADOPTED)) == WEIR_TCP_ESTABLISHED;
        counter(counts, is_active ? KernelCounter::active_opens : KernelCounter::passive_opens) += is_made;
        if ((record.flags & (WEIR_TCP_FAILED | WEIR_TCP_RESET)) != 0) add_failure(counts, record);
    }
    void add(const weir_udp_record& record);

    // Since the last time.
    ByNetns take();

private:
    static std::uint64_t& counter(Counts& counts, KernelCounter which) {
        return counts[static_cast<std::size_t>(which)];
    }
    // Of a connect that failed, or a connection that was reset.
    static void add_failure(Counts& counts, const weir_tcp_record& record);
    Counts& of(std::uint32_t netns) {
        if (last_ == nullptr || netns != last_netns_) look_up(netns);
        return *last_;
    }
    void look_up(std::uint32_t netns);

    ByNetns counts_;
    // Most records are of the namespace of the one before. Points into counts_, where only of() adds.
    Counts* last_ = nullptr;
    std::uint32_t last_netns_ = 0;
};

}  // namespace weir
