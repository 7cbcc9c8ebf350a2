#include "lmdb-store/writer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "lmdb-store/block_rows.h"
#include "lmdb-store/plan.h"

namespace weir::store {
namespace {

// What an append drops at most because of its age, so that no append takes long.
constexpr unsigned kMaxExpired = 64;
constexpr unsigned kMaxRoomAttempts = 3;
// Closed parts that a rebuild collects before it writes them.
constexpr std::size_t kMaxParts = 8;
// Of a closed part, what an append encodes: so a minute of many flows is done in six, and a small one at
// once.
constexpr std::size_t kRowsAStep = 24 * 1024;
// Likewise of an hour, whose rows have many samples each.
constexpr std::size_t kHourRowsAStep = 2 * 1024;
constexpr std::size_t kAllRows = std::numeric_limits<std::size_t>::max();

std::uint64_t pages_of(const NewEntry& entry, std::uint64_t page_size) {
    std::uint64_t out = 8;  // the trees' pages on the way
    for (const auto& blocks : entry.blocks) {
        for (const Block& block : blocks) out += block.size() / page_size + 2;
    }
    return out;
}

// Too old; or so far in the future that the clock must have been wrong when it was written.
bool is_expired(std::int64_t end_ns, std::int64_t now, std::int64_t keep_ns) {
    return end_ns <= now - keep_ns || end_ns > now + keep_ns;
}

}  // namespace

Writer::Writer(Environment& environment, const Options& options, std::uint64_t map_bytes, const Clock& clock,
               Logger logger, Ledger& ledger)
    : environment_(environment),
      options_(options),
      map_bytes_(map_bytes),
      clock_(clock),
      logger_(std::move(logger)),
      ledger_(ledger) {}

Status Writer::start() {
    if (auto ok = take_stock(); !ok) return ok;
    return rebuild();
}

Status Writer::append(const BatchPtr& batch) {
    if (!batch) return lose(nullptr, {ErrorCode::invalid_argument, "the store was given no interval"});
    if (auto ok = check_batch(*batch); !ok) return lose(batch.get(), ok.error());
    begin_segment_for(*batch);
    RowRuns runs = make_runs(*batch, segment_->number_rows(*batch));
    NewEntry interval = make_entry(*batch, runs, segment_->number());
    for (std::size_t i = 0; i < kLossCount; i++) interval.header.losses[i] += carried_[i];
    if (!rollup_.takes(interval.header)) close_part();
    encode_closed(kRowsAStep);
    encode_hour(kHourRowsAStep);
    if (auto ok = commit(&interval); !ok) return lose(batch.get(), ok.error());
    carried_ = {};
    rollup_.add(std::move(runs), interval.header);
    return {};
}

// Rows of the minute in work are in intervals that are stored, and so are their subjects; the part that is
// closed when the segment changes needs nothing more of the old one.
void Writer::begin_segment_for(const Batch& batch) {
    if (segment_ && segment_->takes(batch, rollup_.begins_minute(batch.end_ns))) return;
    const SegmentWriter::Limits limits{options_.minute_ns / 2, map_bytes_ / 8};
    segment_.emplace(next_segment_++, batch, limits);
}

Status Writer::flush() {
    if (!rollup_.empty()) close_part();
    encode_closed(kAllRows);
    if (auto ok = commit_waiting(); !ok) return ok;
    close_hour();
    encode_hour(kAllRows);
    return commit_waiting();
}

// Parts and hours that are encoded.
Status Writer::commit_waiting() {
    if (parts_.empty() && hours_.empty()) return {};
    auto ok = commit(nullptr);
    if (!ok) set_problem(ok.error().message);
    return ok;
}

Status Writer::trim() {
    const int code = change_only([&](Transaction& transaction, Change& change) {
        return drop_over(transaction, page_limit() - reserve(0), Unrolled::write, change);
    });
    if (code != 0) return tl::unexpected(describe(code, 0));
    return {};
}

Writer::Published Writer::published() const {
    const std::lock_guard lock(mutex_);
    return published_;
}

void Writer::close_part() {
    encode_closed(kAllRows);
    std::swap(rollup_, closed_);
}

void Writer::encode_closed(std::size_t rows) {
    if (!closed_.empty() && closed_.encode(rows)) parts_.push_back(closed_.take());
}

// Takes a committed part of a minute into the hour.
void Writer::sum_hour(ClosedPart& part, std::uint64_t sequence) {
    const bool fits = part.by_endpoint && EndpointRollup::fits(*part.by_endpoint);
    if (!fits || !hour_.takes(part.minute.header, sequence)) close_hour();
    if (fits) hour_.add(part.minute.header, sequence, *part.by_endpoint);
}

void Writer::close_hour() {
    encode_hour(kAllRows);
    std::swap(hour_, closed_hour_);
}

void Writer::encode_hour(std::size_t rows) {
    if (!closed_hour_.empty() && closed_hour_.encode(rows)) hours_.push_back(closed_hour_.take());
}

Status Writer::commit(NewEntry* interval) {
    unsigned room_attempts = 0;
    bool has_reopened = false;
    while (true) {
        Change change = no_change();
        int code = try_commit(interval, change);
        if (code == 0) {
            adopt(change);
            set_problem({});
            return {};
        }
        // What cannot fit into an empty store is no reason to empty it.
        const std::uint64_t pages = pages_to_write(interval);
        const bool can_fit = pages < page_limit();
        if (code == MDB_MAP_FULL && !hours_.empty()) {
            hours_.clear();
            continue;
        }
        if (code == MDB_MAP_FULL && can_fit && room_attempts < kMaxRoomAttempts) {
            code = make_room(room_attempts++, pages);
            if (code == 0) continue;
        }
        if (code == MDB_PANIC && !has_reopened) {
            has_reopened = true;
            code = reopen();
            if (code == 0) continue;
        }
        return tl::unexpected(describe(code, interval == nullptr ? 0 : interval->bytes()));
    }
}

std::uint64_t Writer::pages_to_write(const NewEntry* interval) const {
    std::uint64_t out = interval == nullptr ? 0 : pages_of(*interval, environment_.page_size());
    for (const ClosedPart& part : parts_) out += pages_of(part.minute, environment_.page_size());
    for (const NewEntry& hour : hours_) out += pages_of(hour, environment_.page_size());
    if (segment_) out += segment_->unwritten_bytes() / environment_.page_size() + 8;
    return out;
}

// Pages to be kept free.
std::uint64_t Writer::reserve(std::uint64_t needed) const {
    return std::clamp(3 * needed, page_limit() / 8, page_limit() / 2);
}

int Writer::try_commit(NewEntry* interval, Change& change) {
    Transaction transaction;
    int code = environment_.write(transaction);
    if (code == 0) code = put_segment(transaction, change);
    while (code == 0 && change.parts_written < parts_.size()) code = put_part(transaction, change);
    if (code == 0) code = put_hours(transaction, change);
    if (code == 0 && interval != nullptr) code = put_interval(transaction, *interval, change);
    if (code == 0) code = drop_expired(transaction, Table::detail, change);
    if (code == 0) code = drop_expired(transaction, Table::minute, change);
    if (code == 0) {
        const std::uint64_t pages = page_limit() - reserve(pages_to_write(interval));
        code = drop_over(transaction, pages, Unrolled::write, change);
    }
    if (code == 0) code = put_state(transaction, change.state);
    if (code == 0) code = measure(transaction, change.totals);
    return code == 0 ? transaction.commit() : code;
}

int Writer::put_segment(Transaction& transaction, Change& change) {
    if (!segment_) return 0;
    int code = 0;
    for (const auto& block : segment_->unwritten(change.marks)) {
        if (code == 0) code = put_segment_block(transaction, block);
    }
    return code;
}

int Writer::put_part(Transaction& transaction, Change& change) {
    const NewEntry& part = parts_[change.parts_written++].minute;
    const int code = put_entry(transaction, Table::minute, change.state.next_minute_sequence++, part);
    change.state.rolled_through = std::max(change.state.rolled_through, part.header.last_sequence);
    change.totals.minute_rows += part.header.rows();
    return code;
}

int Writer::put_hours(Transaction& transaction, Change& change) {
    int code = 0;
    while (code == 0 && change.hours_written < hours_.size()) {
        const NewEntry& hour = hours_[change.hours_written++];
        code = put_entry(transaction, Table::endpoint, hour.header.first_sequence, hour);
    }
    return code;
}

int Writer::put_interval(Transaction& transaction, NewEntry& interval, Change& change) {
    const std::uint64_t sequence = change.state.next_sequence++;
    interval.header.first_sequence = interval.header.last_sequence = sequence;
    change.totals.detail_rows += interval.header.rows();
    return put_entry(transaction, Table::detail, sequence, interval);
}

int Writer::drop(Transaction& transaction, Table table, const Key& key,
                 const std::optional<EntryHeader>& header, Change& change) {
    if (header) {
        auto& rows = table == Table::detail ? change.totals.detail_rows : change.totals.minute_rows;
        rows -= std::min(rows, header->rows());
        // An interval of the future says nothing about what is missing before now.
        if (table == Table::detail && header->end_ns <= clock_.wall_ns()) {
            change.state.detail_dropped_ns = std::max(change.state.detail_dropped_ns, header->end_ns);
        }
    }
    int code = erase_entry(transaction, table, key);
    if (code == 0 && table == Table::minute) {
        change.minutes_dropped = std::max(change.minutes_dropped, key.sequence);
        code = drop_hours(transaction, key.sequence);
        if (code == 0 && header) code = drop_parts(transaction, header->end_ns, change);
    }
    return code == 0 ? drop_segments(transaction) : code;
}

// The other parts of a minute: what is left of it would pass for all of it.
int Writer::drop_parts(Transaction& transaction, std::int64_t end_ns, Change& change) {
    Key key;
    std::optional<EntryHeader> header;
    const int code = first_entry(transaction, Table::minute, key, header);
    if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
    if (!header || header->end_ns != end_ns) return 0;
    return drop(transaction, Table::minute, key, header, change);
}

// Those that hold this minute, or one before it.
int Writer::drop_hours(Transaction& transaction, std::uint64_t minute) {
    while (true) {
        Key key;
        std::optional<EntryHeader> header;
        int code = first_entry(transaction, Table::endpoint, key, header);
        if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
        if (key.sequence > minute) return 0;
        if ((code = erase_entry(transaction, Table::endpoint, key)) != 0) return code;
    }
}

// Those that no entry refers to, none that is yet to be written either.
int Writer::drop_segments(Transaction& transaction) {
    std::uint64_t needed = segment_ ? segment_->number() : next_segment_;
    for (const ClosedPart& part : parts_) needed = std::min(needed, part.minute.header.segment);
    for (const NewEntry& hour : hours_) needed = std::min(needed, hour.header.segment);
    if (!closed_.empty()) needed = std::min(needed, closed_.segment());
    for (const EndpointRollup* hour : {&hour_, &closed_hour_}) {
        if (!hour->empty()) needed = std::min(needed, hour->segment());
    }
    for (const Table table : kTables) {
        Key key;
        std::optional<EntryHeader> header;
        const int code = first_entry(transaction, table, key, header);
        if (code != 0 && code != MDB_NOTFOUND) return code;
        if (code == 0) needed = std::min(needed, header ? header->segment : 0);
    }
    return erase_segments(transaction, needed);
}

int Writer::drop_expired(Transaction& transaction, Table table, Change& change) {
    const std::int64_t keep = table == Table::detail ? options_.detail_ns + keep_slack(options_.detail_ns)
                                                     : options_.minute_ns + kMinute;
    const std::int64_t now = clock_.wall_ns();
    for (unsigned i = 0; i < kMaxExpired; i++) {
        Key key;
        std::optional<EntryHeader> header;
        int code = first_entry(transaction, table, key, header);
        if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
        if (header) {
            const bool is_needed = table == Table::detail && key.sequence > change.state.rolled_through;
            if (is_needed || !is_expired(header->end_ns, now, keep)) return 0;
        }
        if ((code = drop(transaction, table, key, header, change)) != 0) return code;
    }
    return 0;
}

// Drops the oldest entries until so many pages are in use at most, or nothing can be dropped any more.
int Writer::drop_over(Transaction& transaction, std::uint64_t pages, Unrolled unrolled, Change& change) {
    while (true) {
        std::uint64_t used = 0;
        int code = used_pages(transaction, used);
        if (code != 0 || used <= pages) return code;
        bool dropped = false;
        code = drop_oldest(transaction, unrolled, change, dropped);
        if (code != 0 || !dropped) return code;
    }
}

// One entry: the oldest interval, and when there is none that may go, the oldest minute.
int Writer::drop_oldest(Transaction& transaction, Unrolled unrolled, Change& change, bool& dropped) {
    Key key;
    std::optional<EntryHeader> header;
    int code = first_entry(transaction, Table::detail, key, header);
    if (code != 0 && code != MDB_NOTFOUND) return code;
    const bool has_detail = code == 0;
    if (has_detail && key.sequence > change.state.rolled_through && unrolled == Unrolled::write) {
        if (!rollup_.empty()) close_part();
        encode_closed(kAllRows);
        while (change.parts_written < parts_.size()) {
            if ((code = put_part(transaction, change)) != 0) return code;
        }
    }
    const bool may_go =
        has_detail && (key.sequence <= change.state.rolled_through || unrolled == Unrolled::forget);
    const Table table = may_go ? Table::detail : Table::minute;
    if (!may_go) {
        code = first_entry(transaction, Table::minute, key, header);
        if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
    }
    dropped = true;
    return drop(transaction, table, key, header, change);
}

// What is in use, and the oldest times.
int Writer::measure(const Transaction& transaction, Totals& totals) const {
    for (const Table table : {Table::detail, Table::minute}) {
        Key key;
        std::optional<EntryHeader> header;
        const int code = first_entry(transaction, table, key, header);
        if (code != 0 && code != MDB_NOTFOUND) return code;
        auto& oldest = table == Table::detail ? totals.oldest_detail_ns : totals.oldest_minute_ns;
        oldest = code == 0 && header ? header->end_ns : 0;
    }
    std::uint64_t pages = 0;
    const int code = used_pages(transaction, pages);
    totals.used_bytes = pages * environment_.page_size();
    return code;
}

// A transaction of its own, without an interval.
int Writer::change_only(const std::function<int(Transaction&, Change&)>& work) {
    Change change = no_change();
    Transaction transaction;
    int code = environment_.write(transaction);
    if (code == 0) code = work(transaction, change);
    if (code == 0) code = put_state(transaction, change.state);
    if (code == 0) code = measure(transaction, change.totals);
    if (code == 0) code = transaction.commit();
    if (code == 0) adopt(change);
    return code;
}

// After MDB_MAP_FULL: drops more with each attempt, in the end everything, while no reader holds pages.
// Writes nothing but the state, for there is no room.
int Writer::make_room(unsigned attempt, std::uint64_t needed_pages) {
    const auto quiet = environment_.quiesce();
    const bool is_last = attempt + 1 == kMaxRoomAttempts;
    std::uint64_t target = is_last ? 0 : attempt == 0 ? page_limit() - page_limit() / 8 : page_limit() / 2;
    target -= std::min(target, 2 * needed_pages);
    int code = change_only([&](Transaction& transaction, Change& change) {
        return drop_over(transaction, target, is_last ? Unrolled::forget : Unrolled::keep, change);
    });
    // Pages become free for the second transaction after the one that dropped them.
    for (int i = 0; i < 2 && code == 0; i++) code = change_only([](Transaction&, Change&) { return 0; });
    return code;
}

Writer::Change Writer::no_change() const {
    Change out;
    out.state = state_;
    out.totals = totals_;
    if (segment_) out.marks = segment_->written();
    return out;
}

int Writer::reopen() {
    const auto quiet = environment_.quiesce();
    return environment_.open(options_.path, map_bytes_);
}

void Writer::adopt(const Change& change) {
    state_ = change.state;
    totals_ = change.totals;
    if (segment_) segment_->set_written(change.marks);
    for (EndpointRollup* hour : {&hour_, &closed_hour_}) {
        if (!hour->empty() && hour->first_minute() <= change.minutes_dropped) hour->clear();
    }
    hours_.erase(hours_.begin(), hours_.begin() + static_cast<std::ptrdiff_t>(change.hours_written));
    std::erase_if(hours_,
                  [&](const NewEntry& hour) { return hour.header.first_sequence <= change.minutes_dropped; });
    const std::uint64_t first_part = state_.next_minute_sequence - change.parts_written;
    for (std::size_t i = 0; i < change.parts_written; i++) {
        if (first_part + i > change.minutes_dropped) sum_hour(parts_[i], first_part + i);
    }
    parts_.erase(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(change.parts_written));
    const std::lock_guard lock(mutex_);
    published_.totals = totals_;
}

void Writer::set_problem(const std::string& problem) {
    std::string before;
    {
        const std::lock_guard lock(mutex_);
        before = std::exchange(published_.problem, problem);
    }
    if (!problem.empty() && before.empty()) logger_.error(problem);
    if (problem.empty() && !before.empty())
        logger_.info("store: writing to " + options_.path + " works again");
}

Error Writer::describe(int code, std::uint64_t bytes) const {
    std::string message = "store: cannot write to " + options_.path + ": ";
    if (code == MDB_MAP_FULL) {
        message += "an interval of " + std::to_string(bytes) + " bytes does not fit; set max_size higher";
    } else if (code == ENOSPC || code == EDQUOT || code == EIO) {
        message += message_of(code) + "; free space on its disk, or set max_size lower";
    } else {
        message += message_of(code);
    }
    return {ErrorCode::storage, std::move(message)};
}

tl::unexpected<Error> Writer::lose(const Batch* batch, Error error) {
    ledger_.add(Loss::store_failed);
    if (batch != nullptr) {
        for (std::size_t i = 0; i < kLossCount; i++) carried_[i] += batch->losses[i];
    }
    set_problem(error.message);
    return tl::unexpected(std::move(error));
}

Status Writer::take_stock() {
    std::vector<Entry> detail;
    std::vector<Entry> minutes;
    std::vector<Entry> hours;
    DamagedKeys damaged;
    std::optional<State> stored;
    {
        const auto snapshot = environment_.read();
        if (!snapshot) return tl::unexpected(snapshot.error());
        const Transaction& transaction = snapshot->transaction();
        int code = list_entries(transaction, Table::detail, 0, detail, damaged[0]);
        if (code == 0) code = list_entries(transaction, Table::minute, 0, minutes, damaged[1]);
        if (code == 0) code = list_entries(transaction, Table::endpoint, 0, hours, damaged[2]);
        if (code == 0) code = last_segment(transaction, next_segment_);
        if (code == 0) code = get_state(transaction, stored);
        if (code == 0) code = measure(transaction, totals_);
        if (code != 0) return tl::unexpected(describe(code, 0));
    }
    state_ = stored.value_or(State());
    if (state_.store_id == 0) state_.store_id = static_cast<std::uint64_t>(clock_.wall_ns());
    next_segment_++;
    count_entries(detail, minutes, hours);
    adopt(no_change());
    const auto has_none = [](const std::vector<Key>& keys) { return keys.empty(); };
    if (!stored || !std::all_of(damaged.begin(), damaged.end(), has_none)) remove_damaged(damaged);
    return {};
}

// The sequences follow from the entries as well, for a state that is damaged.
void Writer::count_entries(const std::vector<Entry>& detail, const std::vector<Entry>& minutes,
                           const std::vector<Entry>& hours) {
    for (const auto* entries : {&detail, &minutes, &hours}) {
        for (const Entry& entry : *entries) next_segment_ = std::max(next_segment_, entry.header.segment + 1);
    }
    for (const Entry& entry : detail) {
        totals_.detail_rows += entry.header.rows();
        state_.next_sequence = std::max(state_.next_sequence, entry.key.sequence + 1);
    }
    for (const Entry& entry : minutes) {
        totals_.minute_rows += entry.header.rows();
        state_.next_minute_sequence = std::max(state_.next_minute_sequence, entry.key.sequence + 1);
        state_.rolled_through = std::max(state_.rolled_through, entry.header.last_sequence);
        state_.next_sequence = std::max(state_.next_sequence, entry.header.last_sequence + 1);
    }
    for (const Entry& entry : hours)
        state_.next_minute_sequence = std::max(state_.next_minute_sequence, entry.header.last_sequence + 1);
}

// A disk that is full now does not keep the history from being read: the next append tries again.
void Writer::remove_damaged(const DamagedKeys& damaged) {
    // Minutes say what hours say.
    if (const std::size_t lost = damaged[0].size() + damaged[1].size(); lost > 0) {
        logger_.warning("store: " + options_.path + ": " + std::to_string(lost) +
                        " damaged entries are removed; what they held is lost");
    }
    const int code = change_only([&](Transaction& transaction, Change&) {
        int failed = 0;
        for (std::size_t i = 0; i < kTables.size(); i++) {
            for (const Key& key : damaged[i])
                failed = failed != 0 ? failed : erase_entry(transaction, kTables[i], key);
        }
        return failed;
    });
    if (code != 0) set_problem(describe(code, 0).message);
}

Status Writer::rebuild() {
    std::vector<Entry> entries;
    {
        const auto snapshot = environment_.read();
        if (!snapshot) return tl::unexpected(snapshot.error());
        std::vector<Key> damaged;
        const int code = list_entries(snapshot->transaction(), Table::detail, 0, entries, damaged);
        if (code != 0) return tl::unexpected(describe(code, 0));
    }
    std::erase_if(entries, [this](const Entry& e) { return e.key.sequence <= state_.rolled_through; });
    for (const Entry& entry : entries) {
        if (auto ok = rebuild_from(entry); !ok) return ok;
    }
    write_parts();
    return {};
}

// All that are closed. As for remove_damaged(): parts that cannot be written now wait for the next append.
void Writer::write_parts() {
    encode_closed(kAllRows);
    static_cast<void>(commit_waiting());
}

// Adds a stored interval to the minute in work, in a segment of this process. Blocks that cannot be read are
// counted in the minute.
Status Writer::rebuild_from(const Entry& entry) {
    Batch batch;
    batch.end_ns = entry.header.end_ns;
    batch.host = entry.header.host;
    batch.service = entry.header.service;
    if (segment_ && !segment_->takes(batch, rollup_.begins_minute(batch.end_ns))) {
        // Its subjects go into the store with its parts.
        if (!rollup_.empty()) close_part();
        write_parts();
    }
    begin_segment_for(batch);
    EntryHeader header = entry.header;
    header.segment = segment_->number();
    header.first_sequence = header.last_sequence = entry.key.sequence;
    if (!rollup_.takes(header)) close_part();
    if (parts_.size() >= kMaxParts) write_parts();

    const auto snapshot = environment_.read();
    if (!snapshot) return tl::unexpected(snapshot.error());
    std::uint64_t read = 0;
    for (const Part part : kRowParts) {
        Segment segment;
        if (header.size(part).rows > 0 &&
            segment.open(snapshot->transaction(), entry.header.segment, part) != 0)
            continue;
        for (std::uint32_t i = 0; i < header.size(part).blocks; i++) {
            Bytes bytes;
            if (get_block(snapshot->transaction(), entry, part, i, bytes) != 0) continue;
            if (const auto block = BlockReader::open(bytes); block && block->part() == part)
                read += add_block(*block, segment);
        }
    }
    header.losses[static_cast<std::size_t>(Loss::store_unreadable)] +=
        header.rows() - std::min(header.rows(), read);
    rollup_.add({}, header);
    return {};
}

// Returns how many rows were added to the minute in work.
std::uint64_t Writer::add_block(const BlockReader& block, Segment& segment) {
    Batch batch;
    std::vector<std::uint8_t> lost;
    if (!read_rows(block, segment, batch, lost)) return 0;
    return with_row_type(block.part(), [&]<typename Row>() {
        auto& rows = RowColumns<Row>::rows(batch);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < rows.size(); i++) {
            if (lost[i] != 0) continue;
            if (kept != i) rows[kept] = std::move(rows[i]);
            kept++;
        }
        rows.resize(kept);
        rollup_.add_rows(make_runs(batch, segment_->number_rows(batch)));
        return std::uint64_t{kept};
    });
}

}  // namespace weir::store
