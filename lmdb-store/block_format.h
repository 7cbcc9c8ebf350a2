// A block: some thousand rows of one part of an entry, or some thousand subjects of a segment, column by
// column.
//
//   u32 magic, u8 version (2), u8 part (Part in columns.h), u16 number of sections, u32 rows, u32 first: of
//     subjects, the number of the first one; of rows 0
//   for each section: u16 section, u16 0, u32 offset from the block's begin, u32 length,
//     u32 checksum (XXH3, low half) of the section's bytes
//   u64 checksum (XXH3) of all before it
//   the sections
//
// Sections (Section in columns.h):
//   texts       sequence of lengths, then the bytes
//   flow        sequence: for each subject, the number of its flow
//   subjects    sequence, ascending: for each row, the number of its subject
//   attributes  dictionary: ascending sequence of the distinct values; then the codes: a sequence of
//               indexes into the dictionary, one for each subject. Texts are their numbers.
//               Dictionary of addresses: ascending sequence of the IPv4 ones as numbers, varint number of
//               the others, those in 16 bytes each.
//   numbers     varint lowest, varint highest, sequence of one for each row. A query that asks for numbers
//               outside of that range reads no further.
//   histograms  see histogram_column.h
//
// Each column stands by itself with its own checksum, so a query reads, and checks, only the columns that
// it names. Blocks are small enough that LMDB, which needs consecutive pages for a value, finds room for
// them in a full file, and that a damaged one costs little.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::store {

inline constexpr std::uint32_t kBlockMagic = 0x4b424c57;  // "WLBK"
inline constexpr std::uint8_t kBlockVersion = 2;
inline constexpr std::size_t kBlockHeaderSize = 16;
inline constexpr std::size_t kDirectoryEntrySize = 16;

// What the encoder puts into one block; the last row may take it over the limit of buckets, the last text
// over the limit of bytes.
inline constexpr std::size_t kBlockRows = 16384;
inline constexpr std::size_t kEndpointBlockRows = 1024;  // a query for one endpoint reads one block
inline constexpr std::size_t kBlockBuckets = 128 * 1024;
inline constexpr std::size_t kBlockSubjects = 4096;
inline constexpr std::size_t kBlockTextBytes = 64 * 1024;

// What the reader accepts, so that a hostile block cannot ask for much memory.
inline constexpr std::size_t kMaxBlockRows = 65536;
inline constexpr std::size_t kMaxBlockBuckets = 2 * kBlockBuckets;

}  // namespace weir::store
