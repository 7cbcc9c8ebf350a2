// The minute in work: intervals merged until their minute is over.
//
// Intervals are kept as the runs that they were encoded from (row_run.h) and added up when the minute is
// over, or when they take too much memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "lmdb-store/endpoint_rollup.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/row_encoder.h"
#include "lmdb-store/row_run.h"
#include "lmdb-store/run_merge.h"

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
    void add(RowRuns&& runs, const EntryHeader& header);
    // Losses and counters are added by add() once an interval: rows of further blocks come without.
    void add_rows(RowRuns&& runs);

    // Adds up and encodes about so many rows, to begin with; true when all are. Nothing is to be added after
    // that.
    bool encode(std::size_t rows);
    // When all is encoded; the rollup is empty afterwards.
    ClosedPart take();

private:
    // Of one part of rows.
    template <typename Row>
    struct Layer {
        std::vector<RowRun<Row>> runs;
        // once they are begun: then it stays where it is, for these refer to the sums
        std::optional<RunMerge<Row>> merge;
        RowRun<Row> sums;
        std::optional<RowEncoder<Row>> encoder;
        std::optional<EndpointSums<Row>> by_endpoint;
        std::vector<Block> blocks;

        void add(RowRun<Row>&& run);
        void add_up();
        std::size_t bytes() const;
        std::size_t rows() const;  // at least
        bool encode(std::size_t& rows);
        void begin_encoding();
        void encode_blocks(std::size_t& rows);
        bool sum_endpoints(std::size_t& rows);
        void take(ClosedPart& out, EndpointRows& sums_of_endpoints, bool& has_endpoints);
    };
    template <typename F>
    void each_layer(F f) {
        std::apply([&](auto&... layer) { (f(layer), ...); }, layers_);
    }
    template <typename F>
    void each_layer(F f) const {
        std::apply([&](const auto&... layer) { (f(layer), ...); }, layers_);
    }
    bool is_full() const;
    std::size_t bytes() const;

    std::tuple<Layer<L4Row>, Layer<L7Row>, Layer<DnsRow>, Layer<SlowRow>> layers_;
    EntryHeader header_;
};

}  // namespace weir::store
