#include "plugin/spool/spool.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lmdb-store/file_check.h"

namespace weir {
namespace {

constexpr std::string_view kMagic = "weirspool";
constexpr unsigned kVersion = 1;
constexpr std::size_t kPointsSize = sizeof(std::uint64_t);
constexpr std::uint64_t kPagesKeptBack =
    64;  // for taking out, which copies a page of each level and of the free list
constexpr std::size_t kInPage = 1024;  // smaller values share a page, more or less

using KeyBytes = std::array<std::uint8_t, 8>;

KeyBytes key_of(std::uint64_t sequence) {
    KeyBytes out{};
    for (std::size_t i = 0; i < out.size(); i++)
        out[i] = static_cast<std::uint8_t>(sequence >> (8 * (7 - i)));
    return out;
}

std::optional<std::uint64_t> sequence_of(const MDB_val& key) {
    if (key.mv_size != KeyBytes().size()) return std::nullopt;
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < key.mv_size; i++)
        out = out << 8 | static_cast<const std::uint8_t*>(key.mv_data)[i];
    return out;
}

std::uint64_t points_of(const MDB_val& value) {
    std::uint64_t out = 0;
    if (value.mv_size >= kPointsSize) std::memcpy(&out, value.mv_data, kPointsSize);
    return out;
}

std::uint64_t bytes_of(const MDB_val& value) {
    return value.mv_size >= kPointsSize ? value.mv_size - kPointsSize : 0;
}

std::string data_file(const std::string& directory) { return directory + "/data.mdb"; }

// A transaction that is given up unless it is committed.
class Transaction {
public:
    Transaction(MDB_env* env, unsigned flags) : code_(mdb_txn_begin(env, nullptr, flags, &txn_)) {}
    ~Transaction() {
        if (txn_ != nullptr) mdb_txn_abort(txn_);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    int code() const { return code_; }
    MDB_txn* get() const { return txn_; }
    int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

private:
    MDB_txn* txn_ = nullptr;
    int code_;
};

class Cursor {
public:
    Cursor(MDB_txn* txn, MDB_dbi database) : code_(mdb_cursor_open(txn, database, &cursor_)) {}
    ~Cursor() {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    }
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    int move(MDB_cursor_op operation) {
        return code_ != 0 ? code_ : mdb_cursor_get(cursor_, &key, &value, operation);
    }
    int seek(std::uint64_t sequence) {
        sought_ = key_of(sequence);
        key = {sought_.size(), sought_.data()};
        return move(MDB_SET_RANGE);
    }
    int erase() { return mdb_cursor_del(cursor_, 0); }

