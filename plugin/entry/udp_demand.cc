#include "plugin/entry/udp_demand.h"

namespace weir::entry {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kQuietNs = 30 * kSecond;

std::uint64_t datagrams(const enrich::KernelCounts& counts) {
    return counts[static_cast<std::size_t>(KernelCounter::udp_in_datagrams)] +
           counts[static_cast<std::size_t>(KernelCounter::udp_out_datagrams)];
}

}  // namespace

bool UdpDemand::check(const Counters& counters, std::int64_t now_ns) {
    next_ns_ = now_ns + kSecond;
    std::uint64_t sum = 0;
    for (const auto& files : counters) {
        if (const auto counts = files->read()) sum += datagrams(*counts);
    }
    // a namespace that came or went changes the sum, too, and is looked at for a while
    if (has_last_ && sum != last_) {
        if (!wanted_ && sum > last_) ledger_.add(Loss::udp_not_followed, sum - last_);
        active_ns_ = now_ns;
        wanted_ = true;
    } else if (now_ns - active_ns_ > kQuietNs) {
        wanted_ = false;
    }
    last_ = sum;
    has_last_ = true;
    return wanted_;
}

}  // namespace weir::entry
