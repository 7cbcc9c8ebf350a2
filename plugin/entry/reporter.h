// The report thread: what the plugin tells the host besides points (log lines, status), and the host's time.
//
// A host may be slow, or never come back from a callback. So the threads that collect, store and serve never
// call it themselves: their lines go through a bounded queue, and its time is carried on by the machine's
// clock from the last answer. This thread also looks after the deliver thread's calls, and reports what takes
// too long: by log, by status, and in the ledger. Its own calls are looked after by the deliver thread.
//
// Before start() lines go straight to the host, on the caller's thread; after stop() they are dropped.
//
// Thread-safe. Shared, because a thread that is stuck in the host is left behind at stop() and holds it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/entry/call_watch.h"
#include "plugin/entry/host.h"

namespace weir::entry {

class Reporter final : public Clock, public std::enable_shared_from_this<Reporter> {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    // The ledger must outlive stop().
    static std::shared_ptr<Reporter> make(const Host& host, Ledger& ledger);

    void start();
    // Hands over what is queued until the deadline. False when the thread is stuck in a callback: it is left
    // behind, and calls nothing when it comes back.
    bool stop(Deadline deadline);

    Logger logger();
    void status(weir_code code, std::string text);

    // The host's time, in which steps of its clock show within half a second.
    std::int64_t wall_ns() const override { return boot_ns() + offset_ns_; }
    std::int64_t boot_ns() const override { return system_clock().boot_ns(); }

    // For the deliver thread's calls.
    CallWatch& deliveries() { return deliveries_; }
    // Finds calls that take too long; for any plugin thread, now and then.
    void look_after(CallWatch& watch);
    void look_after_reports() { look_after(reports_); }

    std::uint64_t slow_calls() const { return slow_calls_; }
    // The longest callback under way.
    double call_seconds() const { return std::max(deliveries_.seconds(), reports_.seconds()); }

private:
    struct Line {
        bool is_status = false;
        bool is_urgent = false;
        std::int32_t level_or_code = 0;
        std::string text;
    };

    Reporter(const Host& host, Ledger& ledger) : host_(host), ledger_(ledger) {}

    void run();
    std::optional<Line> take_line();
    void tell(Line line);
    void call(const Line& line);
    void read_clock();

    const Host host_;
    Ledger& ledger_;
    CallWatch deliveries_, reports_;
    std::atomic<std::int64_t> offset_ns_{0};  // wall time minus boot time
    std::atomic<std::uint64_t> slow_calls_{0};

    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::deque<Line> lines_;
    std::uint64_t dropped_ = 0;
    enum class Phase : std::uint8_t { before, running, over } phase_ = Phase::before;
    bool is_stopping_ = false;
    bool is_finished_ = false;  // the thread's last act

    Deadline next_clock_{};  // of the thread
    std::thread thread_;
};

}  // namespace weir::entry
