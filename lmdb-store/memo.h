// What was worked out for a fingerprint, so that it is not worked out again in the next block.
//
// Bounded: when it is full it starts anew, which costs time and changes no answer.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>

#include "lmdb-store/frame.h"

namespace weir::store {

class Memo {
public:
    // Turns to a block. What is asked next is about these tuples.
    void begin(Frame& frame, const Tuples& tuples) { frame.fingerprints(tuples, fingerprints_); }

    // What work() gave for this tuple, now or earlier.
    template <typename Work>
    std::uint32_t get(std::uint32_t code, Work work) {
        if (const auto at = known_.find(fingerprints_[code]); at != known_.end()) return at->second;
        if (known_.size() >= kMaxKnown) known_.clear();
        const std::uint32_t out = work();
        known_.emplace(fingerprints_[code], out);
        return out;
    }

private:
    static constexpr std::size_t kMaxKnown = 256 * 1024;

    struct Hash {
        std::size_t operator()(const Fingerprint& f) const { return static_cast<std::size_t>(f.low); }
    };
    tsl::robin_map<Fingerprint, std::uint32_t, Hash> known_;
    std::vector<Fingerprint> fingerprints_;
};

}  // namespace weir::store
