// Batches for the host that it has not taken yet, in order, on disk: an LMDB environment in a directory of
// its own.
//
// Stored format, version 1:
//   database "meta":    "format" -> "weirspool" and a byte, the version
//   database "batches": the batch's sequence, 8 bytes big-endian, which only grows
//                       -> u64 little-endian, how many points, then the batch's bytes as the host gets them
// A directory holds batches of one format of points; its name says which.
//
// The bound holds for the file. Room is kept back, so that a batch can be taken out of a full spool, too.
// A batch is durable against the end of the process when append() returns, and against a power cut soon
// after. A file that LMDB cannot use is set aside as data.mdb.damaged.
//
// Not thread-safe: the caller has a lock. After an error the next call opens the environment again.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lmdb-store/directory_lock.h"
#include "plugin/base/log.h"
#include "plugin/base/status.h"

namespace weir {

class Spool {
public:
    struct Entry {
        std::uint64_t sequence = 0;
        std::uint64_t points = 0;
        std::string bytes;
    };
    struct Totals {
        std::uint64_t batches = 0;
        std::uint64_t points = 0;
        std::uint64_t bytes = 0;  // of the batches
    };

    // Whether there is one in the directory; open() would make it.
    static bool exists(const std::string& directory);
    // Errors, all ErrorCode::storage: cannot be made or written, in use, of a newer version.
    static Result<std::unique_ptr<Spool>> open(const std::string& directory, std::uint64_t max_bytes,
                                               Logger logger);
    ~Spool() { close(); }
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // The batch's sequence, or nothing when it finds no room.
    Result<std::optional<std::uint64_t>> append(std::string_view bytes, std::uint64_t points);
    // The oldest batch behind `after`, or nothing.
    Result<std::optional<Entry>> next(std::uint64_t after);
    // Batches up to this one are done with.
    Status remove_through(std::uint64_t sequence);

    const Totals& totals() const { return totals_; }

private:
    Spool(std::unique_ptr<store::DirectoryLock> lock, std::uint64_t max_bytes, Logger logger)
        : lock_(std::move(lock)), max_bytes_(max_bytes), logger_(std::move(logger)) {}

    Status ensure_open();
    int open_environment();
    int read_header(MDB_txn* txn, std::optional<unsigned>& version);
    int count_batches(MDB_txn* txn);
    bool has_room(MDB_txn* txn, std::size_t value_size) const;
    tl::unexpected<Error> failed(const char* what, int code);
    void close();

    const std::unique_ptr<store::DirectoryLock> lock_;
    const std::uint64_t max_bytes_;
    const Logger logger_;
    MDB_env* env_ = nullptr;
    bool is_broken_ = false;  // after an error
    MDB_dbi meta_ = 0, database_ = 0;
    std::uint64_t last_ = 0;  // sequence
    Totals totals_;
};

}  // namespace weir
