#include "lmdb-store/row_run.h"

#include <algorithm>
#include <numeric>

#include "lmdb-store/prefetch.h"

namespace weir::store {
namespace {

constexpr std::size_t kTableShare = 16;  // subjects a row, for which a table is faster than sorting
constexpr std::size_t kUsualWords = 10;  // of a row

template <typename Row>
RowRun<Row> make_run(const Batch& batch, const RowSubjects& subjects) {
    return {RowColumns<Row>::rows(batch), subjects.of<Row>(), subjects.endpoints<Row>()};
}

}  // namespace

// Of many subjects there are few that have none: then a table says where the rows of each go.
std::vector<std::uint32_t> order_of(std::span<const std::uint32_t> subjects) {
    std::vector<std::uint32_t> order(subjects.size());
    std::iota(order.begin(), order.end(), 0u);
    if (std::is_sorted(subjects.begin(), subjects.end())) return order;
    const std::size_t end = *std::max_element(subjects.begin(), subjects.end()) + std::size_t{1};
    if (end < kTableShare * subjects.size()) {
        std::vector<std::uint32_t> place_of(end + 1, 0);
        for (const std::uint32_t subject : subjects) place_of[subject + 1]++;
        std::partial_sum(place_of.begin(), place_of.end(), place_of.begin());
        for (std::uint32_t row = 0; row < subjects.size(); row++) order[place_of[subjects[row]]++] = row;
        return order;
    }
    std::vector<std::uint64_t> sorted(subjects.size());
    for (std::size_t row = 0; row < subjects.size(); row++)
        sorted[row] = std::uint64_t{subjects[row]} << 32 | row;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); i++) order[i] = static_cast<std::uint32_t>(sorted[i]);
    return order;
}

template <typename Row>
RowRun<Row>::RowRun(std::span<const Row> rows, std::span<const std::uint32_t> subjects,
                    std::span<const std::uint32_t> endpoints) {
    reserve(rows.size(), kUsualWords * rows.size());
    for (std::size_t i = 0; i < rows.size(); i++) {
        if (i + 2 * kAhead < rows.size()) prefetch(&endpoints[subjects[i + 2 * kAhead]]);
        put(subjects[i], endpoints[subjects[i]], rows[i]);
    }
    if (!std::is_sorted(subjects.begin(), subjects.end())) sort(order_of(subjects));
}

// Packed rows are small and near each other: nothing is won by visiting the rows themselves in order.
template <typename Row>
void RowRun<Row>::sort(std::span<const std::uint32_t> order) {
    RowRun out;
    out.reserve(size(), words_.size());
    for (std::size_t i = 0; i < order.size(); i++) {
        if (i + 2 * kAhead < order.size()) prefetch((*this)[order[i + 2 * kAhead]].words());
        out.add((*this)[order[i]]);
    }
    *this = std::move(out);
}

template <typename Row>
void RowRun<Row>::reserve_for(std::span<const RowRun> runs) {
    std::size_t rows = 0;
    std::size_t words = 0;
    for (const RowRun& run : runs) {
        rows += run.size();
        words += run.words_.size();
    }
    reserve(rows, words);
}

template <typename Row>
void RowRun<Row>::reserve(std::size_t rows, std::size_t words) {
    begins_.reserve(rows);
    words_.reserve(words);
}

template <typename Row>
void RowRun<Row>::put(std::uint32_t subject, std::uint32_t endpoint, const Row& row) {
    using Columns = RowColumns<Row>;
    std::array<std::uint64_t, kRunNumbers<Row>> numbers;
    for (std::size_t c = 0; c < Columns::kNumbers.size(); c++) numbers[c] = row.*Columns::kNumbers[c].of_row;
    if constexpr (std::is_same_v<Row, SlowRow>) numbers.back() = static_cast<std::uint64_t>(row.time_ns);
    put(subject, endpoint, numbers,
        [&](std::size_t c) -> const Histogram& { return row.*Columns::kHistograms[c].of_row; });
}

template <typename Row>
void RowRun<Row>::add(std::uint32_t subject, std::uint32_t endpoint,
                      const std::array<std::uint64_t, kRunNumbers<Row>>& numbers,
                      const std::array<PackedHistogram, kHistograms>& histograms) {
    put(subject, endpoint, numbers, [&](std::size_t c) { return histograms[c]; });
}

template <typename Row>
void RowRun<Row>::add(const RunRow<Row>& row) {
    note(row.subject(), row.endpoint());
    words_.insert(words_.end(), row.words().begin(), row.words().end());
}

template <typename Row>
template <typename HistogramOf>
void RowRun<Row>::put(std::uint32_t subject, std::uint32_t endpoint,
                      const std::array<std::uint64_t, kRunNumbers<Row>>& numbers,
                      const HistogramOf& histogram_of) {
    std::uint64_t used = 0;
    for (std::size_t c = 0; c < numbers.size(); c++) used |= std::uint64_t{numbers[c] != 0} << c;
    std::uint64_t sizes = 0;
    std::size_t words = 2 + static_cast<std::size_t>(std::popcount(used));
    for (std::size_t c = 0; c < kHistograms; c++) {
        const std::size_t size = histogram_of(c).buckets().size();
        sizes |= std::uint64_t{size} << (16 * c);
        words += size == 0 ? 0 : 2 + size;
    }
    note(subject, endpoint);
    words_.resize(words_.size() + words);
    std::uint64_t* at = words_.data() + begins_.back();
    *at++ = subject | used << 32;
    *at++ = endpoint | sizes << 32;
    for (const std::uint64_t number : numbers) {
        if (number != 0) *at++ = number;
    }
    for (std::size_t c = 0; c < kHistograms; c++) {
        const auto& histogram = histogram_of(c);
        if (histogram.buckets().empty()) continue;
        *at++ = histogram.max();
        *at++ = histogram.sum();
        for (const auto& bucket : histogram.buckets()) *at++ = pack(bucket);
    }
}

// That a row begins here.
template <typename Row>
void RowRun<Row>::note(std::uint32_t subject, std::uint32_t endpoint) {
    has_repeated_ |= !begins_.empty() && subject == last_subject_;
    has_endpoints_ &= endpoint != kNoEndpoint;
    last_subject_ = subject;
    begins_.push_back(words_.size());
}

RowRuns make_runs(const Batch& batch, const RowSubjects& subjects) {
    return {{make_run<L4Row>(batch, subjects), make_run<L7Row>(batch, subjects),
             make_run<DnsRow>(batch, subjects), make_run<SlowRow>(batch, subjects)}};
}

template class RowRun<L4Row>;
template class RowRun<L7Row>;
template class RowRun<DnsRow>;
template class RowRun<SlowRow>;

}  // namespace weir::store
