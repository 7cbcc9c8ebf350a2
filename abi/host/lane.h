// One target with what waits for it and its thread.
//
// A target that is in trouble holds nobody else up: the others go on, and what it misses waits for it, in the
// spool if there is one. What waits in memory is lost if the host is killed, so a lane says that it is not
// ready as soon as it is in trouble, and what nobody can take stays with the plugin.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "abi/host/backlog.h"
#include "abi/host/log.h"
#include "abi/host/stop_control.h"
#include "abi/host/target.h"

namespace weir::host {

class Lane {
public:
    // `log` and `control` outlive the lane.
    Lane(std::unique_ptr<Target> target, Backlog backlog, std::int32_t points_format, Log& log,
         StopControl& control);
    // The thread must have ended, or never been started.
    ~Lane() = default;
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    // Batches are taken from construction on, and delivered from start() on.
    void start();

    enum class Room : std::uint8_t {
        ready,   // it will soon be delivered
        behind,  // it will wait, for who knows how long
        full,    // there is no room even for that
        closed,  // the target takes nothing any more; the end of the run was asked for
    };
    // [any thread; calls of these three are serialised by the caller]
    Room room(std::size_t bytes) const;
    bool has_spool() const;
    void push(const Batch& batch);
    // A batch that others take and this one has no room for.
    void miss(const Batch& batch);
    // What the plugin wants an operator to see; of two that wait, the later one is told.
    void tell_error(const std::string& words);

    // The end, in steps, so that all lanes take them side by side: no batch comes any more, so let the queue
    // run empty; there is no time for that any more, so leave the queue as it is.
    void tell_to_finish();
    void tell_to_give_up();
    // True when the thread has ended; false when `limit` or, without one, the control's finish_by() is over.
    bool await_end(std::optional<StopControl::Clock::time_point> limit = std::nullopt);

    // What is left goes to the spool; a line in the log if points were lost here, or wait.
    void settle_the_rest();

private:
    using Clock = StopControl::Clock;

    void work();
    std::optional<Batch> next();
    void pass_on(const std::string& error);
    Delivery attempt(const Batch& batch);
    bool settle(const Batch& batch);
    bool pause(std::chrono::milliseconds wait);
    bool divide(const Batch& batch);
    void note_trouble(const std::string& why);
    void note_delivered();
    void note_refused(const Batch& batch, const std::string& why);
    void close(const std::string& why);

    const std::unique_ptr<Target> target_;
    const std::string name_;
    const std::int32_t points_format_;
    Log& log_;
    StopControl& control_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Backlog backlog_;  // the first one is under way
    std::string error_;  // not told yet
    bool in_trouble_ = false;
    bool finishing_ = false;
    bool out_of_time_ = false;
    bool closed_ = false;
    bool ended_ = false;
    std::uint64_t refused_points_ = 0;
    std::uint64_t missed_points_ = 0;
    std::uint64_t damaged_points_ = 0;

    // The worker's own.
    std::string trouble_;
    Clock::time_point trouble_logged_{};
    Clock::time_point refusal_logged_{};

    std::thread worker_;
};

}  // namespace weir::host
