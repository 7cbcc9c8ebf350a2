#include "lmdb-store/measure_sum.h"

#include <array>

namespace weir::store {
namespace {

using query::Measures;

constexpr std::array kSums = {
    &Measures::bytes_written, &Measures::bytes_read,      &Measures::client_sent, &Measures::server_sent,
    &Measures::retransmits,   &Measures::tcp_established, &Measures::tcp_closed,  &Measures::connect_failed,
    &Measures::count,         &Measures::status_3xx,      &Measures::status_4xx,  &Measures::status_5xx,
};
// A new member must be added above, or it would be missing from totals.
static_assert(sizeof(Measures) == kSums.size() * sizeof(std::uint64_t) + 3 * sizeof(Histogram));

}  // namespace

void MeasureSum::add(const Measures& measures) {
    for (const auto member : kSums) sums_.*member += measures.*member;
    rtt_.add(measures.rtt);
    rtt_var_.add(measures.rtt_var);
    latency_.add(measures.latency);
}

Measures MeasureSum::take() {
    Measures out = std::exchange(sums_, {});
    out.rtt = rtt_.take();
    out.rtt_var = rtt_var_.take();
    out.latency = latency_.take();
    return out;
}

}  // namespace weir::store
