// The LMDB environment: opening it safely, transactions, and the meaning of LMDB's error codes.
//
// Rules of LMDB 0.9 that this keeps: no WRITEMAP (a full disk would be a SIGBUS in the host), NOMETASYNC
// (integrity is kept, a power cut may take the last transaction), NOTLS (a reader belongs to its
// transaction, not to its thread), stale readers cleared at open. The map is as large as the file may
// ever become and never grows: LMDB's own limit is the cap on disk.
//
// Functions that return int return 0 or an LMDB error code (message_of() names it).
#pragma once

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "lmdb-store/bytes.h"
#include "lmdb-store/format.h"
#include "lmdb-store/gate.h"
#include "plugin/base/status.h"

namespace weir::store {

inline Bytes bytes_of(const MDB_val& value) {
    return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

std::string message_of(int code);

// The environment's databases, by table.
struct Databases {
    MDB_dbi meta = 0;
    MDB_dbi detail = 0;
    MDB_dbi minute = 0;
    MDB_dbi endpoint = 0;
    MDB_dbi segment = 0;

    MDB_dbi operator[](Table table) const {
        return table == Table::detail ? detail : table == Table::minute ? minute : endpoint;
    }
    std::array<MDB_dbi, 5> all() const { return {meta, detail, minute, endpoint, segment}; }
};

// A transaction that is given up unless it is committed.
class Transaction {
public:
    Transaction() = default;
    Transaction(MDB_txn* txn, const Databases& databases) : txn_(txn), databases_(databases) {}
    Transaction(Transaction&& other) noexcept
        : txn_(std::exchange(other.txn_, nullptr)), databases_(other.databases_) {}
    Transaction& operator=(Transaction&& other) noexcept;
    ~Transaction();

    int commit();

    MDB_txn* get() const { return txn_; }
    const Databases& databases() const { return databases_; }

    // Returns MDB_NOTFOUND, too. The value is valid until the transaction ends, or writes.
    int get(MDB_dbi database, Bytes key, Bytes& value) const;
    int put(MDB_dbi database, Bytes key, Bytes value, unsigned flags = 0);
    int erase(MDB_dbi database, Bytes key);  // it need not be there

private:
    MDB_txn* txn_ = nullptr;
    Databases databases_;
};

class Cursor {
public:
    ~Cursor() {
        if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    }
    Cursor() = default;
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    int open(const Transaction& transaction, MDB_dbi database);
    int open(const Transaction& transaction, Table table) {
        return open(transaction, transaction.databases()[table]);
    }
    // MDB_FIRST, MDB_NEXT, MDB_LAST.
    int move(MDB_cursor_op operation);
    int next() { return move(MDB_NEXT); }
    // To the first key that is not less.
    int seek(const Key& key) { return seek_bytes(encode_key(key)); }
    int seek(const SegmentKey& key) { return seek_bytes(encode_segment_key(key)); }
    int erase() { return mdb_cursor_del(cursor_, 0); }

    Bytes key() const { return bytes_of(key_); }
    Bytes value() const { return bytes_of(value_); }

private:
    int seek_bytes(Bytes key);

    MDB_cursor* cursor_ = nullptr;
    MDB_val key_{};
    MDB_val value_{};
};

// A read transaction inside the gate.
class Snapshot {
public:
    Snapshot(Gate::Pass pass, Transaction transaction)
        : pass_(std::move(pass)), transaction_(std::move(transaction)) {}
    const Transaction& transaction() const { return transaction_; }

private:
    Gate::Pass pass_;  // left last
    Transaction transaction_;
};

class Environment {
public:
    Environment() = default;
    ~Environment() { close(); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    // Makes what is missing. The directory is locked, and its data file checked, by the caller.
    int open(const std::string& directory, std::uint64_t map_bytes);
    // One that another process may be writing. MDB_NOTFOUND when it lacks a database, or is of a format
    // before this one and not written by it yet.
    int open_read_only(const std::string& directory);
    void close();

    // Any thread. Errors: storage.
    Result<Snapshot> read() const;
    // The writer's thread.
    int write(Transaction& out);

    // While this is held nobody else is in the environment.
    Gate::Closed quiesce() { return Gate::Closed(gate_); }

    std::uint64_t page_size() const { return page_size_; }
    std::uint64_t page_limit() const { return page_limit_; }
    // Writes a compact copy to an open file.
    int copy_to(int file) const { return mdb_env_copyfd2(env_, file, MDB_CP_COMPACT); }

private:
    int open(const std::string& directory, std::uint64_t map_bytes, unsigned flags);
    int open_databases(unsigned flags);

    MDB_env* env_ = nullptr;
    Databases databases_;
    std::uint64_t page_size_ = 4096;
    std::uint64_t page_limit_ = 0;
    mutable Gate gate_;
};

// Pages that hold data: trees, values and the free list, without pages that are free.
int used_pages(const Transaction& transaction, std::uint64_t& pages);

}  // namespace weir::store
