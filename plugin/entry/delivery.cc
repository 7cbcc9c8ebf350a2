#include "plugin/entry/delivery.h"

#include <algorithm>

#include "plugin/base/thread.h"

namespace weir::entry {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxWaiting = 8;  // batches in memory
constexpr auto kTick = 250ms;
constexpr auto kFirstPause = 20ms;
constexpr auto kLongestPause = 1000ms;
constexpr auto kLongestPauseInHaste = 100ms;  // while draining or stopping
constexpr auto kPatience = 250ms;             // with a host that says BUSY, before batches go to disk
constexpr auto kToldAfter = 1s;
constexpr auto kRoomPatience = 1s;  // of the emit thread, with a host that makes no progress
constexpr auto kTagsEvery = 1s;
constexpr auto kSpoolRetry = 10s;
constexpr auto kLongest = 24h * 365;
constexpr auto kGrace = 1s;  // for a callback under way to come back after the deadline

}  // namespace

std::shared_ptr<Delivery> Delivery::make(const Host& host, std::shared_ptr<Reporter> reporter, Ledger& ledger,
                                         Options options) {
    return std::shared_ptr<Delivery>(new Delivery(host, std::move(reporter), ledger, std::move(options)));
}

Delivery::Delivery(const Host& host, std::shared_ptr<Reporter> reporter, Ledger& ledger, Options options)
    : host_(host),
      reporter_(std::move(reporter)),
      log_(reporter_->logger()),
      ledger_(ledger),
      options_(std::move(options)) {}

void Delivery::start() {
    Lock lock(mutex_);
    refresh_tags(lock);
    if (!options_.spool_directory.empty() && Spool::exists(options_.spool_directory) && open_spool()) {
        put_ = spool_->totals().batches;
        if (put_ != 0)
            log_.info(std::to_string(spool_->totals().points) +
                      " points wait in the spool since before the start");
    }
    thread_ = start_thread("weir-deliver", [self = shared_from_this()] { self->run(); });
}

// ---- the emit thread ----

void Delivery::put(std::string_view bytes, std::uint64_t points) {
    Lock lock(mutex_);
    Batch batch{std::exchange(spare_, {}), points, 0};
    batch.bytes.assign(bytes);
    const auto has_room = [this] { return waiting_.size() < kMaxWaiting; };
    const auto is_late = [this] { return Clock::now() >= give_up_; };
    while (!has_spooled() && !has_room() && !is_late()) {
        const std::uint64_t done_before = done_;
        room_.wait_until(lock, std::min(Clock::now() + kRoomPatience, give_up_), has_room);
        if (has_room() || done_ != done_before) continue;
        spill();  // no progress
    }
    if (has_spooled() || is_late()) spill();
    // In order: to disk only when nothing older waits in memory.
    const bool spooled = waiting_.empty() && (has_spooled() || is_late()) && spill(batch);
    if (!spooled && !has_room()) {
        lose(batch, spool_ ? Loss::spool_full : Loss::points_refused);
        return;
    }
    if (!spooled) waiting_.push_back(std::move(batch));
    put_++;
    changed_.notify_all();
}

// ---- the spool ----

bool Delivery::has_spooled() const { return spool_ && spool_->totals().batches != 0; }

bool Delivery::open_spool() {
    if (spool_) return true;
    if (options_.spool_directory.empty() || Clock::now() < next_spool_try_) return false;
    auto opened = Spool::open(options_.spool_directory, options_.spool_bytes, log_);
    if (opened) {
        spool_ = std::move(*opened);
        removed_ = 0;
        return true;
    }
    next_spool_try_ = Clock::now() + kSpoolRetry;
    if (!is_spool_failing_)
        log_.warning("points that the host does not take wait in memory only: " + opened.error().message);
    is_spool_failing_ = true;
    return false;
}

// All that waits, oldest first, as far as there is room.
void Delivery::spill() {
    if (current_ && current_->spooled_as == 0 && !spill(*current_)) return;
    while (!waiting_.empty() && spill(waiting_.front())) waiting_.pop_front();
    room_.notify_all();
}

