// A mergeable distribution of a latency or round trip time.
//
// Buckets are log-linear: every power of two is cut into 64 equal parts, so a bucket is at most
// 1/64 (1.6 %) as wide as its lower bound and a quantile, answered with the middle of its bucket,
// is at most 0.8 % off. Finding a bucket takes a shift and a count of leading zeros, which the
// kernel side can do, too: there is one formula from the kernel to the API. Sum, count and maximum
// are exact.
//
// Only buckets in use are kept, sorted: most flows see a handful of values. Not thread-safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir {

class Histogram {
public:
    struct Bucket {
        std::uint16_t index = 0;
        std::uint64_t count = 0;
        bool operator==(const Bucket&) const = default;
    };

    static constexpr unsigned kPrecisionBits = 6;
    static constexpr std::uint64_t kMaxValue = (std::uint64_t{1} << 48) - 1;  // larger values count as this

    static constexpr std::uint16_t bucket_of(std::uint64_t value) {
        if (value > kMaxValue) value = kMaxValue;
        const unsigned width = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = width > kPrecisionBits + 1 ? width - (kPrecisionBits + 1) : 0;
        return static_cast<std::uint16_t>((shift << kPrecisionBits) + (value >> shift));
    }
    // Smallest value of a bucket, and how many values it spans.
    static constexpr std::uint64_t lower_bound(std::uint16_t index) {
        const unsigned shift = shift_of(index);
        return (std::uint64_t{index} - (std::uint64_t{shift} << kPrecisionBits)) << shift;
    }
    static constexpr std::uint64_t width(std::uint16_t index) { return std::uint64_t{1} << shift_of(index); }

    void add(std::uint64_t value, std::uint64_t n = 1) {
        count_at_last(bucket_of(value), n);
        count_ += n;
        sum_ += value * n;
        max_ = std::max(max_, value);
    }
    // `n` values that were counted elsewhere by this formula: their buckets, one each or one for all of
    // them, with their exact sum and maximum.
    void add_buckets(std::span<const std::uint16_t> buckets, std::uint64_t n, std::uint64_t sum,
                     std::uint64_t max);
    void merge(const Histogram& other);
    void clear() { *this = Histogram(); }

    // Puts together what was taken apart: buckets sorted by index, each once.
    static Histogram from_parts(std::vector<Bucket> buckets, std::uint64_t sum, std::uint64_t max);

    bool empty() const { return count_ == 0; }
    std::uint64_t count() const { return count_; }
    std::uint64_t sum() const { return sum_; }
    std::uint64_t max() const { return max_; }
    double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }
    // The value below which a share q of the samples lies; q in [0, 1]. 0 when empty.
    std::uint64_t quantile(double q) const;
    std::span<const Bucket> buckets() const { return buckets_; }

    bool operator==(const Histogram& other) const {
        return buckets_ == other.buckets_ && sum_ == other.sum_ && max_ == other.max_;
    }

private:
    // Where the bucket stands, if it is there and found quickly from where the last one does; or the end.
    std::size_t place_near(std::uint16_t index) const;
    // These answer where the bucket stands.
    std::size_t count(std::uint16_t index, std::uint64_t n);
    std::size_t count_near(std::uint16_t index, std::uint64_t n);
    void count_at_last(std::uint16_t index, std::uint64_t n) {
        // where every bucket between the last one and this one is in use; below 0 is beyond the end
        const std::size_t near = last_ < buckets_.size() ? last_ + index - buckets_[last_].index : last_;
        if (near < buckets_.size() && buckets_[near].index == index) {
            buckets_[near].count += n;
            last_ = near;
        } else {
            last_ = count_near(index, n);
        }
    }
    void insert_missing(const Histogram& other, std::size_t count);
    static constexpr unsigned shift_of(std::uint16_t index) {
        return index < (2u << kPrecisionBits) ? 0 : (unsigned{index} >> kPrecisionBits) - 1;
    }

    std::vector<Bucket> buckets_;
    std::size_t last_ = 0;  // where the last sample went: the next one's is near
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace weir
