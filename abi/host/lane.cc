#include "abi/host/lane.h"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "abi/host/split_points.h"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr auto kShortestWait = 100ms;
constexpr auto kLongestWait = std::chrono::milliseconds(5s);
constexpr auto kLogEvery = 10s;

}  // namespace

Lane::Lane(std::unique_ptr<Target> target, Backlog backlog, std::int32_t points_format, Log& log,
           StopControl& control)
    : target_(std::move(target)),
      name_(target_->name()),
      points_format_(points_format),
      log_(log),
      control_(control),
      backlog_(std::move(backlog)) {}

void Lane::start() {
    worker_ = std::thread([this] { work(); });
    const std::string thread_name = "host-" + name_.substr(0, std::min<std::size_t>(name_.find(':'), 10));
    pthread_setname_np(worker_.native_handle(), thread_name.c_str());
}

Lane::Room Lane::room(std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    if (closed_) return Room::closed;
    // When nothing waits any more, only another batch can tell whether the trouble is over.
    const bool tries = !in_trouble_ || backlog_.empty();
    if (tries && backlog_.has_room(bytes)) return Room::ready;
    return backlog_.has_room_behind(bytes) ? Room::behind : Room::full;
}

bool Lane::has_spool() const {
    const std::lock_guard lock(mutex_);
    return backlog_.has_spool();
}

void Lane::push(const Batch& batch) {
    const std::lock_guard lock(mutex_);
    for (const Batch& part : split_points(batch, points_format_, target_->most_points())) backlog_.push(part);
    changed_.notify_all();
}

void Lane::miss(const Batch& batch) {
    const std::lock_guard lock(mutex_);
    if (missed_points_ == 0) log_.error(name_ + ": there is no more room for what waits; points are dropped");
    missed_points_ += batch.points;
}

void Lane::work() {
    target_->open();
    while (const auto batch = next()) {
        if (!settle(*batch)) break;
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

// Null when nothing is left and nothing more will come.
std::optional<Batch> Lane::next() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !backlog_.empty() || finishing_ || !error_.empty(); });
        if (!error_.empty() && !out_of_time_) {
            const std::string words = std::exchange(error_, {});
            lock.unlock();
            pass_on(words);
            lock.lock();
            continue;
        }
        if (backlog_.empty() || out_of_time_) return std::nullopt;
        if (auto batch = backlog_.first(&damaged_points_)) return batch;
    }
}

void Lane::tell_error(const std::string& words) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    error_ = words;
    changed_.notify_all();
}

// What a library throws is no trouble here: the error stands in the log, too.
void Lane::pass_on(const std::string& error) try {
    target_->tell_error(error);
} catch (const std::exception&) {
}

// A library's exception, or a want of memory, is one more reason to try again.
Delivery Lane::attempt(const Batch& batch) try {
    return target_->deliver(batch);
} catch (const std::exception& problem) {
    return {Delivery::Result::retry, problem.what(), {}};
}

// Tries until the batch is delivered, refused or divided. False when it stays here.
bool Lane::settle(const Batch& batch) {
    auto wait = kShortestWait;
    for (;;) {
        const Delivery delivery = attempt(batch);
        switch (delivery.result) {
            case Delivery::Result::too_large:
                if (divide(batch)) return true;
                [[fallthrough]];
            case Delivery::Result::refused: note_refused(batch, delivery.why); return true;
            case Delivery::Result::done: note_delivered(); return true;
            case Delivery::Result::closed: close(delivery.why); return false;
            case Delivery::Result::retry: break;
        }
        note_trouble(delivery.why);
        if (!pause(std::max(wait, delivery.not_before))) return false;
        wait = std::min(wait * 2, kLongestWait);
    }
}

// False when it cannot be divided any more.
bool Lane::divide(const Batch& batch) {
    const auto parts = split_points(batch, points_format_, (batch.points + 1) / 2);
    if (parts.size() < 2) return false;
    const std::lock_guard lock(mutex_);
    backlog_.replace_first(parts);
    return true;
}

// Waits between two attempts; near the end of the run only shortly. False when there is no time for another.
bool Lane::pause(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    if (!finishing_) changed_.wait_for(lock, wait, [this] { return finishing_; });
    if (finishing_) changed_.wait_for(lock, kShortestWait, [this] { return out_of_time_; });
    return !out_of_time_;
}

void Lane::close(const std::string& why) {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        backlog_.clear();
    }
    control_.request(name_ + ": " + why);
}

void Lane::note_trouble(const std::string& why) {
    const bool is_new = trouble_.empty();
    const auto now = Clock::now();
    if (is_new) {
        const std::lock_guard lock(mutex_);
        in_trouble_ = true;
        backlog_.set_in_trouble(true);
    }
    if (!is_new && (why == trouble_ || now - trouble_logged_ < kLogEvery)) return;
    log_.warning(name_ + ": " + why + (is_new ? "; points wait until it takes them" : "; still waiting"));
    trouble_ = why;
    trouble_logged_ = now;
}

void Lane::note_delivered() {
    {
        const std::lock_guard lock(mutex_);
        backlog_.remove_first();
        in_trouble_ = false;
        backlog_.set_in_trouble(false);
    }
    if (trouble_.empty()) return;
    log_.info(name_ + ": takes points again");
    trouble_.clear();
}

void Lane::note_refused(const Batch& batch, const std::string& why) {
    std::uint64_t total = 0;
    {
        const std::lock_guard lock(mutex_);
        backlog_.remove_first();
        total = refused_points_ += batch.points;
    }
    const auto now = Clock::now();
    if (total > batch.points && now - refusal_logged_ < kLogEvery) return;
    refusal_logged_ = now;
    log_.error(name_ + ": refused points: " + why + "; " + std::to_string(total) + " points dropped so far");
}

void Lane::tell_to_finish() {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    changed_.notify_all();
}

void Lane::tell_to_give_up() {
    {
        const std::lock_guard lock(mutex_);
        finishing_ = out_of_time_ = true;
        changed_.notify_all();
    }
    target_->interrupt();
}

bool Lane::await_end(std::optional<Clock::time_point> limit) {
    if (!worker_.joinable()) return true;
    {
        std::unique_lock lock(mutex_);
        const auto until = [&] { return limit ? *limit : control_.finish_by(); };
        // In steps, because a signal may move finish_by() while we wait.
        for (auto now = Clock::now(); !ended_ && now < until(); now = Clock::now()) {
            changed_.wait_until(lock, std::min(until(), now + 50ms));
        }
        if (!ended_) return false;
    }
    worker_.join();
    return true;
}

void Lane::settle_the_rest() {
    const std::lock_guard lock(mutex_);
    const auto warn = [this](std::uint64_t points, const char* what) {
        if (points > 0) log_.warning(name_ + ": " + std::to_string(points) + " points " + what);
    };
    const std::uint64_t lost = target_->outlasts_a_run() ? backlog_.keep() : backlog_.points();
    warn(lost, "could not be delivered before the end");
    warn(backlog_.points() - lost, "wait in the spool for the next run");
    warn(missed_points_, "were dropped in all while it took none");
    warn(damaged_points_, "were in files of the spool that are damaged or gone");
    warn(refused_points_, "were refused and dropped in all");
}

}  // namespace weir::host
