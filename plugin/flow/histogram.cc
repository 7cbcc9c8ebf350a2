#include "plugin/flow/histogram.h"

#include <algorithm>
#include <cmath>

namespace weir {

void Histogram::count(std::uint16_t index, std::uint64_t n) {
    auto at = std::lower_bound(buckets_.begin(), buckets_.end(), index,
                               [](const Bucket& b, std::uint16_t i) { return b.index < i; });
    if (at != buckets_.end() && at->index == index) {
        at->count += n;
    } else {
        buckets_.insert(at, Bucket{index, n});
    }
    count_ += n;
}

void Histogram::add(std::uint64_t value, std::uint64_t n) {
    count(bucket_of(value), n);
    sum_ += value * n;
    max_ = std::max(max_, value);
}

void Histogram::add_buckets(std::span<const std::uint16_t> buckets, std::uint64_t n, std::uint64_t sum,
                            std::uint64_t max) {
    const std::uint16_t last = bucket_of(kMaxValue);
    for (const std::uint16_t index : buckets) count(std::min(index, last), n / buckets.size());
    sum_ += sum;
    max_ = std::max(max_, max);
}

void Histogram::merge(const Histogram& other) {
    if (other.empty()) return;
    std::vector<Bucket> merged;
    merged.reserve(buckets_.size() + other.buckets_.size());
    auto a = buckets_.begin();
    auto b = other.buckets_.begin();
    while (a != buckets_.end() && b != other.buckets_.end()) {
        if (a->index == b->index) {
            merged.push_back({a->index, a->count + b->count});
            ++a;
            ++b;
        } else {
            merged.push_back(a->index < b->index ? *a++ : *b++);
        }
    }
    merged.insert(merged.end(), a, buckets_.end());
    merged.insert(merged.end(), b, other.buckets_.end());
    buckets_ = std::move(merged);
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

Histogram Histogram::from_parts(std::vector<Bucket> buckets, std::uint64_t sum, std::uint64_t max) {
    Histogram out;
    for (const Bucket& bucket : buckets) out.count_ += bucket.count;
    out.buckets_ = std::move(buckets);
    out.sum_ = sum;
    out.max_ = max;
    return out;
}

std::uint64_t Histogram::quantile(double q) const {
    if (count_ == 0) return 0;
    if (buckets_.size() == 1)
        return sum_ / count_;  // nearer than the bucket's middle, and exact for one sample
    const double share = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
    const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share)));
    std::uint64_t seen = 0;
    for (const Bucket& bucket : buckets_) {
        seen += bucket.count;
        if (seen >= rank) {
            const std::uint64_t middle = lower_bound(bucket.index) + (width(bucket.index) - 1) / 2;
            return std::min(middle, max_);
        }
    }
    return max_;
}

}  // namespace weir
