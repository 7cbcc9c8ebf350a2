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

#include "lmdb-store/endpoint_rollup.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/row_sums.h"
#include "lmdb-store/segment_writer.h"

namespace weir::store {

// A part of a minute, for the minute table and for the endpoint table.
struct ClosedPart {
    NewEntry minute;
    std::optional<EndpointRows> by_endpoint;  // unless one of its rows has no endpoint
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
    // When all is encoded; the rollup is empty afterwards.
    ClosedPart take();

private:
    template <typename Row>
    struct Layer {
        RowSums<Row> rows;
        std::vector<std::uint32_t> endpoints;  // of each row
        bool has_endpoints = true;             // all of them
        // once they are begun
        std::optional<RowEncoder<Row>> encoder;
        std::optional<EndpointSums<Row>> by_endpoint;  // of as many rows as are encoded
        std::vector<Block> blocks;

        void add(const Batch& batch, const RowSubjects& subjects);
        void begin_encoding();
        void take(ClosedPart& out, EndpointRows& sums);
    };
    template <typename F>
    void each_layer(F f) {
        f(l4_);
        f(l7_);
        f(dns_);
    }
    std::size_t rows() const { return l4_.rows.size() + l7_.rows.size() + dns_.rows.size() + slow_.size(); }

    Layer<L4Row> l4_;
    Layer<L7Row> l7_;
    Layer<DnsRow> dns_;
    RowSums<SlowRow> slow_;
    std::optional<RowEncoder<SlowRow>> slow_encoder_;
    std::vector<Block> slow_blocks_;
    EntryHeader header_;
};

}  // namespace weir::store
