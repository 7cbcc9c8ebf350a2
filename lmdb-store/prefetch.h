// Asks for memory before it is needed. Subjects and rows lie in tables that are larger than the caches and
// are visited in no order, so what an interval costs is mostly waiting for memory; a loop that asks for what
// comes some steps later waits little.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::store {

// How many steps ahead a loop asks.
inline constexpr std::size_t kAhead = 4;

// Small things, too, lie across the ends of cache lines. Always inline, as must be what does nothing else:
// GCC takes a function that only asks for memory for one without an effect, and leaves out the calls.
template <typename T>
[[gnu::always_inline]] inline void prefetch(std::span<const T> objects) {
    constexpr std::size_t kLine = 64, kMost = 8 * kLine;
    const char* const begin = reinterpret_cast<const char*>(objects.data());
    const char* const end = begin + std::min(objects.size_bytes(), kMost);
    for (const char* at = begin - reinterpret_cast<std::uintptr_t>(begin) % kLine; at < end; at += kLine)
        __builtin_prefetch(at);
}

template <typename T>
[[gnu::always_inline]] inline void prefetch(const T* object) {
    prefetch(std::span(object, 1));
}

}  // namespace weir::store
