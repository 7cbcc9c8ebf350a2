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
    static constexpr std::size_t kGroupBytes = 40 + 16 * sizeof(std::uint64_t);

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
    // There was no room for all that was added: what is here is not right.
    bool is_exhausted() const { return is_exhausted_; }

    bool empty(std::size_t group) const { return heads_[group].buckets == nullptr; }
    Histogram histogram(std::size_t group);
    void add_to(HistogramSum& sum, std::size_t group) const;

private:
    // A bucket's index above its count, so that sorting them sorts by index.
    static constexpr unsigned kCountBits = 48;
    static constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
    static constexpr std::size_t kDense = std::size_t{kLastBucket} + 1;  // this capacity: one counter each
    static constexpr std::uint32_t kFirstCapacity = 8;
    static constexpr std::uint32_t kLastList = 512;   // more than this becomes dense
    static constexpr std::size_t kLeastBlock = 1024;  // bytes
    static constexpr std::size_t kMostBlock = 64 * 1024;

    struct Head {
        std::uint64_t* buckets = nullptr;
        std::uint32_t size = 0;
        std::uint32_t capacity = 0;
        std::uint64_t sum = 0;
        std::uint64_t max = 0;
    };
    static_assert(sizeof(Head) <= 40);

    void append(Head& head, std::uint16_t index, std::uint64_t count);
    void make_room(Head& head);
    bool add_block(std::size_t capacity);
    std::uint64_t* allocate(std::size_t capacity);
    static std::uint32_t join(std::uint64_t* buckets, std::uint32_t size);

    MemoryPool::Lease& lease_;
    std::vector<Head> heads_;
    std::vector<std::unique_ptr<std::uint64_t[]>> blocks_;
    std::uint64_t* free_ = nullptr;  // of the last block
    std::size_t left_ = 0;
    std::array<std::vector<std::uint64_t*>, 8> recycled_;  // lists by size: 8, 16, ...
    std::uint64_t credit_ = 0;     // bytes that the caller has taken and groups have not used
    std::uint64_t allocated_ = 0;  // bytes
    bool is_exhausted_ = false;
};

}  // namespace weir::store
