// The minute in work: intervals merged until their minute is over.
//
// Sums add and histograms merge, so a minute says the same as its intervals, for as long as it is kept. Rows
// are found by the number of their subject, so an interval costs no look-ups beyond those of its segment.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lmdb-store/entries.h"
#include "lmdb-store/segment_writer.h"

namespace weir::store {

// Rows of one part, one for each subject.
template <typename Row>
class RowSums {
public:
    void add(std::span<const Row> rows, std::span<const std::uint32_t> subjects);
    std::size_t size() const { return subjects_.size(); }
    RowEncoder<Row> encoder() const { return {std::span(rows_).first(subjects_.size()), subjects_}; }
    void clear();

private:
    void add(std::uint32_t subject, const Row& row);
    const Row* find(std::uint32_t subject) const;

    std::vector<std::uint32_t> place_of_;  // by subject: its row, or kNone
    std::vector<std::uint32_t> subjects_;
    std::vector<Row> rows_;  // the first of these; the others wait to be used again
};

class Rollup {
public:
    bool empty() const { return header_.last_sequence == 0; }
    std::uint64_t segment() const { return header_.segment; }

    // Whether an interval with this end is of another minute than the one in work.
    bool begins_minute(std::int64_t end_ns) const { return empty() || header_.end_ns != minute_end(end_ns); }

    // Whether an interval belongs to the same part of the same minute. False when another part must begin:
    // another minute (a step back of the clock included), another segment, or too many rows.
    bool takes(const EntryHeader& header) const;

    // The header is the interval's as it was stored: with its segment, sequence and losses.
    void add(const Batch& batch, const RowSubjects& subjects, const EntryHeader& header);
    // Losses and counters are added by add() once an interval: rows of further blocks come without.
    void add_rows(const Batch& batch, const RowSubjects& subjects);

    // Encodes about so many rows, to begin with; true when all are. Nothing is to be added after that.
    bool encode(std::size_t rows);
    // The entry for the minute table, when all is encoded; the rollup is empty afterwards.
    NewEntry take();

private:
    std::size_t rows() const { return l4_.size() + l7_.size() + dns_.size() + slow_.size(); }

    RowSums<L4Row> l4_;
    RowSums<L7Row> l7_;
    RowSums<DnsRow> dns_;
    RowSums<SlowRow> slow_;
    EntryHeader header_;

    template <typename Row>
    struct PartEncoding {
        RowEncoder<Row> encoder;
        std::vector<Block> blocks;
    };
    struct Encoding {
        PartEncoding<L4Row> l4;
        PartEncoding<L7Row> l7;
        PartEncoding<DnsRow> dns;
        PartEncoding<SlowRow> slow;
    };
    std::optional<Encoding> encoding_;
};

}  // namespace weir::store
