// What a store is opened with.
#pragma once

#include <cstdint>
#include <string>

namespace weir::store {

struct Options {
    std::string path;  // a directory; it is made when it is missing
    std::int64_t detail_ns = std::int64_t{15} * 60 * 1'000'000'000;       // how long intervals are kept
    std::int64_t minute_ns = std::int64_t{48} * 60 * 60 * 1'000'000'000;  // how long minutes are kept
    std::uint64_t max_bytes = std::uint64_t{512} << 20;                   // on disk; at least kMinBytes
    std::uint64_t query_bytes = std::uint64_t{128} << 20;  // memory for the groups of all queries at work
    std::uint64_t max_groups = 1'000'000;                  // of one query
};

// For messages: what helps when the path is of no use.
inline constexpr const char* kAnotherPath = "set another path in [inputs.weir.store]";

inline constexpr std::uint64_t kMinBytes = std::uint64_t{1} << 20;

}  // namespace weir::store
