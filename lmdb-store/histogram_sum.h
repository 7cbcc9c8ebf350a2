// Adds up many histograms at a cost that depends on what is added and not on what is there already.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "lmdb-store/histogram_column.h"

namespace weir::store {

class HistogramSum {
public:
    HistogramSum() : counts_(std::size_t{kLastBucket} + 1) {}

    void add(std::uint16_t index, std::uint64_t count) {
        if (counts_[index] == 0) touched_.push_back(index);
        counts_[index] += count;
    }
    void add_sum(std::uint64_t sum, std::uint64_t max) {
        sum_ += sum;
        max_ = std::max(max_, max);
    }

    // What was added; nothing is left.
    Histogram take() {
        std::sort(touched_.begin(), touched_.end());
        std::vector<Histogram::Bucket> buckets;
        buckets.reserve(touched_.size());
        for (const std::uint16_t index : touched_) {
            // A bucket whose count came to 0 in between was noted twice.
            if (const std::uint64_t count = std::exchange(counts_[index], 0); count != 0)
                buckets.push_back({index, count});
        }
        touched_.clear();
        return Histogram::from_parts(std::move(buckets), std::exchange(sum_, 0), std::exchange(max_, 0));
    }

private:
    std::vector<std::uint64_t> counts_;
    std::vector<std::uint16_t> touched_;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace weir::store