bool Delivery::spill(Batch& batch) {
    if (!open_spool()) return false;
    const auto added = spool_->append(batch.bytes, batch.points);
    if (added && !*added) return false;
    if (!added) {
        if (!is_spool_failing_) log_.error("points cannot be spooled: " + added.error().message);
        is_spool_failing_ = true;
        return false;
    }
    is_spool_failing_ = false;
    batch.spooled_as = **added;
    return true;
}

void Delivery::lose(const Batch& batch, Loss reason) {
    lost_points_ += batch.points;
    ledger_.add(reason, batch.points);
}

// ---- the deliver thread ----

void Delivery::run() {
    Lock lock(mutex_);
    while (!is_over()) {
        const bool has_work = !is_paused_ && take_next();
        if (has_work) {
            attempt(lock);
        } else {
            const std::uint64_t put_before = put_, nudges_before = nudges_;
            changed_.wait_for(lock, kTick, [&] { return put_ != put_before || nudges_ != nudges_before; });
        }
        if (is_abandoned_) return;
        lock.unlock();
        reporter_->look_after_reports();
        lock.lock();
        refresh_tags(lock);
        if (is_abandoned_) return;
    }
    is_finished_ = true;
    changed_.notify_all();
}

// Nothing more to hand over, or no time.
bool Delivery::is_over() const {
    if (!is_input_closed_) return false;
    const bool is_empty = !current_ && waiting_.empty() && !has_spooled();
    return is_empty || is_paused_ || Clock::now() >= give_up_;
}

bool Delivery::take_next() {
    if (current_) return true;
    if (has_spooled()) {
        auto next = spool_->next(removed_);
        if (!next) {
            if (!is_spool_failing_) log_.error(next.error().message);
            is_spool_failing_ = true;
            return false;
        }
        if (*next) {
            current_ = Batch{std::move((*next)->bytes), (*next)->points, (*next)->sequence};
            return true;
        }
        remove_taken();
    }
    if (waiting_.empty()) return false;
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
    room_.notify_all();
    return true;
}

void Delivery::attempt(Lock& lock) {
    // Nobody else changes or frees the batch while it is offered: it may only be copied to disk.
    const Batch& batch = *current_;
    lock.unlock();
    const auto answer =
        reporter_->deliveries().call("emit_points", [&] { return host_.emit(batch.bytes, batch.points); });
    lock.lock();
    if (is_abandoned_) return;
    if (answer == WEIR_EMIT_OK) {
        note_taken();
    } else {
        note_refused(lock, answer);
    }
}

void Delivery::note_taken() {
    delivered_points_ += current_->points;
    done_++;
    if (current_->spooled_as != 0) {
        removed_ = current_->spooled_as;
        remove_taken();
    }
    spare_ = std::move(current_->bytes);
    current_.reset();
    if (refusal_told_) reporter_->status(WEIR_OK, "the host takes points again");
    refusal_told_ = false;
    refused_since_.reset();
    next_pause_ = kFirstPause;
    changed_.notify_all();
}

// A failure is tried again, and meanwhile they are known to be taken.
void Delivery::remove_taken() {
    const Status removed = spool_->remove_through(removed_);
    if (!removed && !is_spool_failing_) log_.error(removed.error().message);
    is_spool_failing_ = !removed;
}

void Delivery::note_refused(Lock& lock, weir_emit_result answer) {
    busy_++;
    if (!refused_since_) {
        refused_since_ = Clock::now();
        next_pause_ = kFirstPause;
    }
    const auto lasting = Clock::now() - *refused_since_;
    if (answer == WEIR_EMIT_CLOSED || lasting >= kPatience) spill();
    if (lasting >= kToldAfter && !refusal_told_) {
        refusal_told_ = true;
        reporter_->status(WEIR_E_TIMEOUT,
                          "the host has not taken points for more than a second; they are spooled");
    }
    if (answer == WEIR_EMIT_CLOSED && is_input_closed_) give_up_ = Clock::now();
    const bool in_haste = drains_ != 0 || is_input_closed_;
    const auto longest = in_haste ? kLongestPauseInHaste : kLongestPause;
    pause(lock, answer == WEIR_EMIT_CLOSED ? longest : std::min(next_pause_, longest));
    next_pause_ = std::min(2 * next_pause_, kLongestPause);
}

