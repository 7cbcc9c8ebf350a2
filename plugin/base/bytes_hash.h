// Hash and equality over the bytes of a key. Only for types without padding, where equal values have
// equal bytes.
#pragma once

#include <xxhash.h>

#include <cstddef>
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
    bool operator()(const T& a, const T& b) const { return std::memcmp(&a, &b, sizeof(T)) == 0; }
};

}  // namespace weir
