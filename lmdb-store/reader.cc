#include "lmdb-store/reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lmdb-store/aggregation.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/page_cursor.h"
#include "lmdb-store/plan.h"
#include "lmdb-store/record_scan.h"
#include "lmdb-store/row_block.h"

namespace weir::store {
namespace {

constexpr auto kUnreadable = static_cast<std::size_t>(Loss::store_unreadable);

tl::unexpected<Error> out_of_time() {
    return fail(ErrorCode::timeout, "the query took too long; ask for a shorter range or filter more");
}

// Gives the blocks of an entry to visit(block), one by one, which returns how many rows it could not read.
// Returns how many of the entry's rows could not be read.
template <typename Visit>
std::uint64_t visit_blocks(const Transaction& transaction, const Entry& entry, Part part, Frame& frame,
                           RowBlock& block, Visit visit) {
    const PartSize& size = entry.header.size(part);
    std::uint64_t read = 0;
    for (std::uint32_t i = 0; i < size.blocks; i++) {
        Bytes bytes;
        if (get_block(transaction, entry, part, i, bytes) != 0 || !block.open(bytes, part, frame)) continue;
        if (const Result<std::uint64_t> lost = visit(block)) read += block.rows() - *lost;
    }
    return size.rows - std::min(size.rows, read);
}

// One aggregate query's way through the entries of a plan, segment by segment.
class Scan {
public:
    Scan(const Transaction& transaction, Plan& plan, const query::AggregateQuery& query)
        : transaction_(transaction), plan_(plan), query_(query), part_(part_of(query.layer)) {
        std::stable_sort(plan.entries.begin(), plan.entries.end(),
                         [](const Entry& a, const Entry& b) { return a.header.segment < b.header.segment; });
    }

    Status look(Aggregation& aggregation) {
        const auto done = each_segment(
            [&](Frame& frame) { return aggregation.begin_look(frame); },
            [&](RowBlock& block, std::int64_t) -> Result<std::uint64_t> {
                return aggregation.look_at(block).map([] { return std::uint64_t{0}; });
            },
            [&](Frame& frame) { aggregation.end_look(frame); });
        if (!done) return tl::unexpected(done.error());
        return {};
    }

    // Returns how many rows could not be read.
    Result<std::uint64_t> add(Aggregation& aggregation) {
        return each_segment(
            [&](Frame& frame) { return aggregation.begin(frame); },
            [&](RowBlock& block, std::int64_t end_ns) { return aggregation.add(block, end_ns); },
            [](Frame&) {});
    }

private:
    template <typename Begin, typename Visit, typename End>
    Result<std::uint64_t> each_segment(Begin begin, Visit visit, End end) {
        std::uint64_t unreadable = 0;
        for (std::size_t first = 0, next = 0; first < plan_.entries.size(); first = next) {
            const EntryHeader& header = plan_.entries[first].header;
            while (next < plan_.entries.size() && plan_.entries[next].header.segment == header.segment)
                next++;
            if (query_.budget.exceeded()) return out_of_time();
            if (const int code = frame_.open(transaction_, header, query_.layer); code != 0)
                return fail(ErrorCode::storage, "the store cannot be read: " + message_of(code));
            if (!begin(frame_)) continue;
            for (std::size_t i = first; i < next; i++) {
                bool stopped = false;
                const Entry& entry = plan_.entries[i];
                unreadable += visit_blocks(transaction_, entry, part_, frame_, block_, [&](RowBlock& block) {
                    stopped = stopped || query_.budget.exceeded();
                    return stopped ? Result<std::uint64_t>(0) : visit(block, entry.header.end_ns);
                });
                if (stopped) return out_of_time();
            }
            end(frame_);
        }
        return unreadable;
    }

    const Transaction& transaction_;
    Plan& plan_;
    const query::AggregateQuery& query_;
    const Part part_;
    Frame frame_;
    RowBlock block_;
};

}  // namespace

Reader::Reader(const Environment& environment, const Options& options, const Clock& clock)
    : environment_(environment), options_(options), clock_(clock), memory_(options.query_bytes) {}

Result<query::AggregateResult> Reader::aggregate(const query::AggregateQuery& query) const {
    const auto turn = turns_.take(query.budget);
    if (!turn) return out_of_time();
    Aggregation aggregation(query, options_.max_groups, memory_);
    Plan plan;
    {
        const auto snapshot = environment_.read();
        if (!snapshot) return tl::unexpected(snapshot.error());
        auto made = make_plan(snapshot->transaction(), query.range, clock_.wall_ns(), options_.detail_ns);
        if (!made) return tl::unexpected(made.error());
        plan = std::move(*made);
        Scan scan(snapshot->transaction(), plan, query);
        if (aggregation.looks_first()) {
            if (auto ok = scan.look(aggregation); !ok) return tl::unexpected(ok.error());
        }
        const auto unreadable = scan.add(aggregation);
        if (!unreadable) return tl::unexpected(unreadable.error());
        plan.losses[kUnreadable] += *unreadable;
    }
    auto result = aggregation.finish();
    if (!result) return result;
    result->losses = plan.losses;
    result->reconciled = plan.reconciled;
    result->resolution = plan.choice.resolution;
    return result;
}

Result<query::RecordPage> Reader::records(const query::RecordQuery& query) const {
    const auto turn = turns_.take(query.budget);
    if (!turn) return out_of_time();
    std::optional<PageCursor> after;
    if (!query.cursor.empty()) {
        auto cursor = decode_cursor(query.cursor);
        if (!cursor) return tl::unexpected(cursor.error());
        after = *cursor;
    }
    const auto snapshot = environment_.read();
    if (!snapshot) return tl::unexpected(snapshot.error());
    const Transaction& transaction = snapshot->transaction();
    auto plan = make_plan(transaction, query.range, clock_.wall_ns(), options_.detail_ns,
                          after ? std::optional(after->choice) : std::nullopt);
    if (!plan) return tl::unexpected(plan.error());
    RecordScan scan(query, after);
    if (after && (after->store_id != plan->store_id || after->part != scan.part())) {
        return fail(ErrorCode::invalid_argument, "the cursor is of another query; start again without it");
    }
    Frame frame;
    RowBlock block;
    std::optional<std::uint64_t> segment;
    for (const Entry& entry : plan->entries) {
        if (!scan.wants(entry)) continue;
        if (segment != entry.header.segment) {
            if (const int code = frame.open(transaction, entry.header, query.layer); code != 0)
                return fail(ErrorCode::storage, "the store cannot be read: " + message_of(code));
            segment = entry.header.segment;
            scan.begin_segment(frame);
        }
        scan.begin_entry(entry);
        bool stopped = false;
        plan->losses[kUnreadable] +=
            visit_blocks(transaction, entry, scan.part(), frame, block, [&](RowBlock& of) {
                stopped = stopped || query.budget.exceeded();
                return stopped ? Result<std::uint64_t>(0) : scan.add(of);
            });
        if (stopped) return out_of_time();
    }
    query::RecordPage page = scan.finish(*plan);
    page.losses = plan->losses;
    page.reconciled = plan->reconciled;
    return page;
}

}  // namespace weir::store
