// Memory that belongs together, counted to the byte and with a ceiling: what many connections may keep
// at once. Allocation beyond it fails as if the machine had no more.
//
// Not thread-safe.
#pragma once

#include <cstddef>

namespace weir::protocol {

class MemoryBudget {
public:
    explicit MemoryBudget(std::size_t limit) : limit_(limit) {}

    // False, and nothing is taken, when it would go beyond the limit.
    bool take(std::size_t bytes) {
        if (bytes > limit_ || used_ > limit_ - bytes) return false;
        used_ += bytes;
        return true;
    }
    void give_back(std::size_t bytes) { used_ -= bytes; }
    std::size_t used() const { return used_; }
    std::size_t limit() const { return limit_; }

private:
    const std::size_t limit_;
    std::size_t used_ = 0;
};

}  // namespace weir::protocol
