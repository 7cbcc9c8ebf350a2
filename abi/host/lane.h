// One target with its queue and its thread.
//
// The queue is small on purpose: what waits here is lost if the host is killed, while the plugin can keep
// what it was refused. So it holds only what evens out a slow write or a short pause of a server.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "abi/host/log.h"
#include "abi/host/stop_control.h"
#include "abi/host/target.h"

namespace weir::host {

class Lane {
public:
    // `log` and `control` outlive the lane.
    Lane(std::unique_ptr<Target> target, Log& log, StopControl& control);
    // The thread must have ended, or never been started.
    ~Lane() = default;
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // Batches are taken from construction on, and delivered from start() on.
    void start();

    // [any thread; calls of has_room() and push() are serialised by the caller]
    bool has_room(std::size_t bytes) const;
    void push(std::shared_ptr<const Batch> batch);
    // The target takes nothing any more; the end of the run was asked for.
    bool closed() const;

    // The end, in steps, so that all lanes take them side by side: no batch comes any more, so let the queue
    // run empty; there is no time for that any more, so leave the queue as it is.
    void tell_to_finish();
    void tell_to_give_up();
    // True when the thread has ended; false when `limit` or, without one, the control's finish_by() is over.
    bool await_end(std::optional<StopControl::Clock::time_point> limit = std::nullopt);

    // A line in the log if points were lost here.
    void report_losses() const;

private:
    using Clock = StopControl::Clock;

    void work();
    std::shared_ptr<const Batch> next();
    Delivery attempt(const Batch& batch);
    bool settle(const Batch& batch);
    bool pause(std::chrono::milliseconds wait);
    void note_trouble(const std::string& why);
    void note_delivered();
    void note_refused(const Batch& batch, const std::string& why);
    void remove_first();
    void close(const std::string& why);

    const std::unique_ptr<Target> target_;
    const std::string name_;
    Log& log_;
    StopControl& control_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<const Batch>> queue_;  // the first one is under way
    std::size_t queued_bytes_ = 0;
    bool finishing_ = false;
    bool out_of_time_ = false;
    bool closed_ = false;
    bool ended_ = false;
    std::uint64_t refused_points_ = 0;

    // The worker's own.
    std::string trouble_;
    Clock::time_point trouble_logged_{};
    Clock::time_point refusal_logged_{};

    std::thread worker_;
};

}  // namespace weir::host
