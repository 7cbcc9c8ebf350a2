// For tests of the decoder: checksums must not be all that keeps hostile bytes away.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "lmdb-store/block_format.h"

namespace weir::store::test {

// Makes the checksums right again after bytes were changed, as an attacker would.
inline void mend(std::vector<std::uint8_t>& block) {
    const auto load = [&](std::size_t at, auto& value) {
        std::memcpy(&value, block.data() + at, sizeof(value));
    };
    if (block.size() < kBlockHeaderSize) return;
    std::uint16_t sections = 0;
    load(6, sections);
    const std::size_t end = kBlockHeaderSize + sections * kDirectoryEntrySize;
    if (end + 8 > block.size()) return;
    for (std::size_t at = kBlockHeaderSize; at < end; at += kDirectoryEntrySize) {
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        load(at + 4, offset);
        load(at + 8, length);
        if (std::uint64_t{offset} + length > block.size()) continue;
        const auto checksum = static_cast<std::uint32_t>(XXH3_64bits(block.data() + offset, length));
        std::memcpy(block.data() + at + 12, &checksum, sizeof(checksum));
    }
    const std::uint64_t checksum = XXH3_64bits(block.data(), end);
    std::memcpy(block.data() + end, &checksum, sizeof(checksum));
}

}  // namespace weir::store::test
