// Entries of the detail and minute tables (format.h): putting, walking, dropping.
//
// Functions that return int return 0 or an LMDB error code.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lmdb-store/environment.h"
#include "lmdb-store/format.h"
#include "lmdb-store/row_encoder.h"
#include "lmdb-store/segment_writer.h"

namespace weir::store {

// An entry that is yet to be written.
struct NewEntry {
    EntryHeader header;
    std::array<std::vector<Block>, kRowParts.size()> blocks;  // in the order of kRowParts

    void set(Part part, std::size_t rows, std::vector<Block> blocks_of_part);
    std::uint64_t bytes() const;
};

// A written entry, without its blocks.
struct Entry {
    Table table = Table::detail;
    Key key;  // of the header
    EntryHeader header;
};

// Encodes a sound batch (see check_batch()), whose rows are in `runs`; the sequences of the header are left
// to the caller.
NewEntry make_entry(const Batch& batch, const RowRuns& runs, std::uint64_t segment);

// Whether a batch can be stored: indexes in range, histograms in order, an end time.
Status check_batch(const Batch& batch);

// Appends. The key's time is raised to that of the last key.
int put_entry(Transaction& transaction, Table table, std::uint64_t sequence, const NewEntry& entry);

// The first entry in order of writing. MDB_NOTFOUND when there is none; `header` is nothing when it is
// damaged.
int first_entry(const Transaction& transaction, Table table, Key& key, std::optional<EntryHeader>& header);

// Removes every key of an entry.
int erase_entry(Transaction& transaction, Table table, const Key& key);

// A block of an entry. MDB_NOTFOUND when it is not there.
int get_block(const Transaction& transaction, const Entry& entry, Part part, std::uint32_t block, Bytes& out);

// Appends to `out` the entries whose key's time is at least `from`, in order of writing, which holds all that
// end then or later. Keys of entries whose header is damaged or missing go to `damaged`. `instead`: entries
// of the endpoint table, in order of writing; the minutes that they hold are passed over.
int list_entries(const Transaction& transaction, Table table, std::uint64_t from, std::vector<Entry>& out,
                 std::vector<Key>& damaged, std::span<const Entry> instead = {});

// Puts a block of a segment, in place of those that are in it now.
int put_segment_block(Transaction& transaction, const SegmentWriter::NewBlock& block);
// Removes the segments before this one.
int erase_segments(Transaction& transaction, std::uint64_t before);
// The number of the last segment there is, 0 when there is none.
int last_segment(const Transaction& transaction, std::uint64_t& out);

int get_state(const Transaction& transaction, std::optional<State>& out);
int put_state(Transaction& transaction, const State& state);

}  // namespace weir::store
