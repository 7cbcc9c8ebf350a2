#include "lmdb-store/group_sums.h"

#include <algorithm>

namespace weir::store {
namespace {

using query::Measures;

// Groups lie all over the memory: so many rows before it is needed a group's is asked for.
constexpr std::size_t kAhead = 8;

// Whether a measure is read off a histogram, and off which.
Histogram Measures::*distribution_of(query::Measure measure) {
    switch (measure) {
        case query::Measure::rtt:
        case query::Measure::rtt_p50:
        case query::Measure::rtt_p95:
        case query::Measure::rtt_max: return &Measures::rtt;
        case query::Measure::rtt_var:
        case query::Measure::rtt_var_p95: return &Measures::rtt_var;
        case query::Measure::latency:
        case query::Measure::latency_p50:
        case query::Measure::latency_p95:
        case query::Measure::latency_p99:
        case query::Measure::latency_max: return &Measures::latency;
        default: return nullptr;
    }
}

}  // namespace

GroupSums::GroupSums(std::vector<Sum> sums, std::vector<Distribution> distributions, MemoryPool::Lease& lease)
    : members_(std::move(sums)), distributions_(std::move(distributions)), stride_(members_.size() + 1) {
    for (std::size_t i = 0; i < distributions_.size(); i++) histograms_.emplace_back(lease);
    resize(kFirstGroup);
    for (HistogramStore& store : histograms_) store.expect_many(kRemainder);
}

std::size_t GroupSums::bytes_a_group() const {
    return stride_ * sizeof(std::uint64_t) + distributions_.size() * HistogramStore::kGroupBytes;
}

void GroupSums::resize(std::size_t size) {
    if (size * stride_ <= sums_.size()) return;
    sums_.resize(size * stride_);
    for (HistogramStore& store : histograms_) store.resize(size);
}

void GroupSums::add_numbers(std::span<const std::uint32_t> places, const std::vector<std::uint32_t>* rows,
                            std::span<const std::vector<std::uint64_t>* const> columns,
                            const std::vector<std::uint64_t>* more) {
    const auto add = [&](std::size_t row) {
        std::uint64_t* const sums = sums_.data() + places[row] * stride_;
        sums[0] += more == nullptr ? 1 : 1 + (*more)[row];
        for (std::size_t i = 0; i < columns.size(); i++) sums[i + 1] += (*columns[i])[row];
    };
    if (rows != nullptr) return static_cast<void>(std::for_each(rows->begin(), rows->end(), add));
    for (std::size_t row = 0; row < places.size(); row++) {
        if (row + kAhead < places.size())
            __builtin_prefetch(sums_.data() + places[row + kAhead] * stride_, 1);
        add(row);
    }
}

void GroupSums::add_histograms(std::size_t distribution, std::span<const std::uint32_t> places,
                               const std::vector<std::uint32_t>* rows, const HistogramColumn& column) {
    HistogramStore& store = histograms_[distribution];
    const auto add = [&](std::size_t row) {
        if (places[row] != kDiscard && column.has_samples(row)) store.add(places[row], column, row);
    };
    if (rows != nullptr) return static_cast<void>(std::for_each(rows->begin(), rows->end(), add));
    for (std::size_t row = 0; row < places.size(); row++) {
        if (row + 2 * kAhead < places.size()) {
            store.expect(places[row + 2 * kAhead]);
            store.expect_list(places[row + kAhead]);
        }
        add(row);
    }
}

bool GroupSums::is_exhausted() const {
    return std::any_of(histograms_.begin(), histograms_.end(),
                       [](const HistogramStore& store) { return store.is_exhausted(); });
}

void GroupSums::set_sums(std::uint32_t place, Measures& out) const {
    for (std::size_t i = 0; i < members_.size(); i++) out.*members_[i] += sums_[place * stride_ + i + 1];
}

Measures GroupSums::measures(std::uint32_t place) {
    Measures out;
    set_sums(place, out);
    for (std::size_t i = 0; i < distributions_.size(); i++)
        out.*distributions_[i] = histograms_[i].histogram(place);
    return out;
}

Measures GroupSums::measures_for(std::uint32_t place, query::Measure measure) {
    Measures out;
    set_sums(place, out);
    for (std::size_t i = 0; i < distributions_.size(); i++) {
        if (distributions_[i] == distribution_of(measure))
            out.*distributions_[i] = histograms_[i].histogram(place);
    }
    return out;
}

void GroupSums::Total::add(std::uint32_t place) {
    of_.set_sums(place, sums_);
    for (std::size_t i = 0; i < histograms_.size(); i++) of_.histograms_[i].add_to(histograms_[i], place);
}

Measures GroupSums::Total::take() {
    Measures out = std::exchange(sums_, {});
    for (std::size_t i = 0; i < histograms_.size(); i++) out.*of_.distributions_[i] = histograms_[i].take();
    return out;
}

}  // namespace weir::store
