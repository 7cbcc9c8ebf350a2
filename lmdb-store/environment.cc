#include "lmdb-store/environment.h"

#include <array>
#include <utility>

namespace weir::store {
namespace {

constexpr unsigned kMaxReaders = 254;
constexpr MDB_dbi kFreeList = 0;
constexpr MDB_dbi kMain = 1;
constexpr std::uint64_t kMetaPages = 2;

// LMDB takes no const, but changes neither keys nor values that are put.
MDB_val val_of(Bytes bytes) { return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())}; }

}  // namespace

std::string message_of(int code) { return mdb_strerror(code); }

Transaction& Transaction::operator=(Transaction&& other) noexcept {
    if (txn_ != nullptr && txn_ != other.txn_) mdb_txn_abort(txn_);
    txn_ = std::exchange(other.txn_, nullptr);
    databases_ = other.databases_;
    return *this;
}

Transaction::~Transaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
}

int Transaction::commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

int Transaction::get(MDB_dbi database, Bytes key, Bytes& value) const {
    MDB_val k = val_of(key);
    MDB_val v{};
    const int code = mdb_get(txn_, database, &k, &v);
    if (code == 0) value = bytes_of(v);
    return code;
}

int Transaction::put(MDB_dbi database, Bytes key, Bytes value, unsigned flags) {
    MDB_val k = val_of(key);
    MDB_val v = val_of(value);
    return mdb_put(txn_, database, &k, &v, flags);
}

int Transaction::erase(MDB_dbi database, Bytes key) {
    MDB_val k = val_of(key);
    const int code = mdb_del(txn_, database, &k, nullptr);
    return code == MDB_NOTFOUND ? 0 : code;
}

int Cursor::open(const Transaction& transaction, MDB_dbi database) {
    return mdb_cursor_open(transaction.get(), database, &cursor_);
}

int Cursor::move(MDB_cursor_op operation) { return mdb_cursor_get(cursor_, &key_, &value_, operation); }

int Cursor::seek_bytes(Bytes key) {
    key_ = val_of(key);
    return move(MDB_SET_RANGE);
}

int Environment::open(const std::string& directory, std::uint64_t map_bytes) {
    return open(directory, map_bytes, MDB_NOTLS | MDB_NOMETASYNC);
}

int Environment::open_read_only(const std::string& directory) {
    return open(directory, 0, MDB_NOTLS | MDB_RDONLY);
}

int Environment::open(const std::string& directory, std::uint64_t map_bytes, unsigned flags) {
    close();
    int code = mdb_env_create(&env_);
    if (code != 0) return code;
    if (code == 0) code = mdb_env_set_maxdbs(env_, 8);
    if (code == 0) code = mdb_env_set_maxreaders(env_, kMaxReaders);
    // 0: as its writer has set it.
    if (code == 0 && map_bytes != 0) code = mdb_env_set_mapsize(env_, map_bytes);
    if (code == 0) code = mdb_env_open(env_, directory.c_str(), flags, 0600);
    if (code == 0) code = open_databases(flags);
    if (code != 0) close();
    return code;
}

int Environment::open_databases(unsigned flags) {
    MDB_envinfo about{};
    mdb_env_info(env_, &about);
    const bool read_only = (flags & MDB_RDONLY) != 0;
    Transaction transaction;
    MDB_txn* txn = nullptr;
    int code = read_only ? mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn) : write(transaction);
    if (code != 0) return code;
    if (read_only) transaction = Transaction(txn, databases_);
    txn = transaction.get();
    const std::array<std::pair<const char*, MDB_dbi*>, 5> names = {{{"meta", &databases_.meta},
                                                                    {"detail", &databases_.detail},
                                                                    {"minute", &databases_.minute},
                                                                    {"endpoint", &databases_.endpoint},
                                                                    {"segment", &databases_.segment}}};
    for (const auto& [name, database] : names) {
        if (code == 0) code = mdb_dbi_open(txn, name, read_only ? 0 : MDB_CREATE, database);
    }
    MDB_stat stat{};
    if (code == 0) code = mdb_stat(txn, kMain, &stat);
    if (code != 0) return code;
    page_size_ = stat.ms_psize;
    page_limit_ = about.me_mapsize / page_size_;
    return transaction.commit();
}

void Environment::close() {
    if (env_ != nullptr) mdb_env_close(env_);
    env_ = nullptr;
}

Result<Snapshot> Environment::read() const {
    Gate::Pass pass(gate_);
    if (env_ == nullptr) return fail(ErrorCode::storage, "the store is not open");
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (code != 0) return fail(ErrorCode::storage, "the store cannot be read: " + message_of(code));
    return Snapshot(std::move(pass), Transaction(txn, databases_));
}

int Environment::write(Transaction& out) {
    if (env_ == nullptr) return MDB_PANIC;
    // Readers of a process that died would keep their pages in use.
    int dead = 0;
    if (const int code = mdb_reader_check(env_, &dead); code != 0) return code;
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (code == 0) out = Transaction(txn, databases_);
    return code;
}

int used_pages(const Transaction& transaction, std::uint64_t& pages) {
    pages = kMetaPages;
    const auto add = [&](MDB_dbi database) {
        MDB_stat stat{};
        const int code = mdb_stat(transaction.get(), database, &stat);
        pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
        return code;
    };
    for (const MDB_dbi database : {kFreeList, kMain}) {
        if (const int code = add(database); code != 0) return code;
    }
    for (const MDB_dbi database : transaction.databases().all()) {
        if (const int code = add(database); code != 0) return code;
    }
    return 0;
}

}  // namespace weir::store
