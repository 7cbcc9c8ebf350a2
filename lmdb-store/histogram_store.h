// The histograms of many groups, while rows are added to them.
//
// A hundred thousand groups with some ten buckets each must be small and fast at the same time: a group's
// buckets are a short list that is appended to and, when it is full, sorted and joined; only if it is still
// more than half full then, it moves to one of twice the size. Lists of the same size share blocks of memory.
// A group with very many buckets gets a counter for each bucket there is.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lmdb-store/histogram_column.h"
#include "lmdb-store/histogram_sum.h"
#include "lmdb-store/memory.h"
#include "plugin/flow/histogram.h"

namespace weir::store {

class HistogramStore {
public:
    // Memory for a group with some samples, to be taken from the lease by the caller. Groups share it; only
    // what they need beyond is taken here.
    static constexpr std::size_t kGroupBytes = 40 + 16 * sizeof(std::uint32_t);

    explicit HistogramStore(MemoryPool::Lease& lease) : lease_(lease) {}

    // Group numbers below `size` may be used from now on.
    void resize(std::size_t size) {
        if (size <= heads_.size()) return;
        credit_ += (size - heads_.size()) * (kGroupBytes - sizeof(Head));
        heads_.resize(size);
    }
    // The group will get many samples, and never fails for want of memory.
    void expect_many(std::size_t group);

    // Adds a row of a column that has samples.
    void add(std::size_t group, const HistogramColumn& column, std::size_t row);
    // To be called some rows before add(), so that memory is there by then: first for the group, then for its
    // list.
    [[gnu::always_inline]] void expect(std::size_t group) const { __builtin_prefetch(&heads_[group], 1); }
    [[gnu::always_inline]] void expect_list(std::size_t group) const {
        const Head& head = heads_[group];
        __builtin_prefetch(static_cast<const std::uint32_t*>(head.buckets) + head.size, 1);
    }
    // There was no room for all that was added: what is here is not right.
    bool is_exhausted() const { return is_exhausted_; }

    bool empty(std::size_t group) const { return heads_[group].buckets == nullptr; }
    Histogram histogram(std::size_t group);
    void add_to(HistogramSum& sum, std::size_t group) const;

private:
    // In a list: a bucket's index above its count, so that sorting them sorts by index. A count that is too
    // large for it makes the group dense.
    static constexpr unsigned kCountBits = 20;
    static constexpr std::uint32_t kCountMask = (std::uint32_t{1} << kCountBits) - 1;
    static_assert(kLastBucket < 1u << (32 - kCountBits));
    // With this capacity: a counter for each bucket there is.
    static constexpr std::uint32_t kDense = std::uint32_t{kLastBucket} + 1;
    static constexpr std::uint32_t kFirstCapacity = 8;
    static constexpr std::uint32_t kLastList = 512;   // more than this becomes dense
    static constexpr std::size_t kLeastBlock = 1024;  // bytes
    static constexpr std::size_t kMostBlock = 64 * 1024;

    struct Head {
        void* buckets = nullptr;  // of a list std::uint32_t, of a dense group std::uint64_t
        std::uint32_t size = 0;
        std::uint32_t capacity = 0;
        std::uint64_t sum = 0;
        std::uint64_t max = 0;
    };
    static_assert(sizeof(Head) <= 40);

    static std::uint32_t* list(const Head& head) { return static_cast<std::uint32_t*>(head.buckets); }
    static std::uint64_t* counters(const Head& head) { return static_cast<std::uint64_t*>(head.buckets); }
    static std::uint64_t count_of(std::uint32_t bucket) { return bucket & kCountMask; }
    static std::uint16_t index_of(std::uint32_t bucket) {
        return static_cast<std::uint16_t>(bucket >> kCountBits);
    }

    void append(Head& head, std::uint16_t index, std::uint64_t count);
    bool make_room(Head& head);
    bool make_dense(Head& head);
    void* allocate(std::size_t bytes);
    bool add_block(std::size_t bytes);
    void recycle(const Head& head);
    static std::uint32_t join(std::uint32_t* buckets, std::uint32_t size);
    template <typename F>
    void each_bucket(const Head& head, F f) const;

    MemoryPool::Lease& lease_;
    std::vector<Head> heads_;
    std::vector<std::unique_ptr<std::uint64_t[]>> blocks_;
    std::byte* free_ = nullptr;                   // of the last block
    std::size_t left_ = 0;                        // bytes
    std::array<std::vector<void*>, 8> recycled_;  // lists by size: 8, 16, ...
    std::uint64_t credit_ = 0;                    // bytes that the caller has taken and groups have not used
    std::uint64_t allocated_ = 0;                 // bytes
    bool is_exhausted_ = false;
};

}  // namespace weir::store
