#include "plugin/entry/reporter.h"

#include <cstdlib>

#include "plugin/base/thread.h"

namespace weir::entry {
namespace {

constexpr std::size_t kMaxLines = 1000;
constexpr std::size_t kMaxUrgent = 100;  // more: what is about the host itself, and comes seldom
constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::milliseconds kClockEvery{500};
constexpr std::int64_t kClockStep = 1'000'000;  // ns; what differs less is the time that the call takes

// For a callback under way to come back after the deadline.
constexpr std::chrono::milliseconds kGrace{500};

}  // namespace

std::shared_ptr<Reporter> Reporter::make(const Host& host, Ledger& ledger) {
    std::shared_ptr<Reporter> made(new Reporter(host, ledger));
    made->read_clock();
    return made;
}

void Reporter::start() {
    phase_ = Phase::running;
    thread_ = start_thread("weir-report", [self = shared_from_this()] { self->run(); });
}

bool Reporter::stop(Deadline deadline) {
    if (!thread_.joinable()) return true;
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    changed_.notify_all();
    const bool finished = changed_.wait_until(lock, deadline + kGrace, [this] { return is_finished_; });
    phase_ = Phase::over;
    lock.unlock();
    finished ? thread_.join() : thread_.detach();
    return finished;
}

Logger Reporter::logger() {
    return Logger([self = shared_from_this()](LogLevel level, std::string_view text) {
        self->tell({false, false, static_cast<std::int32_t>(level), std::string(text)});
    });
}

void Reporter::status(weir_code code, std::string text) { tell({true, true, code, std::move(text)}); }

void Reporter::tell(Line line) {
    {
        const std::lock_guard lock(mutex_);
        if (phase_ == Phase::over) return;
        if (phase_ == Phase::running) {
            if (lines_.size() < (line.is_urgent ? kMaxLines + kMaxUrgent : kMaxLines)) {
                lines_.push_back(std::move(line));
            } else {
                dropped_++;
            }
            changed_.notify_all();
            return;
        }
    }
    call(line);
}

void Reporter::call(const Line& line) {
    if (line.is_status) {
        host_.report_status(line.level_or_code, line.text);
    } else {
        host_.log(line.level_or_code, line.text);
    }
}

void Reporter::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait_for(lock, kTick, [this] { return is_stopping_ || !lines_.empty(); });
        if (is_stopping_ && lines_.empty()) break;
        const auto line = take_line();
        lock.unlock();
        if (line) reports_.call(line->is_status ? "emit_status" : "log", [&] { call(*line); });
        if (std::chrono::steady_clock::now() >= next_clock_)
            reports_.call("now_ns", [this] { read_clock(); });
        lock.lock();
        if (phase_ == Phase::over) return;
        lock.unlock();
        look_after(deliveries_);
        lock.lock();
    }
    is_finished_ = true;
    changed_.notify_all();
}

std::optional<Reporter::Line> Reporter::take_line() {
    if (lines_.empty()) return std::nullopt;
    Line line = std::move(lines_.front());
    lines_.pop_front();
    if (lines_.empty() && dropped_ != 0) {
        lines_.push_back({false, true, WEIR_LOG_WARNING,
                          std::to_string(dropped_) + " lines are missing here: the host's log was too slow"});
        dropped_ = 0;
    }
    return line;
}

void Reporter::read_clock() {
    next_clock_ = std::chrono::steady_clock::now() + kClockEvery;
    const std::int64_t offset = host_.now_ns() - boot_ns();
    if (std::abs(offset - offset_ns_) > kClockStep) offset_ns_ = offset;
}

void Reporter::look_after(CallWatch& watch) {
    const auto slow = watch.find_slow();
    if (!slow) return;
    slow_calls_++;
    ledger_.add(Loss::host_call_slow);
    const std::string text = "the host has not come back from " + std::string(slow->name) + " for " +
                             std::to_string(static_cast<int>(slow->seconds * 1000)) +
                             " ms; collecting goes on";
    tell({false, true, WEIR_LOG_WARNING, text});
    tell({true, true, WEIR_E_TIMEOUT, text});
}

}  // namespace weir::entry
