#include "lmdb-store/histogram_store.h"

#include <algorithm>
#include <bit>

namespace weir::store {
namespace {

// Lists of 8, 16, ... have places 0, 1, ...
std::size_t place_of(std::size_t capacity) { return static_cast<std::size_t>(std::bit_width(capacity)) - 4; }

}  // namespace

void HistogramStore::expect_many(std::size_t group) {
    blocks_.push_back(std::make_unique<std::uint64_t[]>(kDense));
    heads_[group].buckets = blocks_.back().get();
    heads_[group].capacity = kDense;
}

void HistogramStore::add(std::size_t group, const HistogramColumn& column, std::size_t row) {
    Head& head = heads_[group];
    head.sum += column.sum[row];
    head.max = std::max(head.max, column.max[row]);
    for (std::uint32_t i = column.begin[row]; i < column.end[row]; i++)
        append(head, column.index[i], column.count[i]);
}

void HistogramStore::append(Head& head, std::uint16_t index, std::uint64_t count) {
    if (head.capacity != kDense) {
        const bool has_room =
            count > kCountMask ? make_dense(head) : head.size < head.capacity || make_room(head);
        if (!has_room) {
            is_exhausted_ = true;
            return;
        }
    }
    if (head.capacity == kDense) {
        counters(head)[index] += count;
    } else {
        list(head)[head.size++] = std::uint32_t{index} << kCountBits | static_cast<std::uint32_t>(count);
    }
}

// Sorts a list and joins what has the same index, as far as the counts have room. Returns how many are left.
std::uint32_t HistogramStore::join(std::uint32_t* buckets, std::uint32_t size) {
    std::sort(buckets, buckets + size);
    std::uint32_t last = 0;
    for (std::uint32_t i = 1; i < size; i++) {
        const std::uint64_t count = count_of(buckets[last]) + count_of(buckets[i]);
        if (index_of(buckets[i]) == index_of(buckets[last]) && count <= kCountMask) {
            buckets[last] += static_cast<std::uint32_t>(count_of(buckets[i]));
        } else {
            buckets[++last] = buckets[i];
        }
    }
    return size == 0 ? 0 : last + 1;
}

bool HistogramStore::make_room(Head& head) {
    head.size = join(list(head), head.size);
    // A quarter free is enough to go on with.
    if (head.capacity != 0 && head.size <= head.capacity / 4 * 3) return true;
    if (head.capacity == kLastList) return make_dense(head);
    const std::uint32_t capacity = head.capacity == 0 ? kFirstCapacity : 2 * head.capacity;
    auto& recycled = recycled_[place_of(capacity)];
    void* buckets = nullptr;
    if (!recycled.empty()) {
        buckets = recycled.back();
        recycled.pop_back();
    } else if ((buckets = allocate(capacity * sizeof(std::uint32_t))) == nullptr) {
        return false;
    }
    std::copy_n(list(head), head.size, static_cast<std::uint32_t*>(buckets));
    recycle(head);
    head.buckets = buckets;
    head.capacity = capacity;
    return true;
}

bool HistogramStore::make_dense(Head& head) {
    auto* const all = static_cast<std::uint64_t*>(allocate(kDense * sizeof(std::uint64_t)));
    if (all == nullptr) return false;
    std::fill_n(all, kDense, std::uint64_t{0});
    each_bucket(head, [all](std::uint16_t index, std::uint64_t count) { all[index] += count; });
    recycle(head);
    head.buckets = all;
    head.capacity = kDense;
    return true;
}

void HistogramStore::recycle(const Head& head) {
    if (head.capacity != 0) recycled_[place_of(head.capacity)].push_back(head.buckets);
}

template <typename F>
void HistogramStore::each_bucket(const Head& head, F f) const {
    if (head.capacity == kDense) {
        for (std::uint32_t i = 0; i < kDense; i++) {
            if (counters(head)[i] != 0) f(static_cast<std::uint16_t>(i), counters(head)[i]);
        }
    } else {
        for (std::uint32_t i = 0; i < head.size; i++) f(index_of(list(head)[i]), count_of(list(head)[i]));
    }
}

void* HistogramStore::allocate(std::size_t bytes) {
    if (left_ < bytes && !add_block(bytes)) return nullptr;
    void* const out = free_;
    free_ += bytes;
    left_ -= bytes;
    return out;
}

// Blocks grow with what is there, so that a small query takes little; near the limit, only what is needed.
bool HistogramStore::add_block(std::size_t least) {
    const std::size_t wanted = std::clamp<std::size_t>(allocated_ / 4, kLeastBlock, kMostBlock);
    for (const std::size_t size : {std::max(wanted, least), least}) {
        const std::size_t words = (size + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
        const std::uint64_t bytes = words * sizeof(std::uint64_t);
        const std::uint64_t from_credit = std::min(bytes, credit_);
        if (!lease_.take(bytes - from_credit)) continue;
        credit_ -= from_credit;
        allocated_ += bytes;
        blocks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(words));
        free_ = reinterpret_cast<std::byte*>(blocks_.back().get());
        left_ = bytes;
        return true;
    }
    return false;
}

Histogram HistogramStore::histogram(std::size_t group) {
    Head& head = heads_[group];
    if (head.capacity != kDense) head.size = join(list(head), head.size);
    std::vector<Histogram::Bucket> buckets;
    buckets.reserve(head.capacity == kDense ? 0 : head.size);
    each_bucket(head, [&](std::uint16_t index, std::uint64_t count) {
        // What did not fit into one count is in several.
        if (!buckets.empty() && buckets.back().index == index) {
            buckets.back().count += count;
        } else {
            buckets.push_back({index, count});
        }
    });
    return Histogram::from_parts(std::move(buckets), head.sum, head.max);
}

void HistogramStore::add_to(HistogramSum& sum, std::size_t group) const {
    const Head& head = heads_[group];
    each_bucket(head, [&](std::uint16_t index, std::uint64_t count) { sum.add(index, count); });
    sum.add_sum(head.sum, head.max);
}

}  // namespace weir::store
