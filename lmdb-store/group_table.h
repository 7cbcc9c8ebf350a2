// The groups of an aggregation: their keys, and numbers for them. What their rows add up to is in
// group_sums.h.
//
// A key is a chain of numbers: each part (a text of a dimension) is numbered, then each pair of a prefix and
// the next part. So a group is found with one look-up of two numbers a dimension, and texts are kept once.
//
// Memory is bounded: when the pool is exhausted, or there are too many groups, rows of groups that are not
// there yet get the number kNone, of one common remainder. Totals stay exact; only names are lost.
//
// Not thread-safe.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lmdb-store/memory.h"
#include "plugin/query/query.h"

namespace weir::store {

class GroupTable {
public:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

    // `dimensions` without the step, which is one more part when `has_steps`. So many of the groups will be
    // in the answer at most: `answered`, for which memory is taken, too. A group's sums take `group_bytes`.
    GroupTable(std::size_t dimensions, bool has_steps, std::size_t max_groups, std::size_t answered,
               std::size_t group_bytes, MemoryPool::Lease& lease);

    // Number of a part of a key, of a step (by its begin). kNone when there is no room.
    std::uint32_t part(std::size_t dimension, query::KeyPart part);
    std::uint32_t step(std::int64_t time_ns);
    // The key with these parts, one number for each dimension; and the group of a key and a step, which
    // without steps is the key. kNone when there is no room.
    std::uint32_t key(std::span<const std::uint32_t> parts);
    std::uint32_t group(std::uint32_t key, std::uint32_t step);
    std::size_t size() const { return groups_; }

    // Of a group: its key without the step (equal for all steps), and the step's begin (0 without steps).
    std::uint32_t key_of(std::uint32_t group) const;
    std::int64_t time_of(std::uint32_t group) const;
    // Number of keys, which count from 0.
    std::size_t keys() const;
    std::vector<query::KeyPart> parts_of(std::uint32_t key) const;

private:
    struct Spread {
        std::size_t operator()(auto number) const {
            const std::uint64_t h = static_cast<std::uint64_t>(number) * 0x9E3779B97F4A7C15;
            return static_cast<std::size_t>(h ^ h >> 32);
        }
    };
    // Numbers pairs of a prefix and the next part.
    struct Level {
        tsl::robin_map<std::uint64_t, std::uint32_t, Spread> numbers;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
    };
    struct PartHash {
        std::size_t operator()(const query::KeyPart& part) const {
            return std::hash<std::string>()(part.text) ^ static_cast<std::size_t>(part.kind);
        }
    };
    struct Parts {
        tsl::robin_map<query::KeyPart, std::uint32_t, PartHash> numbers;
        std::vector<query::KeyPart> parts;
    };

    std::uint32_t next(Level& level, std::uint32_t prefix, std::uint32_t part, bool is_group);
    std::size_t links() const { return parts_.size() + (has_steps_ ? 1 : 0); }

    bool has_steps_;
    std::size_t max_groups_;
    std::size_t answered_;
    std::size_t group_bytes_;
    MemoryPool::Lease& lease_;
    std::vector<Parts> parts_;
    tsl::robin_map<std::int64_t, std::uint32_t, Spread> step_numbers_;
    std::vector<std::int64_t> steps_;
    std::vector<Level> levels_;  // one for each part and the step; the first has no prefix (0)
    std::size_t groups_ = 0;
};

}  // namespace weir::store