    MDB_val key{}, value{};

private:
    MDB_cursor* cursor_ = nullptr;
    int code_;
    KeyBytes sought_{};
};

}  // namespace

bool Spool::exists(const std::string& directory) {
    std::error_code ignored;
    return std::filesystem::exists(data_file(directory), ignored);
}

Result<std::unique_ptr<Spool>> Spool::open(const std::string& directory, std::uint64_t max_bytes,
                                           Logger logger) {
    auto lock = store::DirectoryLock::acquire(directory);
    if (!lock) return tl::unexpected(lock.error());
    std::unique_ptr<Spool> spool(new Spool(std::move(*lock), max_bytes, std::move(logger)));
    if (Status opened = spool->ensure_open(); !opened) return tl::unexpected(opened.error());
    return spool;
}

tl::unexpected<Error> Spool::failed(const char* what, int code) {
    is_broken_ = true;  // closed by the next call: a transaction may be under way here
    return fail(ErrorCode::storage,
                "spool: cannot " + std::string(what) + " " + lock_->path() + ": " + mdb_strerror(code));
}

void Spool::close() {
    if (env_ != nullptr) mdb_env_close(env_);
    env_ = nullptr;
    is_broken_ = false;
}

Status Spool::ensure_open() {
    if (env_ != nullptr && !is_broken_) return {};
    close();
    const std::string file = data_file(lock_->path());
    const auto report = store::check_file(file);
    if (!report) return tl::unexpected(report.error());
    if (report->state == store::FileState::newer)
        return fail(ErrorCode::storage, "spool: " + file + ": " + report->reason);
    if (report->state == store::FileState::damaged) {
        std::error_code error;
        std::filesystem::rename(file, file + ".damaged", error);
        if (error) return failed("set aside the damaged file of", error.value());
        logger_.warning("spool: " + file + " cannot be used (" + report->reason + ") and is now " + file +
                        ".damaged; points that waited there are lost");
    }
    if (const int code = open_environment(); code != 0) return failed("open", code);

    Transaction transaction(env_, 0);
    std::optional<unsigned> version;
    int code = transaction.code();
    if (code == 0) code = mdb_dbi_open(transaction.get(), "meta", MDB_CREATE, &meta_);
    if (code == 0) code = mdb_dbi_open(transaction.get(), "batches", MDB_CREATE, &database_);
    if (code == 0) code = read_header(transaction.get(), version);
    if (code == 0 && version > kVersion) {
        is_broken_ = true;
        return fail(ErrorCode::storage, "spool: " + lock_->path() + " was written by a newer Weir");
    }
    if (code == 0) code = count_batches(transaction.get());
    if (code == 0) code = transaction.commit();
    if (code != 0) return failed("read", code);
    return {};
}

int Spool::open_environment() {
    int code = mdb_env_create(&env_);
    if (code == 0) code = mdb_env_set_maxdbs(env_, 2);
    if (code == 0) code = mdb_env_set_mapsize(env_, max_bytes_);
    if (code == 0) code = mdb_env_open(env_, lock_->path().c_str(), MDB_NOTLS | MDB_NOMETASYNC, 0600);
    int dead = 0;
    if (code == 0) code = mdb_reader_check(env_, &dead);
    return code;
}

// A file without a header gets one.
int Spool::read_header(MDB_txn* txn, std::optional<unsigned>& version) {
    std::string format = "format";
    MDB_val key{format.size(), format.data()}, value{};
    int code = mdb_get(txn, meta_, &key, &value);
    if (code == MDB_NOTFOUND) {
        std::string header(kMagic);
        header.push_back(static_cast<char>(kVersion));
        value = {header.size(), header.data()};
        version = kVersion;
        return mdb_put(txn, meta_, &key, &value, 0);
    }
    if (code != 0) return code;
    const std::string_view text(static_cast<const char*>(value.mv_data), value.mv_size);
    if (text.size() <= kMagic.size() || !text.starts_with(kMagic)) return MDB_INVALID;
    version = static_cast<unsigned char>(text[kMagic.size()]);
    return 0;
}

int Spool::count_batches(MDB_txn* txn) {
    totals_ = {};
    Cursor cursor(txn, database_);
    int code = cursor.seek(1);
    for (; code == 0; code = cursor.move(MDB_NEXT)) {
        totals_.batches++;
        totals_.points += points_of(cursor.value);
        totals_.bytes += bytes_of(cursor.value);
        last_ = sequence_of(cursor.key).value_or(last_);
    }
    return code == MDB_NOTFOUND ? 0 : code;
}

bool Spool::has_room(MDB_txn* txn, std::size_t value_size) const {
    std::uint64_t used = 2;  // meta pages
    std::uint64_t page_size = 4096;
    constexpr MDB_dbi kFreeList = 0, kNames = 1;
    for (const MDB_dbi database : {kFreeList, kNames, meta_, database_}) {
        MDB_stat stat{};
        if (mdb_stat(txn, database, &stat) != 0) return false;
        used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
        page_size = stat.ms_psize;
    }
    const std::uint64_t needed = value_size < kInPage ? 1 : value_size / page_size + 2;
    return used + needed + kPagesKeptBack <= max_bytes_ / page_size;
}

Result<std::optional<std::uint64_t>> Spool::append(std::string_view bytes, std::uint64_t points) {
    if (Status opened = ensure_open(); !opened) return tl::unexpected(opened.error());
    Transaction transaction(env_, 0);
    if (transaction.code() != 0) return failed("write", transaction.code());
    if (!has_room(transaction.get(), kPointsSize + bytes.size())) return std::nullopt;

    KeyBytes key_bytes = key_of(last_ + 1);
    MDB_val key{key_bytes.size(), key_bytes.data()};
    MDB_val value{kPointsSize + bytes.size(), nullptr};
    int code = mdb_put(transaction.get(), database_, &key, &value, MDB_RESERVE | MDB_APPEND);
    if (code == MDB_MAP_FULL) return std::nullopt;  // free pages, but not side by side
    if (code == 0) {
        std::memcpy(value.mv_data, &points, kPointsSize);
        std::memcpy(static_cast<char*>(value.mv_data) + kPointsSize, bytes.data(), bytes.size());
        code = transaction.commit();
    }
    if (code == MDB_MAP_FULL) return std::nullopt;
    if (code != 0) return failed("write", code);
    totals_.batches++;
    totals_.points += points;
    totals_.bytes += bytes.size();
    return ++last_;
}

Result<std::optional<Spool::Entry>> Spool::next(std::uint64_t after) {
    if (Status opened = ensure_open(); !opened) return tl::unexpected(opened.error());
    Transaction transaction(env_, MDB_RDONLY);
    if (transaction.code() != 0) return failed("read", transaction.code());
    Cursor cursor(transaction.get(), database_);
    const int code = cursor.seek(after + 1);
    if (code == MDB_NOTFOUND) return std::nullopt;
    if (code != 0) return failed("read", code);
    const auto* const at = static_cast<const char*>(cursor.value.mv_data);
    Entry out{sequence_of(cursor.key).value_or(after + 1), points_of(cursor.value), {}};
    if (cursor.value.mv_size > kPointsSize) out.bytes.assign(at + kPointsSize, bytes_of(cursor.value));
    return out;
}

Status Spool::remove_through(std::uint64_t sequence) {
    if (Status opened = ensure_open(); !opened) return opened;
    Transaction transaction(env_, 0);
    if (transaction.code() != 0) return failed("write", transaction.code());
    Totals removed;
    int code = 0;
    {
        Cursor cursor(transaction.get(), database_);
        for (code = cursor.seek(1); code == 0; code = cursor.move(MDB_NEXT)) {
            if (sequence_of(cursor.key).value_or(0) > sequence) break;
            removed.batches++;
            removed.points += points_of(cursor.value);
            removed.bytes += bytes_of(cursor.value);
            code = cursor.erase();
            if (code != 0) break;
        }
    }
    if (code == 0 || code == MDB_NOTFOUND) code = transaction.commit();
    if (code != 0) return failed("write", code);
    totals_.batches -= removed.batches;
    totals_.points -= removed.points;
    totals_.bytes -= removed.bytes;
    return {};
}

}  // namespace weir
