// Which entries answer a query, decided once for every kind of query, so that a summary, a map and the flow
// records over the same range are made of the same rows.
//
// Time of a row: the end of its interval; in a minute, the end of the minute. A row belongs to a range when
// from < time <= to. So ranges that touch share no row and miss none, and one that ends now holds the
// interval that has just ended.
//
// Resolution: detail when all of the range's intervals are kept, else minutes. In minutes, what is not in
// a minute yet comes from the intervals, and so does a minute that an end of the range cuts, when all of its
// intervals are still kept. Where the endpoint table can answer, its entries that lie in the range as a whole
// stand for their minutes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lmdb-store/entries.h"
#include "plugin/query/query.h"

namespace weir::store {

// How long intervals are kept beyond what is asked for: a range of exactly the retention is asked a moment
// after its begin was worked out, by a client whose clock may differ, and is then paged through.
constexpr std::int64_t query_slack(std::int64_t detail_ns) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t part = detail_ns / 15;
    return part < 5 * kSecond ? 5 * kSecond : (part > 60 * kSecond ? 60 * kSecond : part);
}
constexpr std::int64_t keep_slack(std::int64_t detail_ns) { return 2 * query_slack(detail_ns); }

// What was decided for a first page, for those that follow.
struct Choice {
    query::TimeRange range;
    query::Resolution resolution = query::Resolution::detail;
    std::uint64_t rolled_through = 0;    // intervals up to this sequence are in minutes
    std::int64_t detail_dropped_ns = 0;  // intervals up to this time may be missing
};

struct Plan {
    Choice choice;
    std::uint64_t store_id = 0;
    std::vector<Entry> entries;  // newest first
    bool has_endpoints = false;  // some are of the endpoint table
    LossCounts losses{};         // of all entries; an unreadable one counts as at least one row
    ReconciledCounts reconciled{};
};

// From a snapshot. `again` repeats an earlier choice. `by_endpoint`: the endpoint table can answer. Errors:
// storage.
Result<Plan> make_plan(const Transaction& transaction, const query::TimeRange& range, std::int64_t now,
                       std::int64_t detail_ns, const std::optional<Choice>& again = std::nullopt,
                       bool by_endpoint = false);

// The order of Plan::entries: whether `a` comes before `b`.
bool is_newer(const Entry& a, const Entry& b);

}  // namespace weir::store
