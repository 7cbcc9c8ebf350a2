// What found the ring full, added up in the kernel: connections by flow and end, requests by flow and status
// class.
//
// Two sets of maps take turns: the kernel side fills the one while the other is emptied here, so that
// nothing is counted between being read and being deleted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bpf/events.h"
#include "plugin/base/status.h"
#include "plugin/source/source.h"

namespace weir {

class RingFolds {
public:
    struct Maps {
        int sums = -1;       // weir_fold_key to weir_fold
        int latencies = -1;  // weir_fold_latency_key to u64
        int tcp = -1;        // weir_tcp_fold_key to weir_tcp_fold
    };

    // `active` is the kernel side's choice of set, 0 or 1. It and the maps must outlive this. The sets are
    // empty and 0 is chosen.
    Status attach(std::span<const Maps, 2> sets, std::uint32_t* active);

    // Hands over what was added up since the last time. Of a sum of requests there are records with
    // WEIR_HTTP_FOLDED, the first of which has its bytes, latency_sum and latency_max; of a sum of connections
    // a record for each, the first of which has the bytes and retransmissions. One thread.
    Status sweep(RecordSink& sink);

private:
    struct Latency {
        std::uint32_t number = 0;
        std::uint16_t bucket = 0;
        std::uint64_t count = 0;
    };

    static Status add_fallbacks(const Maps& set);
    Status read_latencies(const Maps& set);
    void hand_over(const weir_fold_key& key, const weir_fold& fold, RecordSink& sink) const;

    std::vector<Maps> sets_;
    std::uint32_t* active_ = nullptr;
    std::vector<Latency> latencies_;  // of the set in work, sorted by number
};

}  // namespace weir
