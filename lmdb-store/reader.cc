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
        // Oldest first, so that steps come up in their order.
        std::reverse(plan.entries.begin(), plan.entries.end());
        std::stable_sort(plan.entries.begin(), plan.entries.end(), [](const Entry& a, const Entry& b) {
            return std::pair(a.header.segment, is_by_endpoint(a)) <
                   std::pair(b.header.segment, is_by_endpoint(b));
        });
    }

    Status look(Aggregation& aggregation) {
        const auto done = each_segment(
            [&](Frame& frame, bool by_endpoint) {
                const bool any = aggregation.begin_look(frame);
                endpoints_suffice_ &= !by_endpoint || !any;
                return any && !by_endpoint;
            },
            [&](const Entry& entry) {
                return visit(entry, [&](RowBlock& block) {
                    return aggregation.look_at(block).map([] { return std::uint64_t{0}; });
                });
            },
            [&](Frame& frame) { aggregation.end_look(frame); });
        if (!done) return tl::unexpected(done.error());
        endpoints_suffice_ &= !plan_.has_endpoints || !aggregation.has_pairs();
        return {};
    }

    // Returns how many rows could not be read.
    Result<std::uint64_t> add(Aggregation& aggregation) {
        return each_segment([&](Frame& frame, bool) { return aggregation.begin(frame); },
                            [&](const Entry& entry) {
                                if (is_by_endpoint(entry)) return add_hour(entry, aggregation);
                                return visit(entry,
                                             [&](RowBlock& block) { return aggregation.add(block, entry); });
                            },
                            [](Frame&) {});
    }

    // False when entries of the endpoint table do not tell enough, or cannot be read: then the answer is not
    // right, and the minutes must be asked.
    bool endpoints_suffice() const { return endpoints_suffice_; }

private:
    static bool is_by_endpoint(const Entry& entry) { return entry.table == Table::endpoint; }

    template <typename Begin, typename Each, typename End>
    Result<std::uint64_t> each_segment(Begin begin, Each each, End end) {
        std::uint64_t unreadable = 0;
        const auto& entries = plan_.entries;
        for (std::size_t first = 0, next = 0; first < entries.size(); first = next) {
            const bool by_endpoint = is_by_endpoint(entries[first]);
            while (next < entries.size() && is_by_endpoint(entries[next]) == by_endpoint &&
                   entries[next].header.segment == entries[first].header.segment)
                next++;
            if (query_.budget.exceeded()) return out_of_time();
            if (const int code = frame_.open(transaction_, entries[first], query_.layer); code != 0)
                return fail(ErrorCode::storage, "the store cannot be read: " + message_of(code));
            if (!begin(frame_, by_endpoint)) continue;
            for (std::size_t i = first; i < next; i++) {
                unreadable += each(entries[i]);
                if (stopped_) return out_of_time();
            }
            end(frame_);
        }
        return unreadable;
    }

    bool is_over() { return stopped_ = stopped_ || query_.budget.exceeded(); }

    template <typename Visit>
    std::uint64_t visit(const Entry& entry, Visit visit_block) {
        return visit_blocks(transaction_, entry, part_, frame_, block_, [&](RowBlock& block) {
            return is_over() ? Result<std::uint64_t>(0) : visit_block(block);
        });
    }

    // Of the endpoint table: blocks without a subject that is wanted are passed over.
    std::uint64_t add_hour(const Entry& entry, Aggregation& aggregation) {
        std::vector<std::uint32_t> first;
        endpoints_suffice_ &= first_subjects(entry.header, first) && !frame_.segment().is_damaged();
        for (std::uint32_t i = 0; i + 1 < first.size() && endpoints_suffice_ && !is_over(); i++) {
            if (!aggregation.wants(first[i], first[i + 1])) continue;
            Bytes bytes;
            const bool is_open =
                get_block(transaction_, entry, part_, i, bytes) == 0 && block_.open(bytes, part_, frame_);
            const auto lost = is_open ? aggregation.add(block_, entry) : Result<std::uint64_t>(1);
            endpoints_suffice_ = lost && *lost == 0;
        }
        return 0;
    }

    // Of each of the part's blocks, and behind them the last subject that there can be. False when the header
    // lacks them.
    bool first_subjects(const EntryHeader& header, std::vector<std::uint32_t>& out) const {
        std::size_t at = 0;
        for (const Part part : kRowParts) at += part < part_ ? header.size(part).blocks : 0;
        const std::size_t count = header.size(part_).blocks;
        if (at + count > header.first_subjects.size() || frame_.subjects() == 0) return count == 0;
        const auto begin = header.first_subjects.begin() + static_cast<std::ptrdiff_t>(at);
        out.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
        out.push_back(static_cast<std::uint32_t>(frame_.subjects() - 1));
        return std::is_sorted(out.begin(), out.end());
    }

    const Transaction& transaction_;
    Plan& plan_;
    const query::AggregateQuery& query_;
    const Part part_;
    bool endpoints_suffice_ = true;
    bool stopped_ = false;  // the time is over
    Frame frame_;
    RowBlock block_;
};

}  // namespace

Reader::Reader(const Environment& environment, const Options& options, const Clock& clock)
    : environment_(environment), options_(options), clock_(clock), memory_(options.query_bytes) {}

Result<query::AggregateResult> Reader::aggregate(const query::AggregateQuery& query) const {
    const auto turn = turns_.take(query.budget);
    if (!turn) return out_of_time();
    for (const bool may_ask_endpoints : {true, false}) {
        auto answer = aggregate(query, may_ask_endpoints);
        if (!answer) return tl::unexpected(answer.error());
        if (*answer) return std::move(**answer);
    }
    return fail(ErrorCode::internal, "the store's minutes did not answer");
}

Result<std::optional<query::AggregateResult>> Reader::aggregate(const query::AggregateQuery& query,
                                                                bool may_ask_endpoints) const {
    Aggregation aggregation(query, options_.max_groups, memory_);
    Plan plan;
    {
        const auto snapshot = environment_.read();
        if (!snapshot) return tl::unexpected(snapshot.error());
        auto made = make_plan(snapshot->transaction(), query.range, clock_.wall_ns(), options_.detail_ns,
                              std::nullopt, may_ask_endpoints && aggregation.fits_endpoints());
        if (!made) return tl::unexpected(made.error());
        plan = std::move(*made);
        Scan scan(snapshot->transaction(), plan, query);
        if (aggregation.looks_first()) {
            if (auto ok = scan.look(aggregation); !ok) return tl::unexpected(ok.error());
            if (!scan.endpoints_suffice()) return std::nullopt;
        }
        const auto unreadable = scan.add(aggregation);
        if (!unreadable) return tl::unexpected(unreadable.error());
        if (!scan.endpoints_suffice()) return std::nullopt;
        plan.losses[kUnreadable] += *unreadable;
    }
    auto result = aggregation.finish();
    if (!result) return tl::unexpected(result.error());
    result->losses = plan.losses;
    result->reconciled = plan.reconciled;
    result->resolution = plan.choice.resolution;
    return std::optional(std::move(*result));
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
            if (const int code = frame.open(transaction, entry, query.layer); code != 0)
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
