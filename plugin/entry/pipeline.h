// What runs between start and stop: source, collector, emitter, store writer and HTTP server, wired.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "plugin/base/status.h"
#include "plugin/config/config.h"
#include "plugin/entry/delivery.h"
#include "plugin/entry/host.h"

namespace weir::entry {

class Pipeline {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    // `host` must outlive the pipeline. On failure nothing is left.
    // Ends early, with cancelled, when `cancelled` becomes true meanwhile.
    static Result<std::shared_ptr<Pipeline>> start(const Host& host, const config::Config& config,
                                                   const std::atomic<bool>& cancelled);
    virtual ~Pipeline() = default;

    // Hands over what was collected until the deadline, and joins everything. timeout: some is lost, or a
    // callback hangs.
    virtual Status stop(Deadline deadline) = 0;
    virtual void set_paused(bool paused) = 0;
    // What config::needing_restart() does not name.
    virtual void change(const config::Config& config) = 0;

    // Hands over what waits for the host. Errors: timeout, cancelled.
    virtual Status drain(Deadline deadline) = 0;

    // Any thread.
    virtual void interrupt() = 0;  // ends a drain() now and a stop() in a second
    virtual Delivery::Pending pending() const = 0;
    virtual std::uint64_t lost_points() const = 0;
    virtual std::string http_url() const = 0;  // empty when there is no endpoint
    virtual std::string metrics() const = 0;
};

}  // namespace weir::entry
