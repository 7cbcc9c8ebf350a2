// Runs of the same subjects added up: what the intervals of a minute come to.
//
// Numbers add and histograms merge, so what is added up says the same as what it is made of. Slow requests
// stay by themselves. All is read and written from front to back. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lmdb-store/row_run.h"

namespace weir::store {

template <typename Row>
class RunMerge {
public:
    explicit RunMerge(std::vector<RowRun<Row>> runs);

    // Adds so many rows more to `out`, as far as there are any.
    void take(std::size_t rows, RowRun<Row>& out);
    bool is_done() const { return runs_.empty(); }

private:
    struct Input {
        RowRun<Row> run;
        std::size_t at = 0;
        std::uint32_t subject = 0;  // of the row at `at`
    };

    std::uint32_t next_subject() const;
    // The rows of this subject, which are passed over; runs that come to their end stay while these are
    // needed.
    void collect(std::uint32_t subject);
    void add_up(RowRun<Row>& out);

    std::vector<Input> runs_;  // those that have rows left, in the order of time
    bool has_ended_ = false;   // one of them
    std::vector<RunRow<Row>> rows_;
    std::array<std::vector<std::uint64_t>, RowRun<Row>::kHistograms> buckets_;
};

extern template class RunMerge<L4Row>;
extern template class RunMerge<L7Row>;
extern template class RunMerge<DnsRow>;
extern template class RunMerge<SlowRow>;

}  // namespace weir::store