void Delivery::pause(Lock& lock, std::chrono::milliseconds length) {
    const std::uint64_t nudges_before = nudges_;
    changed_.wait_until(lock, std::min(Clock::now() + length, give_up_),
                        [&] { return nudges_ != nudges_before; });
}

void Delivery::refresh_tags(Lock& lock) {
    if (Clock::now() < next_tags_) return;
    next_tags_ = Clock::now() + kTagsEvery;
    std::vector<Tag> tags;
    const std::uint64_t known = tags_version_;
    const bool is_first = !are_tags_known_;
    lock.unlock();
    const std::uint64_t version = reporter_->deliveries().call("global_tags", [&] {
        const std::uint64_t now = host_.global_tags_version();
        if (now != known || is_first) tags = host_.global_tags();
        return now;
    });
    lock.lock();
    if (is_abandoned_ || (version == known && !is_first)) return;
    tags_ = std::move(tags);
    tags_version_ = version;
    are_tags_known_ = true;
}

// ---- others ----

std::vector<Tag> Delivery::global_tags() const {
    const Lock lock(mutex_);
    return tags_;
}

void Delivery::set_paused(bool paused) {
    const Lock lock(mutex_);
    is_paused_ = paused;
    nudges_++;
    changed_.notify_all();
}

Status Delivery::drain(Deadline deadline) {
    Lock lock(mutex_);
    const std::uint64_t target = put_;
    drains_++;
    is_interrupted_ = false;
    nudges_++;
    changed_.notify_all();
    changed_.wait_until(lock, deadline, [&] { return done_ >= target || is_interrupted_; });
    drains_--;
    if (done_ >= target) return {};
    if (is_interrupted_) return fail(ErrorCode::cancelled, "asked to stop while draining");
    return fail(ErrorCode::timeout, std::to_string(target - done_) + " batches are not taken yet");
}

void Delivery::interrupt(Deadline give_up) {
    const Lock lock(mutex_);
    is_interrupted_ = true;
    if (give_up_ != Deadline::max()) give_up_ = std::min(give_up_, give_up);
    nudges_++;
    changed_.notify_all();
    room_.notify_all();
}

void Delivery::stop_at(Deadline deadline) {
    const Lock lock(mutex_);
    give_up_ = std::min(deadline, Clock::now() + kLongest);
    nudges_++;
    changed_.notify_all();
    room_.notify_all();
}

Delivery::End Delivery::stop() {
    if (!thread_.joinable()) return {};
    Lock lock(mutex_);
    is_input_closed_ = true;
    give_up_ = std::min(give_up_, Clock::now() + kLongest);
    nudges_++;
    changed_.notify_all();
    // interrupt() may bring the end forward
    while (!is_finished_ && Clock::now() < give_up_ + kGrace) changed_.wait_until(lock, give_up_ + kGrace);
    is_abandoned_ = !is_finished_;
    spill();
    End end;
    end.is_stuck = is_abandoned_;
    const std::uint64_t lost_before = lost_points_;
    if (current_ && current_->spooled_as == 0) lose(*current_, Loss::points_refused);
    for (const Batch& batch : waiting_) lose(batch, spool_ ? Loss::spool_full : Loss::points_refused);
    waiting_.clear();
    end.lost_points = lost_points_ - lost_before;
    if (has_spooled())
        log_.info(std::to_string(spool_->totals().points) + " points stay in the spool for the next start");
    spool_.reset();
    lock.unlock();
    is_abandoned_ ? thread_.detach() : thread_.join();
    return end;
}

Delivery::Pending Delivery::pending() const {
    const Lock lock(mutex_);
    Pending out;
    const auto add = [&](const Batch& batch) {
        if (batch.spooled_as != 0) return;
        out.batches++;
        out.points += batch.points;
        out.bytes += batch.bytes.size();
    };
    if (current_) add(*current_);
    for (const Batch& batch : waiting_) add(batch);
    if (spool_) {
        out.batches += spool_->totals().batches;
        out.points += spool_->totals().points;
        out.bytes += spool_->totals().bytes;
    }
    return out;
}

}  // namespace weir::entry
