// How history lies in LMDB: format version 3.
//
// The environment (data.mdb, lock.mdb) has five databases:
//   meta     "format": what this file is, and in which version. "state": see State.
//   detail   one entry for each interval that was appended.
//   minute   one entry for each minute, merged from the intervals that end in it. A minute that was
//            written in parts (a restart, a clock step, a very large minute) has one entry a part.
//   endpoint the rows of up to an hour of minutes once more, those of a minute that have the same end on this
//            host added up: what is asked of a host, or of all, over days is read from a few of these
//            instead of thousands of minutes. It says nothing that the minutes do not say: when it is
//            damaged or missing, as for the minutes before a crash, they answer.
//   segment  what rows are about: texts, flows, requests, DNS lookups, endpoints, numbered in a segment of
//   the
//            history. The rows of all tables refer to them, so a flow that is seen in a thousand intervals
//            is stored once.
//
// An entry is a header and blocks of rows, as values under consecutive keys of kKeySize bytes, big-endian
// so that LMDB's order is the order of writing:
//   u64 time      end of the interval or minute in ns, but never less than in the key before: the
//                 order holds when the wall clock steps back. The true time is in the header.
//   u64 sequence  counts entries of the table, from 1
//   u8  part      0 header, then the parts of rows (Part in columns.h)
//   u16 block     0 for the header; else counts the blocks of the part
// Entries are only appended at the end and dropped at the beginning. An entry of the endpoint table has the
// sequence of its first minute, and is dropped with that minute.
//
// A segment's keys have kSegmentKeySize bytes, big-endian:
//   u64 segment   counts segments, from 1
//   u8  part      texts, flows, requests, lookups or endpoints (Part in columns.h)
//   u32 first     number of the first subject in the block. Texts count from 1, 0 being the empty one;
//                 the others from 0.
// Transactions that bring new subjects add a block, and join the last small ones into it. A segment ends when
// it has many subjects, after a part of the retention, when the host's name changes and with the process; it
// is dropped when no entry refers to it any more.
//
// Header value: see EntryHeader. Numbers are varints (bytes.h) and texts have their length in front:
//   u8 version (3), begin, end (both zigzag), host, service, segment, first and last sequence,
//   number of parts, then for each its u8 part, rows and blocks,
//   number of losses, then name and amount of each loss that is not 0,
//   number of the kernel's counters, then name, kernel's value and seen value of each that was read,
//   number of blocks, then the first subject of each (endpoint table; else number 0),
//   u64 checksum (XXH3) of all before it
// Losses and counters are named, so that their order may change between releases.
//
// Block value: see block_format.h.
//
// Versions: 1 (before 0.2) kept flows in every block. It is not read: such a file is set aside.
// 2 had no endpoint table, no endpoints in segments, and headers (of version 2) without first subjects. It is
// read, and is of version 3 from the first time it is opened to be written.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lmdb-store/bytes.h"
#include "lmdb-store/columns.h"
#include "plugin/base/ledger.h"
#include "plugin/flow/batch.h"
#include "plugin/query/measures.h"

