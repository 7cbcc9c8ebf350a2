#include "lmdb-store/row_encoder.h"

#include <algorithm>
#include <numeric>

#include "lmdb-store/prefetch.h"

namespace weir::store {
namespace {

constexpr std::size_t kTableShare = 16;  // subjects a row, for which a table is faster than sorting

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
RowEncoder<Row>::RowEncoder(std::span<const Row> rows, std::span<const std::uint32_t> subjects)
    : rows_(rows), subjects_(subjects), order_(order_of(subjects)) {}

template <typename Row>
Block RowEncoder<Row>::next() {
    const std::span<const std::uint32_t> taken = take_rows();
    BlockWriter out;
    out.add_sequence(Section::subjects, numbers_);
    add_times(out, taken);
    for (std::size_t c = 0; c < Columns::kNumbers.size(); c++)
        out.add_numbers(Columns::kNumbers[c].section, columns_[c]);
    for (std::size_t c = 0; c < Columns::kHistograms.size(); c++) {
        if (histograms_[c].empty()) continue;
        out.add(Columns::kHistograms[c].section, [&](ByteWriter& bytes) { histograms_[c].write(bytes); });
    }
    return out.finish(Columns::kPart, taken.size());
}

// Decides how far the block goes, and takes its columns: row by row, for each is somewhere else.
template <typename Row>
std::span<const std::uint32_t> RowEncoder<Row>::take_rows() {
    const std::size_t first = at_;
    std::size_t buckets = 0;
    const std::size_t most = std::min(kBlockRows, left());
    numbers_.resize(most);
    for (Numbers& column : columns_) column.resize(most);
    for (HistogramColumnWriter& column : histograms_) column.clear();
    while (at_ - first < most && buckets < kBlockBuckets) {
        prefetch_ahead<Row>(rows_, order_, at_);
        const Row& row = rows_[order_[at_]];
        const std::size_t to = at_ - first;
        numbers_[to] = subjects_[order_[at_]];
        at_++;
        for (std::size_t c = 0; c < Columns::kNumbers.size(); c++)
            columns_[c][to] = row.*Columns::kNumbers[c].of_row;
        for (std::size_t c = 0; c < Columns::kHistograms.size(); c++) {
            const Histogram& histogram = row.*Columns::kHistograms[c].of_row;
            buckets += histogram.buckets().size();
            histograms_[c].add(histogram);
        }
    }
    numbers_.resize(at_ - first);
    for (Numbers& column : columns_) column.resize(at_ - first);
    return std::span(order_).subspan(first, at_ - first);
}

template <typename Row>
void RowEncoder<Row>::add_times(BlockWriter& out, std::span<const std::uint32_t> taken) const {
    if constexpr (std::is_same_v<Row, SlowRow>) {
        Numbers times;
        for (const std::uint32_t row : taken) times.push_back(static_cast<std::uint64_t>(rows_[row].time_ns));
        out.add_numbers(Section::slow_time, times);
    }
}

template class RowEncoder<L4Row>;
template class RowEncoder<L7Row>;
template class RowEncoder<DnsRow>;
template class RowEncoder<SlowRow>;

}  // namespace weir::store
