// A sequence of unsigned numbers in few bytes: the one codec under all numeric columns.
//
// Layout:
//   varint count, u8 form, and unless count is 0:
//     constant  varint value
//     steps     varint first; each value is 1 more than the one before
//     packed    varint base, chunks of (value - base)
//     ascending varint first, varint base, chunks of (value - value before - base), count - 1 of them
//   chunk of up to 256 numbers:
//     u8 width, u8 exceptions
//     the low `width` bits of each number, packed least significant bit first, ceil(n * width / 8) bytes
//     u8 position of each exception in the chunk
//     varint bits above `width` of each exception
//
// Traffic is skewed: most flows are small and a few are huge. So each chunk has its own width and the few
// numbers that need more are patched in afterwards (the idea of PFOR: Zukowski et al., "Super-scalar
// RAM-CPU cache compression", ICDE 2006); a few large values do not widen the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/bytes.h"

namespace weir::store {

void write_sequence(ByteWriter& out, std::span<const std::uint64_t> values);

inline constexpr std::size_t kChunk = 256;

// Chunks of a sequence. Not to be asked before something was added.
class ChunkSet {
public:
    // Those that hold the values [begin, end).
    void add(std::size_t begin, std::size_t end) {
        if (begin >= end) return;
        const std::size_t last = (end - 1) / kChunk;
        if (last >= has_.size()) has_.resize(last + 1, 0);
        for (std::size_t i = begin / kChunk; i <= last; i++) has_[i] = 1;
    }
    bool has(std::size_t chunk) const { return chunk < has_.size() && has_[chunk] != 0; }

private:
    std::vector<std::uint8_t> has_;
};

// Replaces `out` with the values. Fails the reader when there are more than max_count, when one does not
// fit T, or when the bytes are not a sequence; `out` is empty then. T is std::uint32_t or std::uint64_t.
// `wanted`: chunks whose values will be looked at; values of others are left as they come.
template <typename T>
void read_sequence(ByteReader& in, std::size_t max_count, std::vector<T>& out,
                   const ChunkSet* wanted = nullptr);

extern template void read_sequence(ByteReader&, std::size_t, std::vector<std::uint32_t>&, const ChunkSet*);
extern template void read_sequence(ByteReader&, std::size_t, std::vector<std::uint64_t>&, const ChunkSet*);

}  // namespace weir::store
