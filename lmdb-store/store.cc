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
#include "lmdb-store/writer.h"

namespace weir::store {
namespace {

tl::unexpected<Error> out_of_time() {
    return fail(ErrorCode::timeout, "the query took too long; ask for a shorter range or filter more");
}

// Gives the blocks of an entry to visit(frame), one by one. Returns how many of its rows could not be read.
template <typename Visit>
std::uint64_t visit_blocks(const Transaction& transaction, const Entry& entry, query::Layer layer,
                           Frame& frame, Visit visit) {
    std::uint64_t read = 0;
    for (std::uint32_t i = 0; i < entry.header.blocks(layer); i++) {
        Bytes bytes;
        if (get_block(transaction, entry, layer, i, bytes) != 0) continue;
        if (frame.open(bytes, entry.header, layer) && visit(frame)) read += frame.rows();
    }
    return entry.header.rows(layer) - std::min(entry.header.rows(layer), read);
}

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
        LossCounts losses{};
        query::Resolution resolution{};
        {
            const auto snapshot = environment_.read();
            if (!snapshot) return tl::unexpected(snapshot.error());
            const Transaction& transaction = snapshot->transaction();
            const auto plan = make_plan(transaction, query.range, clock_.wall_ns(), options_.detail_ns);
            if (!plan) return tl::unexpected(plan.error());
            losses = plan->losses;
            resolution = plan->choice.resolution;
            Frame frame;
            const auto visit_all = [&](auto visit) {
                std::uint64_t unreadable = 0;
                bool stopped = false;
                for (const Entry& entry : plan->entries) {
                    unreadable += visit_blocks(transaction, entry, query.layer, frame, [&](Frame& block) {
                        stopped = stopped || query.budget.exceeded();
                        return !stopped && visit(block, entry.header.end_ns).has_value();
                    });
                    if (stopped) break;
                }
                return stopped ? std::nullopt : std::optional(unreadable);
            };
            if (aggregation.looks_first() &&
                !visit_all([&](Frame& block, std::int64_t) { return aggregation.look_at(block); })) {
                return out_of_time();
            }
            const auto unreadable =
                visit_all([&](Frame& block, std::int64_t end_ns) { return aggregation.add(block, end_ns); });
            if (!unreadable) return out_of_time();
            losses[kUnreadable] += *unreadable;
        }
        auto result = aggregation.finish();
        if (!result) return result;
        result->losses = losses;
        result->resolution = resolution;
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
        if (after && (after->store_id != plan->store_id || after->layer != query.layer)) {
            return fail(ErrorCode::invalid_argument,
                        "the cursor is of another query; start again without it");
        }
        RecordScan scan(query, after);
        Frame frame;
        for (const Entry& entry : plan->entries) {
            if (!scan.wants(entry)) continue;
            scan.begin_entry(entry);
            bool stopped = false;
            plan->losses[kUnreadable] +=
                visit_blocks(transaction, entry, query.layer, frame, [&](Frame& block) {
                    stopped = stopped || query.budget.exceeded();
                    return !stopped && scan.add(block).has_value();
                });
            if (stopped) return out_of_time();
        }
        query::RecordPage page = scan.finish(*plan);
        page.losses = plan->losses;
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
