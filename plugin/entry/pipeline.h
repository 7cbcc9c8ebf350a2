// What runs between start and stop: source, collector, emitter, store writer and HTTP server, wired.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "plugin/base/status.h"
#include "plugin/config/config.h"
#include "plugin/entry/host.h"

namespace weir::entry {

class Pipeline {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    // `host` must outlive the pipeline. On failure nothing is left.
    static Result<std::shared_ptr<Pipeline>> start(const Host& host, const config::Config& config);
    virtual ~Pipeline() = default;

    // Hands over what was collected until the deadline, and joins everything. timeout: not all was taken.
    virtual Status stop(Deadline deadline) = 0;
    virtual void set_paused(bool paused) = 0;
    // Interval, tags, loopback, ipv6, folding: what needs no restart.
    virtual void change(const config::Config& config) = 0;

    // Any thread.
    virtual std::string http_url() const = 0;  // empty when there is no endpoint
    virtual std::string metrics() const = 0;
};

}  // namespace weir::entry
