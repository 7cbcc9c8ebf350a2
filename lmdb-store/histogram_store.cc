#include "lmdb-store/histogram_store.h"

#include <algorithm>
#include <bit>

namespace weir::store {
namespace {

// Lists of 8, 16, ... have places 0, 1, ...
std::size_t place_of(std::size_t capacity) { return static_cast<std::size_t>(std::bit_width(capacity)) - 4; }

}  // namespace

void HistogramStore::add(std::size_t group, const HistogramColumn& column, std::size_t row) {
    Head& head = heads_[group];
    head.sum += column.sum[row];
    head.max = std::max(head.max, column.max[row]);
    for (std::uint32_t i = column.begin[row]; i < column.begin[row + 1]; i++)
        append(head, column.index[i], column.count[i]);
}

void HistogramStore::expect_many(std::size_t group) {
    blocks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(kDense));
    Head& head = heads_[group];
    head.buckets = blocks_.back().get();
    head.capacity = static_cast<std::uint32_t>(kDense);
    std::fill_n(head.buckets, kDense, std::uint64_t{0});
}

void HistogramStore::append(Head& head, std::uint16_t index, std::uint64_t count) {
    if (head.capacity == kDense) {
        head.buckets[index] = std::min(head.buckets[index] + count, kCountMask);
        return;
    }
    if (head.size == head.capacity) {
        make_room(head);
        if (is_exhausted_) return;
        if (head.capacity == kDense) return append(head, index, count);
    }
    head.buckets[head.size++] = std::uint64_t{index} << kCountBits | count;
}

// Sorts a list and joins what has the same index. Returns how many are left.
std::uint32_t HistogramStore::join(std::uint64_t* buckets, std::uint32_t size) {
    std::sort(buckets, buckets + size);
    std::uint32_t last = 0;
    for (std::uint32_t i = 1; i < size; i++) {
        if (buckets[i] >> kCountBits == buckets[last] >> kCountBits) {
            const std::uint64_t count = (buckets[last] & kCountMask) + (buckets[i] & kCountMask);
            buckets[last] = (buckets[last] & ~kCountMask) | std::min(count, kCountMask);
        } else {
            buckets[++last] = buckets[i];
        }
    }
    return size == 0 ? 0 : last + 1;
}

void HistogramStore::make_room(Head& head) {
    head.size = join(head.buckets, head.size);
    if (head.capacity != 0 && head.size <= head.capacity / 2) return;
    const Head old = head;
    const bool is_dense = old.capacity == kLastList;
    head.capacity = is_dense            ? static_cast<std::uint32_t>(kDense)
                    : old.capacity == 0 ? kFirstCapacity
                                        : 2 * old.capacity;
    head.buckets = allocate(head.capacity);
    if (head.buckets == nullptr) {
        head = old;
        is_exhausted_ = true;
        return;
    }
    if (is_dense) {
        std::fill_n(head.buckets, kDense, std::uint64_t{0});
        for (std::uint32_t i = 0; i < old.size; i++)
            head.buckets[old.buckets[i] >> kCountBits] = old.buckets[i] & kCountMask;
    } else {
        std::copy_n(old.buckets, old.size, head.buckets);
    }
    if (old.capacity != 0) recycled_[place_of(old.capacity)].push_back(old.buckets);
}

// Blocks grow with what is there, so that a small query takes little; near the limit, only what is needed.
bool HistogramStore::add_block(std::size_t capacity) {
    const std::uint64_t wanted = std::clamp<std::uint64_t>(allocated_ / 4, kLeastBlock, kMostBlock);
    for (const std::size_t size : {std::max(wanted / sizeof(std::uint64_t), capacity), capacity}) {
        const std::uint64_t bytes = size * sizeof(std::uint64_t);
        const std::uint64_t from_credit = std::min(bytes, credit_);
        if (!lease_.take(bytes - from_credit)) continue;
        credit_ -= from_credit;
        allocated_ += bytes;
        blocks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(size));
        free_ = blocks_.back().get();
        left_ = size;
        return true;
    }
    return false;
}

std::uint64_t* HistogramStore::allocate(std::size_t capacity) {
    if (capacity != kDense && !recycled_[place_of(capacity)].empty()) {
        std::uint64_t* const out = recycled_[place_of(capacity)].back();
        recycled_[place_of(capacity)].pop_back();
        return out;
    }
    if (left_ < capacity && !add_block(capacity)) return nullptr;
    std::uint64_t* const out = free_;
    free_ += capacity;
    left_ -= capacity;
    return out;
}

Histogram HistogramStore::histogram(std::size_t group) {
    Head& head = heads_[group];
    std::vector<Histogram::Bucket> buckets;
    if (head.capacity == kDense) {
        for (std::size_t i = 0; i < kDense; i++) {
            if (head.buckets[i] != 0) buckets.push_back({static_cast<std::uint16_t>(i), head.buckets[i]});
        }
    } else if (head.size > 0) {
        head.size = join(head.buckets, head.size);
        buckets.reserve(head.size);
        for (std::uint32_t i = 0; i < head.size; i++) {
            buckets.push_back(
                {static_cast<std::uint16_t>(head.buckets[i] >> kCountBits), head.buckets[i] & kCountMask});
        }
    }
    return Histogram::from_parts(std::move(buckets), head.sum, head.max);
}

void HistogramStore::add_to(HistogramSum& sum, std::size_t group) const {
    const Head& head = heads_[group];
    if (head.capacity == kDense) {
        for (std::size_t i = 0; i < kDense; i++) {
            if (head.buckets[i] != 0) sum.add(static_cast<std::uint16_t>(i), head.buckets[i]);
        }
    } else {
        for (std::uint32_t i = 0; i < head.size; i++) {
            sum.add(static_cast<std::uint16_t>(head.buckets[i] >> kCountBits), head.buckets[i] & kCountMask);
        }
    }
    sum.add_sum(head.sum, head.max);
}

}  // namespace weir::store