namespace weir::store {

inline constexpr std::uint32_t kFormatVersion = 3;
inline constexpr std::uint32_t kOldestFormat = 2;  // that is read

enum class Table : std::uint8_t { detail, minute, endpoint };
inline constexpr std::array kTables = {Table::detail, Table::minute, Table::endpoint};

struct Key {
    std::uint64_t time = 0;
    std::uint64_t sequence = 0;
    Part part = Part::header;
    std::uint16_t block = 0;
};
inline constexpr std::size_t kKeySize = 19;
using KeyBytes = std::array<std::uint8_t, kKeySize>;

KeyBytes encode_key(const Key& key);
// Nothing when it has another size. The part may be one that is not known.
std::optional<Key> decode_key(Bytes bytes);

struct SegmentKey {
    std::uint64_t segment = 0;
    Part part = Part::texts;
    std::uint32_t first = 0;
};
inline constexpr std::size_t kSegmentKeySize = 13;
using SegmentKeyBytes = std::array<std::uint8_t, kSegmentKeySize>;

SegmentKeyBytes encode_segment_key(const SegmentKey& key);
std::optional<SegmentKey> decode_segment_key(Bytes bytes);

// Rows of one part of an entry, and the blocks that hold them.
struct PartSize {
    std::uint64_t rows = 0;
    std::uint32_t blocks = 0;
};

struct EntryHeader {
    std::int64_t begin_ns = 0;  // wall time
    std::int64_t end_ns = 0;    // of the interval; of a minute, or the last minute: its end
    std::string host;
    std::string service;
    std::uint64_t segment = 0;  // of the subjects
    std::array<PartSize, kRowParts.size()> parts{};
    // What it is made of: intervals (sequences of the detail table) for a minute, minutes for an entry of the
    // endpoint table; of an interval: itself.
    std::uint64_t first_sequence = 0;
    std::uint64_t last_sequence = 0;
    LossCounts losses{};
    ReconciledCounts reconciled{};
    // Of each block, part by part: its first subject. Of entries of the endpoint table only, whose begin is
    // that of its first minute.
    std::vector<std::uint32_t> first_subjects;

    const PartSize& size(Part part) const { return parts[place_of(part)]; }
    PartSize& size(Part part) { return parts[place_of(part)]; }
    std::uint64_t rows() const {
        std::uint64_t out = 0;
        for (const PartSize& part : parts) out += part.rows;
        return out;
    }

private:
    static constexpr std::size_t place_of(Part part) {
        std::size_t i = 0;
        while (i + 1 < kRowParts.size() && kRowParts[i] != part) i++;
        return i;
    }
};

void encode_header(const EntryHeader& header, std::vector<std::uint8_t>& out);
// Nothing when the bytes are damaged.
std::optional<EntryHeader> decode_header(Bytes bytes);

// What the store goes on from. Changes with every transaction.
struct State {
    std::uint64_t store_id = 0;              // when the store was made: cursors of another store are refused
    std::uint64_t next_sequence = 1;         // of detail
    std::uint64_t next_minute_sequence = 1;  // of minute
    std::uint64_t rolled_through = 0;        // last sequence of detail that a minute holds
    std::int64_t detail_dropped_ns = 0;      // end of the newest interval that was dropped, 0 = none
};
inline constexpr std::size_t kStateSize = 48;  // five u64, then the checksum (XXH3) over them
std::array<std::uint8_t, kStateSize> encode_state(const State& state);
std::optional<State> decode_state(Bytes bytes);

// "format": 8 bytes of magic, u32 version, u32 checksum (XXH3, low half) of the 12 bytes before. This much
// stays the same in every version, so that an older Weir can tell a newer store from a damaged one.
inline constexpr std::size_t kFormatSize = 16;
std::array<std::uint8_t, kFormatSize> encode_format(std::uint32_t version);
// The version; nothing when the bytes are not Weir's.
std::optional<std::uint32_t> decode_format(Bytes bytes);

inline constexpr std::int64_t kMinute = 60'000'000'000;

// Times that the store accepts: after 1970, and with room to add to.
inline constexpr std::int64_t kMaxTime = std::int64_t{1} << 62;
constexpr bool is_time(std::int64_t ns) { return ns > 0 && ns <= kMaxTime; }

// Down to a multiple of `step`, for times before 1970, too.
constexpr std::int64_t floor_to(std::int64_t time, std::int64_t step) {
    const std::int64_t rest = time % step;
    return time - (rest < 0 ? rest + step : rest);
}
// The minute that an interval belongs to: the one in which it ends, where an end on the minute still
// belongs to the minute before. Returned is the end of that minute, which is the time of its rows.
constexpr std::int64_t minute_end(std::int64_t interval_end_ns) {
    return floor_to(interval_end_ns - 1, kMinute) + kMinute;
}

}  // namespace weir::store
