// Hash and equality over the bytes of a key. Only for types without padding, where equal values have
// equal bytes.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weir {

template <typename T>
struct BytesHash {
    static_assert(std::has_unique_object_representations_v<T>);
    std::size_t operator()(const T& value) const { return XXH3_64bits(&value, sizeof(value)); }
};

template <typename T>
struct BytesEqual {
    static_assert(std::has_unique_object_representations_v<T>);
    bool operator()(const T& a, const T& b) const {
        if constexpr (sizeof(T) % sizeof(std::uint64_t) != 0) {
            return std::memcmp(&a, &b, sizeof(T)) == 0;
        } else {
            // in place: most keys that are compared are equal, and a call costs more than their few words
            const auto* const x = reinterpret_cast<const unsigned char*>(&a);
            const auto* const y = reinterpret_cast<const unsigned char*>(&b);
            std::uint64_t difference = 0;
#pragma GCC unroll 16
            for (std::size_t at = 0; at < sizeof(T); at += sizeof(std::uint64_t))
                difference |= word(x + at) ^ word(y + at);
            return difference == 0;
        }
    }

private:
    static std::uint64_t word(const unsigned char* at) {
        std::uint64_t out;
        std::memcpy(&out, at, sizeof(out));
        return out;
    }
};

}  // namespace weir
