// One records query at work: takes a plan's entries, newest first, and fills a page.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "lmdb-store/frame.h"
#include "lmdb-store/page_cursor.h"
#include "lmdb-store/predicate.h"
#include "lmdb-store/row_block.h"
#include "plugin/flow/batch_builder.h"
#include "plugin/query/query.h"

namespace weir::store {

class RecordScan {
public:
    // The query must outlive this. `after`: the cursor of the page before.
    RecordScan(const query::RecordQuery& query, const std::optional<PageCursor>& after);

    Part part() const { return part_; }

    // Whether the entry has anything that is still wanted.
    bool wants(const Entry& entry) const;
    // To be called whenever the next entry is of another segment than the one before.
    void begin_segment(Frame& frame);
    void begin_entry(const Entry& entry);
    // The next block of the entry. Returns how many of its rows could not be read. On an error (storage) the
    // block is damaged and nothing of it was added.
    Result<std::uint64_t> add(RowBlock& block);

    // Losses are the caller's.
    query::RecordPage finish(const Plan& plan);

private:
    bool page_is_full() const { return page_.order.size() >= limit_; }
    bool is_before_page(const Entry& entry) const;
    Result<std::uint64_t> select(RowBlock& block);
    void take_rows(const RowBlock& block, std::uint64_t first_row);
    void note_entry();
    template <typename Row>
    void take(const Batch& from, std::size_t row);

    const query::RecordQuery& query_;
    const std::size_t limit_;
    std::optional<PageCursor> after_;
    const Part part_;
    Predicate predicate_;
    Frame* frame_ = nullptr;
    Mask subjects_;  // of the segment
    Mask mask_;      // of the block

    const Entry* entry_ = nullptr;
    std::uint64_t block_begin_ = 0;  // row of the entry with which the next block begins
    bool counts_only_ = false;       // of this entry, rows are wanted for the histogram alone
    std::uint64_t skip_ = 0;         // so many rows of this entry come before the page

    query::RecordPage page_;
    BatchBuilder builder_;  // of the page's flows and strings
    Batch taken_;           // rows only
    bool has_more_ = false;
    PageCursor last_;
    std::map<std::int64_t, std::uint64_t> bars_;
};

}  // namespace weir::store
