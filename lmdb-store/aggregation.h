// One aggregate query at work: takes segments and their blocks of rows, gives the answer.
//
// What a group is depends on the subject of a row and not on the row (but for the rare dimension that is a
// measure). So each subject's group is worked out once, when the first row of it comes by, and a row costs a
// look-up by number and the additions. Texts are handled once a distinct value and segment.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "lmdb-store/frame.h"
#include "lmdb-store/group_sums.h"
#include "lmdb-store/group_table.h"
#include "lmdb-store/memo.h"
#include "lmdb-store/predicate.h"
#include "lmdb-store/row_block.h"
#include "plugin/query/query.h"

namespace weir::store {

class Aggregation {
public:
    // The query must outlive this.
    Aggregation(const query::AggregateQuery& query, std::size_t max_groups, MemoryPool& memory);

    // Whether rows of the endpoint table can answer, as far as the query says.
    bool fits_endpoints() const;

    // Whether all segments and blocks must be given to look_at() before the first begin(). Errors: as of
    // add().
    bool looks_first() const { return predicate_.needs_pairs(); }
    // False: nothing of the segment need be looked at. For endpoints true means that they do not tell enough.
    bool begin_look(Frame& frame);
    Status look_at(RowBlock& block);
    void end_look(Frame& frame);
    // Whether the look has found flows between ends of this host that are asked for.
    bool has_pairs() const { return predicate_.has_pairs(); }

    // Turns to a segment. False when none of its rows is wanted.
    bool begin(Frame& frame);
    // Whether rows of subjects from `first` to `last` may be wanted.
    bool wants(std::uint32_t first, std::uint32_t last) const;
    // Adds the rows of a block of an entry. Returns how many of its rows could not be read. On an error
    // (storage) the block is damaged, and nothing of it has been added.
    Result<std::uint64_t> add(RowBlock& block, const Entry& entry);

    // Resolution, losses and reconciled are the caller's. Errors: timeout (the budget of the query),
    // no_memory.
    Result<query::AggregateResult> finish();

private:
    struct DimensionState {
        query::Dimension dimension;
        Dependencies needs;
        Memo memo;
        const Tuples* tuples = nullptr;      // of the segment
        std::vector<std::uint32_t> numbers;  // by code of the tuples: the part's number, or kUnknown
    };
    // How a sum is read from a block.
    struct SumSource {
        enum class Kind : std::uint8_t { column, client_sent, server_sent, status_class, dns_error };
        Kind kind = Kind::column;
        Section section = Section::count;
        std::uint64_t status_class = 0;
        GroupSums::Sum member = nullptr;
    };

    void plan_sums();
    template <typename Row>
    void plan_columns();
    AttributeSet needs() const;

    std::uint32_t number_subject(std::uint32_t subject);
    std::uint32_t part_of(std::size_t dimension, std::uint32_t subject);
    void begin_step(std::int64_t end_ns);
    Result<std::size_t> place(RowBlock& block, const Entry& entry);
    Result<std::size_t> place_minutes(const RowBlock& block);
    std::pair<std::size_t, std::size_t> wanted_rows(const RowBlock& block) const;
    std::uint32_t key_of(std::uint32_t subject);
    std::uint32_t place_of_key(std::uint32_t key);
    std::size_t place_subjects(const RowBlock& block);
    Status place_rows(RowBlock& block);
    Status place_by_measures(RowBlock& block);
    std::uint32_t part_of_row(std::size_t dimension, const RowBlock& block, std::uint32_t row);
    Status load_column(const RowBlock& block, const SumSource& source, const std::vector<std::uint32_t>* rows,
                       std::vector<std::uint64_t>& out);

    std::vector<query::Measures> key_totals();
    bool write_groups(const std::vector<std::uint32_t>& chosen, std::vector<query::Group>& out);
    std::vector<std::uint32_t> rank_keys(const std::vector<query::Measures>& totals);

    const query::AggregateQuery& query_;
    const query::MeasureSet measures_;
    MemoryPool::Lease lease_;
    Predicate predicate_;
    std::vector<DimensionState> dimensions_;
    bool keys_on_measures_ = false;
    std::vector<SumSource> sources_;
    std::vector<Section> histogram_sections_;
    std::vector<GroupSums::Distribution> distributions_;
    std::optional<GroupTable> groups_;
    std::optional<GroupSums> sums_;

    // Of the segment.
    Frame* frame_ = nullptr;
    Mask mask_;
    Mask shown_;  // while looking first
    // By subject: its key as a place (see GroupSums), or what is below.
    std::vector<std::uint32_t> key_of_subject_;
    std::vector<std::uint8_t> is_client_;  // by flow

    // Of the step.
    std::int64_t step_ns_ = -1;
    std::uint32_t step_ = 0;
    std::vector<std::uint32_t> place_of_key_;
    std::vector<std::uint32_t> keys_of_step_;

    // Of the block.
    std::uint64_t lost_ = 0;
    const EntryHeader* hour_ = nullptr;            // its entry, when it is of the endpoint table; then:
    std::vector<std::uint64_t> minutes_, counts_;  // Section::minute and Section::rows
    Mask row_mask_;
    std::vector<std::uint32_t> places_;
    std::vector<std::uint32_t> rows_;  // that are taken, when they are few
    std::vector<std::vector<std::uint64_t>> columns_;
    std::vector<HistogramColumn> histogram_columns_;
    std::vector<std::uint64_t> written_, read_;
    std::vector<std::uint32_t> parts_;
};

}  // namespace weir::store
