// A ceiling on what the queries of a store hold in memory together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::store {

// Thread-safe.
class MemoryPool {
public:
    explicit MemoryPool(std::uint64_t limit) : limit_(limit) {}

    // What one query has taken; given back with it.
    class Lease {
    public:
        explicit Lease(MemoryPool& pool) : pool_(pool) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { pool_.used_.fetch_sub(taken_, std::memory_order_relaxed); }

        // False, and nothing taken, when the pool is exhausted.
        bool take(std::uint64_t bytes) {
            if (pool_.used_.fetch_add(bytes, std::memory_order_relaxed) + bytes > pool_.limit_) {
                pool_.used_.fetch_sub(bytes, std::memory_order_relaxed);
                return false;
            }
            taken_ += bytes;
            return true;
        }

    private:
        MemoryPool& pool_;
        std::uint64_t taken_ = 0;
    };

private:
    const std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};
};

}  // namespace weir::store
