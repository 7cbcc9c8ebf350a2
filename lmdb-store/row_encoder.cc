#include "lmdb-store/row_encoder.h"

#include <algorithm>

namespace weir::store {

template <typename Row>
Block RowEncoder<Row>::next() {
    const std::size_t rows = take_rows();
    BlockWriter out;
    out.add_sequence(Section::subjects, subjects_);
    if constexpr (std::is_same_v<Row, SlowRow>) out.add_numbers(Section::slow_time, columns_.back());
    for (std::size_t c = 0; c < Columns::kNumbers.size(); c++)
        out.add_numbers(Columns::kNumbers[c].section, columns_[c]);
    for (std::size_t c = 0; c < Columns::kHistograms.size(); c++) {
        if (histograms_[c].empty()) continue;
        out.add(Columns::kHistograms[c].section, [&](ByteWriter& bytes) { histograms_[c].write(bytes); });
    }
    return out.finish(Columns::kPart, rows);
}

// Decides how far the block goes, and takes its columns. Returns how many rows it has.
template <typename Row>
std::size_t RowEncoder<Row>::take_rows() {
    const std::size_t most = std::min(kBlockRows, left());
    subjects_.resize(most);
    for (Numbers& column : columns_) column.assign(most, 0);
    for (HistogramColumnWriter& column : histograms_) column.clear();
    buckets_ = 0;
    std::size_t rows = 0;
    while (rows < most && buckets_ < kBlockBuckets) take((*run_)[at_++], rows++);
    subjects_.resize(rows);
    for (Numbers& column : columns_) column.resize(rows);
    for (HistogramColumnWriter& column : histograms_) column.add_empty(rows - column.size());
    return rows;
}

template <typename Row>
void RowEncoder<Row>::take(const RunRow<Row>& row, std::size_t to) {
    subjects_[to] = row.subject();
    row.visit([&](std::size_t c, std::uint64_t number) { columns_[c][to] = number; },
              [&](std::size_t c, const PackedHistogram& histogram) {
                  histograms_[c].add_empty(to - histograms_[c].size());
                  histograms_[c].add(histogram);
                  buckets_ += histogram.buckets().size();
              });
}

template class RowEncoder<L4Row>;
template class RowEncoder<L7Row>;
template class RowEncoder<DnsRow>;
template class RowEncoder<SlowRow>;

}  // namespace weir::store
