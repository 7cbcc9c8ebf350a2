// A column of histograms: for each row a sparse histogram, few bytes for the usual one with one sample.
//
// Layout, all sequences (sequence.h):
//   for each row: number of buckets, 0 = empty
//   for each chunk of these (kChunk in sequence.h): number of buckets in it and before; and likewise of rows
//     that are not empty. So that a query for few rows need not count.
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

// Decoded. Buckets of row r are [begin[r], end[r]) of `index` (ascending) and `count`; `max` and `sum` are by
// row, and nothing of meaning when it is empty. Likewise all of a row that was not to be read.
struct HistogramColumn {
    std::vector<std::uint32_t> begin;
    std::vector<std::uint32_t> end;
    std::vector<std::uint16_t> index;
    std::vector<std::uint64_t> count;
    std::vector<std::uint64_t> max;
    std::vector<std::uint64_t> sum;

    // The sequences as they are stored, and by row how many rows before it have samples.
    struct Stored {
        std::vector<std::uint32_t> sizes, buckets_until, used_until, gaps, used_before;
        std::vector<std::uint64_t> max, highest, counts, sums;
    };
    Stored stored;  // while it is read; here so that its memory is kept from block to block

    bool has_samples(std::size_t row) const { return begin[row] != end[row]; }
    Histogram at(std::size_t row) const;
    void set_empty(std::size_t rows);
};

inline constexpr std::uint16_t kLastBucket = Histogram::bucket_of(Histogram::kMaxValue);

// More samples than a bucket ever holds; so sums of them in 48 bits do not overflow.
inline constexpr std::uint64_t kMaxBucketCount = std::uint64_t{1} << 40;

// A bucket in one word, with its index in the upper 16 bits: words are in the order of indexes.
inline constexpr unsigned kCountBits = 48;
constexpr std::uint64_t pack(const Histogram::Bucket& bucket) {
    return std::uint64_t{bucket.index} << kCountBits | bucket.count;
}
constexpr std::uint64_t pack(std::uint64_t packed) { return packed; }
constexpr Histogram::Bucket unpack(std::uint64_t packed) {
    return {static_cast<std::uint16_t>(packed >> kCountBits),
            packed & ((std::uint64_t{1} << kCountBits) - 1)};
}

// A histogram whose buckets are somewhere else, packed and ascending.
class PackedHistogram {
public:
    PackedHistogram() = default;
    PackedHistogram(std::uint64_t max, std::uint64_t sum, std::span<const std::uint64_t> buckets)
        : max_(max), sum_(sum), buckets_(buckets) {}
    std::uint64_t max() const { return max_; }
    std::uint64_t sum() const { return sum_; }
    std::span<const std::uint64_t> buckets() const { return buckets_; }

private:
    std::uint64_t max_ = 0;
    std::uint64_t sum_ = 0;
    std::span<const std::uint64_t> buckets_;
};

// Whether it can be stored: buckets ascending and in range, none with too many samples.
bool is_storable(const Histogram& histogram);

class HistogramColumnWriter {
public:
    // A row. Its histogram must be storable.
    void add(const Histogram& histogram);
    void add(const PackedHistogram& histogram);
    // So many rows without samples.
    void add_empty(std::size_t rows) { sizes_.resize(sizes_.size() + rows); }
    // All rows of another; or one of them, with places() of that.
    void add(const HistogramColumnWriter& other);
    struct Places {
        std::vector<std::uint32_t> buckets, used;  // by row: so many before it
    };
    Places places() const;
    void add(const HistogramColumnWriter& other, const Places& places, std::uint32_t row);

    std::size_t size() const { return sizes_.size(); }
    std::size_t buckets(std::uint32_t row) const { return sizes_[row]; }
    std::size_t buckets() const { return counts_.size(); }  // of all rows
    bool empty() const { return max_.empty(); }             // no row has samples
    void write(ByteWriter& out) const;
    void clear();

private:
    template <typename Any>
    void add_any(const Any& histogram);

    std::vector<std::uint64_t> sizes_, max_, highest_, gaps_, counts_, sums_;
};

// Fails the reader when the bytes are not such a column of `rows` histograms with at most max_buckets.
// `wanted`: the rows to read, ascending; none given: all.
void read_histograms(ByteReader& in, std::size_t rows, std::size_t max_buckets, HistogramColumn& out,
                     const std::vector<std::uint32_t>* wanted = nullptr);

}  // namespace weir::store
