// One aggregate query at work: takes blocks, gives the answer.
//
// For each block: which rows are taken (Predicate), to which of the block's own groups they belong (tuples
// of the attributes that the dimensions depend on), what these add up to, and only then which groups of the
// answer they are. So the work on a row is adding numbers; texts are handled once a group and block.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "lmdb-store/frame.h"
#include "lmdb-store/group_table.h"
#include "lmdb-store/measure_sum.h"
#include "lmdb-store/memo.h"
#include "lmdb-store/predicate.h"
#include "plugin/query/query.h"

namespace weir::store {

class Aggregation {
public:
    // The query must outlive this.
    Aggregation(const query::AggregateQuery& query, std::size_t max_groups, MemoryPool& memory);

    // Whether all blocks must be given to look_at() before the first add(). Errors: as of add().
    bool looks_first() const { return predicate_.needs_pairs(); }
    Status look_at(Frame& frame);

    // Adds the rows of an opened block, which have the time `end_ns`. On an error (storage) the block is
    // damaged, and nothing of it has been added.
    Status add(Frame& frame, std::int64_t end_ns);

    // Resolution and losses are the caller's. Errors: timeout (the budget of the query).
    Result<query::AggregateResult> finish();

private:
    struct DimensionState {
        query::Dimension dimension;
        Dependencies needs;
        Memo memo;
        // Of the block: by code of the tuples, whether the part's number is known, and which it is.
        const Tuples* tuples = nullptr;  // none: every row for itself
        std::vector<std::uint8_t> known;
        std::vector<std::uint32_t> numbers;
    };

    // A block's own groups.
    struct Local {
        const Tuples* tuples = nullptr;      // none: every row is a group
        std::vector<std::uint32_t> rows;     // rows that are taken
        std::vector<std::uint32_t> group;    // of each of them
        std::vector<std::uint32_t> counts;   // rows of each group
        std::vector<std::uint32_t> numbers;  // of each group: which one it is in the answer
    };

    Dependencies needs() const;
    void group_rows(Frame& frame, const Mask& mask);
    std::uint32_t part_of(Frame& frame, std::size_t dimension, std::uint32_t row);
    void number_groups(Frame& frame, std::int64_t end_ns);
    template <typename Row>
    Status load_measures(const Frame& frame);
    template <typename Row>
    void add_measures(const Frame& frame);
    void add_sums(const std::vector<std::uint64_t>& numbers, std::uint64_t query::Measures::*member);
    void add_sent(const Frame& frame, const std::vector<std::uint64_t>& written,
                  const std::vector<std::uint64_t>& read);
    void add_statuses(const Frame& frame, const std::vector<std::uint64_t>& counts);
    void add_histograms(const HistogramColumn& column, Histogram query::Measures::*member);
    void sort_rows_by_group();

    std::vector<query::Measures> key_totals() const;
    std::vector<std::uint32_t> rank_keys(const std::vector<query::Measures>& totals) const;

    const query::AggregateQuery& query_;
    query::MeasureSet measures_;
    Predicate predicate_;
    std::vector<DimensionState> dimensions_;
    Dependencies group_needs_;
    GroupTable groups_;

    Mask mask_;
    Local local_;
    std::vector<std::vector<std::uint64_t>> number_columns_;
    std::vector<HistogramColumn> histogram_columns_;
    std::vector<std::uint64_t> sums_;
    std::vector<std::uint32_t> group_begin_;  // by group: where its rows begin in rows_by_group_
    std::vector<std::uint32_t> rows_by_group_;
    HistogramSum histogram_sum_;
};

}  // namespace weir::store
