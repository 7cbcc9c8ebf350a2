#include "lmdb-store/store.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <utility>

#include "lmdb-store/aggregation.h"
#include "lmdb-store/directory_lock.h"
#include "lmdb-store/environment.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/memory.h"
#include "lmdb-store/page_cursor.h"
#include "lmdb-store/plan.h"
#include "lmdb-store/record_scan.h"
#include "lmdb-store/recovery.h"
#include "lmdb-store/row_block.h"
#include "lmdb-store/writer.h"

namespace weir::store {
namespace {

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
            [&](Frame& frame) {
                aggregation.begin_look(frame);
                return true;
            },
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

Status check_options(const Options& options) {
    if (options.detail_ns <= 0 || options.detail_ns > kMaxTime / 4 || options.minute_ns <= 0 ||
        options.minute_ns > kMaxTime / 4) {
        return fail(ErrorCode::invalid_argument, "store: how long to keep must be more than nothing");
    }
    if (options.max_bytes < kMinBytes) {
        return fail(ErrorCode::invalid_argument,
                    "store: max_size must be at least " + std::to_string(kMinBytes) + " bytes");
    }
    return {};
}

}  // namespace

class Store::Impl {
public:
    Impl(const Options& options, const Clock& clock, Logger logger, Ledger& ledger)
        : options_(options),
          clock_(clock),
          logger_(std::move(logger)),
          map_bytes_(map_bytes_for(options.max_bytes)),
          memory_(options.query_bytes),
          writer_(environment_, options_, map_bytes_, clock, logger_, ledger) {}

    Status open() {
        auto lock = DirectoryLock::acquire(options_.path);
        if (!lock) return tl::unexpected(lock.error());
        lock_ = std::move(*lock);
        if (auto ok = open_environment(options_.path, map_bytes_, clock_, logger_, environment_); !ok)
            return ok;
        if (auto ok = writer_.start(); !ok) return ok;
        if (environment_.page_limit() * environment_.page_size() > map_bytes_) {
            if (auto ok = writer_.trim(); !ok) return ok;
            if (auto ok = shrink_file(options_.path, map_bytes_, logger_, environment_); !ok) return ok;
        }
        is_open_ = true;
        return {};
    }

    Status append(const BatchPtr& batch) { return is_open_ ? writer_.append(batch) : closed(); }
    Status flush() { return is_open_ ? writer_.flush() : closed(); }

    Status close() {
        if (!is_open_) return {};
        const Status flushed = writer_.flush();
        is_open_ = false;
        const auto quiet = environment_.quiesce();
        environment_.close();
        lock_.reset();
        return flushed;
    }

    Result<query::AggregateResult> aggregate(const query::AggregateQuery& query) const {
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

    Result<query::RecordPage> records(const query::RecordQuery& query) const {
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
            return fail(ErrorCode::invalid_argument,
                        "the cursor is of another query; start again without it");
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

    query::StoreStatus status() const {
        const Writer::Published published = writer_.published();
        query::StoreStatus out;
        out.healthy = is_open_ && published.problem.empty();
        out.problem = is_open_ ? published.problem : "the store is closed";
        out.path = options_.path;
        out.bytes_used = published.totals.used_bytes;
        out.bytes_limit = options_.max_bytes;
        out.oldest_detail_ns = published.totals.oldest_detail_ns;
        out.oldest_minute_ns = published.totals.oldest_minute_ns;
        out.detail_rows = published.totals.detail_rows;
        out.minute_rows = published.totals.minute_rows;
        return out;
    }

private:
    static constexpr auto kUnreadable = static_cast<std::size_t>(Loss::store_unreadable);

    static tl::unexpected<Error> closed() { return fail(ErrorCode::bad_state, "the store is closed"); }

    const Options options_;
    const Clock& clock_;
    const Logger logger_;
    const std::uint64_t map_bytes_;
    std::unique_ptr<DirectoryLock> lock_;  // let go of after the environment is closed
    Environment environment_;
    mutable MemoryPool memory_;
    Writer writer_;
    std::atomic<bool> is_open_{false};
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() { static_cast<void>(impl_->close()); }

Result<std::unique_ptr<Store>> Store::open(const Options& options, const Clock& clock, Logger logger,
                                           Ledger& ledger) {
    if (auto ok = check_options(options); !ok) return tl::unexpected(ok.error());
    auto impl = std::make_unique<Impl>(options, clock, std::move(logger), ledger);
    if (auto ok = impl->open(); !ok) return tl::unexpected(ok.error());
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Status Store::append(const BatchPtr& batch) { return impl_->append(batch); }
Status Store::flush() { return impl_->flush(); }
Status Store::close() { return impl_->close(); }

Result<query::AggregateResult> Store::aggregate(const query::AggregateQuery& query) const {
    return impl_->aggregate(query);
}
Result<query::RecordPage> Store::records(const query::RecordQuery& query) const {
    return impl_->records(query);
}
query::StoreStatus Store::status() const { return impl_->status(); }

}  // namespace weir::store
