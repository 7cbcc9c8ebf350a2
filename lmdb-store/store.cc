#include "lmdb-store/store.h"

#include <atomic>
#include <string>
#include <utility>

#include "lmdb-store/directory_lock.h"
#include "lmdb-store/environment.h"
#include "lmdb-store/reader.h"
#include "lmdb-store/recovery.h"
#include "lmdb-store/writer.h"

namespace weir::store {
namespace {

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
          reader_(environment_, options_, clock),
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

    const Reader& reader() const { return reader_; }

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
    static tl::unexpected<Error> closed() { return fail(ErrorCode::bad_state, "the store is closed"); }

    const Options options_;
    const Clock& clock_;
    const Logger logger_;
    const std::uint64_t map_bytes_;
    std::unique_ptr<DirectoryLock> lock_;  // let go of after the environment is closed
    Environment environment_;
    Reader reader_;
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
    return impl_->reader().aggregate(query);
}
Result<query::RecordPage> Store::records(const query::RecordQuery& query) const {
    return impl_->reader().records(query);
}
query::StoreStatus Store::status() const { return impl_->status(); }

}  // namespace weir::store
