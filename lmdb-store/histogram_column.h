// A column of histograms: for each row a sparse histogram, few bytes for the usual one with one sample.
//
// Layout, all sequences (sequence.h):
//   for each row: number of buckets, 0 = empty
//   for each row that is not empty: maximum
//   likewise: bucket of the highest, as zigzag difference from bucket_of(maximum), which is nearly always 0
//   for each bucket but a row's highest: gap to the next one, minus 1
//   for each bucket: count - 1
//   for each row that is not empty: sum, as zigzag difference from the sum estimated from the buckets, in
//     which each sample counts as the middle of its bucket but one, which counts as the maximum: for one
//     sample the difference is 0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/bytes.h"
#include "plugin/flow/histogram.h"

namespace weir::store {

// Decoded. Buckets of row r are [begin[r], begin[r + 1]) of `index` (ascending) and `count`.
struct HistogramColumn {
    std::vector<std::uint32_t> begin;
    std::vector<std::uint16_t> index;
    std::vector<std::uint64_t> count;
    std::vector<std::uint64_t> max;  // by row, 0 when empty
    std::vector<std::uint64_t> sum;

    std::size_t rows() const { return max.size(); }
    Histogram at(std::size_t row) const;
    void set_empty(std::size_t rows);
};

inline constexpr std::uint16_t kLastBucket = Histogram::bucket_of(Histogram::kMaxValue);

// Whether it can be stored: buckets ascending and in range.
bool is_storable(const Histogram& histogram);

void write_histograms(ByteWriter& out, std::span<const Histogram* const> rows);

// Fails the reader when the bytes are not such a column of `rows` histograms with at most max_buckets.
void read_histograms(ByteReader& in, std::size_t rows, std::size_t max_buckets, HistogramColumn& out);

}  // namespace weir::store
