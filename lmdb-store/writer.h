// The one who writes: appends intervals, rolls minutes up, drops what is too old or too much.
//
// Each append is one transaction: the interval, a minute that is complete, what falls out of retention or
// over the cap, and the state to go on from. So whenever the process dies, the file is as after some append;
// minutes in work are lost with the memory and rebuilt from their intervals at the next start.
//
// A minute of many flows takes longer to encode than an interval, so it is done in steps: some with each
// interval after it, and the transaction of the last one writes it. Until then its intervals answer for it.
//
// The endpoint table is written from what the minutes came to, an hour at a time, and is let go of whenever
// it is in the way: it makes queries faster and says nothing new.
//
// Space: LMDB reuses a page only when no snapshot needs it, two transactions later at the earliest. So an
// eighth of the map, or three times what a transaction writes, is kept free as room to work in. When that
// does not do (an interval that is large for the cap, a reader that holds an old snapshot), readers are
// waited for, more is dropped, and the append is tried again.
//
// For one thread, but for published().
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lmdb-store/block_rows.h"
#include "lmdb-store/endpoint_rollup.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/environment.h"
#include "lmdb-store/options.h"
#include "lmdb-store/rollup.h"
#include "lmdb-store/segment_writer.h"
#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/flow/batch.h"

namespace weir::store {

// What is in the store.
struct Totals {
    std::uint64_t detail_rows = 0;
    std::uint64_t minute_rows = 0;
    std::int64_t oldest_detail_ns = 0;  // 0 = none
    std::int64_t oldest_minute_ns = 0;
    std::uint64_t used_bytes = 0;
};

class Writer {
public:
    Writer(Environment& environment, const Options& options, std::uint64_t map_bytes, const Clock& clock,
           Logger logger, Ledger& ledger);

    // After the environment was opened: takes stock, removes unreadable entries, rebuilds minutes that were
    // not written. Errors: storage.
    Status start();

    // Errors: invalid_argument (a batch that is not sound), storage. Either is counted as store_failed; the
    // losses that the batch carried go with the next one.
    Status append(const BatchPtr& batch);

    // Writes the minute in work, as a part. Errors: storage.
    Status flush();

    // Drops the oldest until the cap is kept. For a cap that was lowered. Errors: storage.
    Status trim();

    struct Published {
        Totals totals;
        std::string problem;  // empty: the last write succeeded
    };
    // Any thread.
    Published published() const;

private:
    // What a transaction has changed; taken over when it is committed.
    struct Change {
        State state;
        Totals totals;
        std::size_t parts_written = 0;
        std::size_t hours_written = 0;
        std::uint64_t minutes_dropped = 0;  // through this sequence
        SegmentWriter::Marks marks{};       // of the segment in work
    };

    using DamagedKeys = std::array<std::vector<Key>, kTables.size()>;  // as kTables

    // What becomes of the oldest interval when room is needed and its minute is still in work.
    enum class Unrolled : std::uint8_t {
        write,   // the minute is written as far as it has got; then the interval may go
        keep,    // minutes go instead
        forget,  // it goes, and its minute is safe in memory only
    };

    std::uint64_t page_limit() const { return map_bytes_ / environment_.page_size(); }
    std::uint64_t pages_to_write(const NewEntry* interval) const;
    std::uint64_t reserve(std::uint64_t needed) const;
    Status take_stock();
    void count_entries(const std::vector<Entry>& detail, const std::vector<Entry>& minutes,
                       const std::vector<Entry>& hours);
    void remove_damaged(const DamagedKeys& damaged);
    Status rebuild();
    void write_parts();
    Status rebuild_from(const Entry& entry);
    std::uint64_t add_block(const BlockReader& block, Segment& segment);
    void begin_segment_for(const Batch& batch);
    Status commit_waiting();
    Status commit(NewEntry* interval);
    int try_commit(NewEntry* interval, Change& change);
    int put_segment(Transaction& transaction, Change& change);
    int put_part(Transaction& transaction, Change& change);
    int put_hours(Transaction& transaction, Change& change);
    int put_interval(Transaction& transaction, NewEntry& interval, Change& change);
    int drop_expired(Transaction& transaction, Table table, Change& change);
    int drop_over(Transaction& transaction, std::uint64_t pages, Unrolled unrolled, Change& change);
    int drop_oldest(Transaction& transaction, Unrolled unrolled, Change& change, bool& dropped);
    int drop(Transaction& transaction, Table table, const Key& key, const std::optional<EntryHeader>& header,
             Change& change);
    int drop_parts(Transaction& transaction, std::int64_t end_ns, Change& change);
    int drop_hours(Transaction& transaction, std::uint64_t minute);
    int drop_segments(Transaction& transaction);
    int measure(const Transaction& transaction, Totals& totals) const;
    int make_room(unsigned attempt, std::uint64_t needed_pages);
    int change_only(const std::function<int(Transaction&, Change&)>& work);
    int reopen();
    void close_part();
    void encode_closed(std::size_t rows);
    void sum_hour(ClosedPart& part, std::uint64_t sequence);
    void close_hour();
    void encode_hour(std::size_t rows);
    Change no_change() const;
    void adopt(const Change& change);
    void set_problem(const std::string& problem);
    Error describe(int code, std::uint64_t bytes) const;
    tl::unexpected<Error> lose(const Batch* batch, Error error);

    Environment& environment_;
    const Options& options_;
    const std::uint64_t map_bytes_;
    const Clock& clock_;
    const Logger logger_;
    Ledger& ledger_;

    State state_;
    Totals totals_;
    std::uint64_t next_segment_ = 1;
    std::optional<SegmentWriter> segment_;  // none before the first interval
    Rollup rollup_;
    Rollup closed_;                  // the part before, while it is encoded
    std::vector<ClosedPart> parts_;  // of minutes, encoded but not committed yet
    EndpointRollup hour_;            // of minutes that are committed
    EndpointRollup closed_hour_;     // the one before, while it is encoded
    std::vector<NewEntry> hours_;    // for the endpoint table, not committed yet
    LossCounts carried_{};           // losses of intervals that could not be stored

    mutable std::mutex mutex_;
    Published published_;
};

}  // namespace weir::store
