#include "abi/host/lane.h"

#include <pthread.h>

#include <algorithm>
#include <exception>

namespace weir::host {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostBatches = 16;
constexpr std::size_t kMostBytes = 8U << 20U;
constexpr auto kShortestWait = 100ms;
constexpr auto kLongestWait = std::chrono::milliseconds(5s);
constexpr auto kLogEvery = 10s;

}  // namespace

Lane::Lane(std::unique_ptr<Target> target, Log& log, StopControl& control)
    : target_(std::move(target)), name_(target_->name()), log_(log), control_(control) {}

void Lane::start() {
    worker_ = std::thread([this] { work(); });
    const std::string thread_name = "host-" + name_.substr(0, std::min<std::size_t>(name_.find(':'), 10));
    pthread_setname_np(worker_.native_handle(), thread_name.c_str());
}

bool Lane::has_room(std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    // A batch that is larger than the bound still has to get through, alone.
    if (queue_.empty()) return true;
    return queue_.size() < kMostBatches && queued_bytes_ + bytes <= kMostBytes;
}

void Lane::push(std::shared_ptr<const Batch> batch) {
    const std::lock_guard lock(mutex_);
    queued_bytes_ += batch->bytes.size();
    queue_.push_back(std::move(batch));
    changed_.notify_all();
}

bool Lane::closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

void Lane::work() {
    target_->open();
    while (const auto batch = next()) {
        if (!settle(*batch)) break;
        remove_first();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

// Null when nothing is left and nothing more will come.
std::shared_ptr<const Batch> Lane::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !queue_.empty() || finishing_; });
    return queue_.empty() ? nullptr : queue_.front();
}

void Lane::remove_first() {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= queue_.front()->bytes.size();
    queue_.pop_front();
}

// A library's exception, or a want of memory, is one more reason to try again.
Delivery Lane::attempt(const Batch& batch) try {
    return target_->deliver(batch);
} catch (const std::exception& problem) {
    return {Delivery::Result::retry, problem.what(), {}};
}

// Tries until the batch is delivered or refused. False when it stays here for good.
bool Lane::settle(const Batch& batch) {
    auto wait = kShortestWait;
    for (;;) {
        const Delivery delivery = attempt(batch);
        switch (delivery.result) {
            case Delivery::Result::done: note_delivered(); return true;
            case Delivery::Result::refused: note_refused(batch, delivery.why); return true;
            case Delivery::Result::closed: close(delivery.why); return false;
            case Delivery::Result::retry: break;
        }
        note_trouble(delivery.why);
        if (!pause(std::max(wait, delivery.not_before))) return false;
        wait = std::min(wait * 2, kLongestWait);
    }
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
        queue_.clear();
        queued_bytes_ = 0;
    }
    control_.request(name_ + ": " + why);
}

void Lane::note_trouble(const std::string& why) {
    const bool is_new = trouble_.empty();
    const auto now = Clock::now();
    if (!is_new && (why == trouble_ || now - trouble_logged_ < kLogEvery)) return;
    log_.warning(name_ + ": " + why + (is_new ? "; points wait until it takes them" : "; still waiting"));
    trouble_ = why;
    trouble_logged_ = now;
}

void Lane::note_delivered() {
    if (trouble_.empty()) return;
    log_.info(name_ + ": takes points again");
    trouble_.clear();
}

void Lane::note_refused(const Batch& batch, const std::string& why) {
    std::uint64_t total = 0;
    {
        const std::lock_guard lock(mutex_);
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

void Lane::report_losses() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t left = 0;
    for (const auto& batch : queue_) left += batch->points;
    if (left > 0)
        log_.warning(name_ + ": " + std::to_string(left) + " points could not be delivered before the end");
    if (refused_points_ > 0) {
        log_.warning(name_ + ": " + std::to_string(refused_points_) +
                     " points were refused and dropped in all");
    }
}

}  // namespace weir::host
