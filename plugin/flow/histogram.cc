#include "plugin/flow/histogram.h"

#include <algorithm>
#include <cmath>

namespace weir {
namespace {

// The first bucket from `at` on that is not below `index`: a few steps, then by halves.
std::size_t find_from(std::span<const Histogram::Bucket> buckets, std::size_t at, std::uint16_t index) {
    for (int steps = 0; at < buckets.size() && buckets[at].index < index; at++) {
        if (++steps < 8) continue;
        const auto found =
            std::lower_bound(buckets.begin() + static_cast<std::ptrdiff_t>(at), buckets.end(), index,
                             [](const Histogram::Bucket& b, std::uint16_t i) { return b.index < i; });
        return static_cast<std::size_t>(found - buckets.begin());
    }
    return at;
}

}  // namespace

// Where many samples lie nearly every bucket is in use, so the next sample's stands about as far from the last
// one's as their indices do, and never farther.
std::size_t Histogram::place_near(std::uint16_t index) const {
    const std::size_t size = buckets_.size();
    if (last_ >= size) return size;
    constexpr int kSteps = 8;
    const int away = int{index} - buckets_[last_].index;
    auto at = static_cast<std::ptrdiff_t>(last_) + away;
    if (away >= 0) {
        at = std::min(at, static_cast<std::ptrdiff_t>(size) - 1);
        for (int i = 0; i < kSteps && buckets_[static_cast<std::size_t>(at)].index > index; i++) at--;
    } else {
        at = std::max(at, std::ptrdiff_t{0});
        for (int i = 0; i < kSteps && buckets_[static_cast<std::size_t>(at)].index < index; i++) at++;
    }
    return buckets_[static_cast<std::size_t>(at)].index == index ? static_cast<std::size_t>(at) : size;
}

std::size_t Histogram::count(std::uint16_t index, std::uint64_t n) {
    auto at = std::lower_bound(buckets_.begin(), buckets_.end(), index,
                               [](const Bucket& b, std::uint16_t i) { return b.index < i; });
    if (at != buckets_.end() && at->index == index) {
        at->count += n;
    } else {
        at = buckets_.insert(at, Bucket{index, n});
    }
    return static_cast<std::size_t>(at - buckets_.begin());
}

std::size_t Histogram::count_near(std::uint16_t index, std::uint64_t n) {
    const std::size_t near = place_near(index);
    if (near >= buckets_.size()) return count(index, n);
    buckets_[near].count += n;
    return near;
}

void Histogram::add_buckets(std::span<const std::uint16_t> buckets, std::uint64_t n, std::uint64_t sum,
                            std::uint64_t max) {
    constexpr std::uint16_t last = bucket_of(kMaxValue);
    const std::uint64_t each = buckets.empty() ? 0 : n / buckets.size();
    for (const std::uint16_t bucket : buckets) count_at_last(std::min(bucket, last), each);
    count_ += each * buckets.size();
    sum_ += sum;
    max_ = std::max(max_, max);
}

// Most merges bring buckets that are there already: the same flow, a moment later. Then one pass adds them,
// and nothing moves or is allocated.
void Histogram::merge(const Histogram& other) {
    std::size_t fresh = 0, at = 0;
    for (const Bucket& bucket : other.buckets_) {
        at = find_from(buckets_, at, bucket.index);
        if (at < buckets_.size() && buckets_[at].index == bucket.index) {
            buckets_[at].count += bucket.count;
        } else {
            fresh++;
        }
    }
    if (fresh != 0) insert_missing(other, fresh);
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

// From the back, so that the room at the end is filled by what makes way.
void Histogram::insert_missing(const Histogram& other, std::size_t count) {
    std::size_t mine = buckets_.size(), theirs = other.buckets_.size(), to = mine + count;
    buckets_.resize(to);
    while (to != mine) {
        const Bucket& from = other.buckets_[theirs - 1];
        if (mine != 0 && buckets_[mine - 1].index >= from.index) {
            if (buckets_[mine - 1].index == from.index) theirs--;
            buckets_[--to] = buckets_[--mine];
        } else {
            buckets_[--to] = from;
            theirs--;
        }
    }
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
