// When the run ends, and that it ends in time.
//
// The signals that end a run are blocked in every thread and read by one thread of this class, because the
// main thread may be deep in the plugin's start() or stop() when they come. The first one tells the plugin to
// cut its work short and sets the clock: what the host still does has to be done by finish_by(). A plugin
// that hangs cannot hold the process: shortly after that time the process is left without it. Later signals
// change nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "abi/host/log.h"

namespace weir::host {

class StopControl {
public:
    using Clock = std::chrono::steady_clock;

    // From here on SIGINT, SIGTERM and SIGHUP (unless that is ignored, as under nohup) come here. To be made
    // before any other thread, which inherits the mask.
    explicit StopControl(Log& log);
    ~StopControl();
    StopControl(const StopControl&) = delete;
    StopControl& operator=(const StopControl&) = delete;

    // `interrupt` is called once, from another thread, when an end is asked for; at once if it was already.
    // After detach() it is not called and no call of it is under way.
    void attach(std::function<void()> interrupt);
    void detach();

    // [any thread] Ends the run as a signal does. Returns at once.
    void request(std::string reason);
    // [any thread]
    bool requested() const { return requested_.load(std::memory_order_relaxed); }

    // Until an end is asked for, or for `limit`.
    void wait(std::optional<std::chrono::milliseconds> limit);

    // The run ended without hurry: finish_by() is set a few seconds ahead. A signal still shortens that.
    void begin_to_finish();
    // [any thread] When all must be done; far in the future while the run goes on.
    Clock::time_point finish_by() const;

private:
    void watch();
    void on_request(const std::string& reason);
    std::optional<std::string> poll_reason(int timeout_ms);

    Log& log_;
    int signals_ = -1;
    int wake_ = -1;
    std::atomic<bool> requested_{false};

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> interrupt_;
    std::string asked_reason_;  // of request(), until the watcher has seen it
    bool over_ = false;
    Clock::time_point finish_by_ = Clock::time_point::max();

    std::thread watcher_;
};

}  // namespace weir::host
