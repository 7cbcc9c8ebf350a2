// One collector: its configuration, its state, and all that runs while it runs.
//
// start() is all or nothing and in this order, so that what fails most often fails before anything is
// left behind: the kernel, the HTTP address, the store, then the threads. stop() goes the way of a fact:
// the collector ends with a last sweep, the emitter and the store take what is queued, HTTP goes last.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "abi/include/weir_abi.h"
#include "plugin/base/status.h"
#include "plugin/config/config.h"
#include "plugin/entry/host.h"

namespace weir::entry {

class Pipeline;

// The functions of the ABI on one instance; see weir_abi.h for what they promise. Control calls that
// overlap answer bad_state.
class Instance {
public:
    Instance(Host host, config::Config config);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    Status start();
    Status reconfigure(std::string_view toml);
    Status change(std::string_view toml);   // weir.reload/1
    Status drain(std::int64_t timeout_ns);  // weir.drain/1
    Status pause();
    Status resume();
    void request_stop();  // [any-thread]
    Status stop(std::int64_t timeout_ns);

    // [any-thread]
    std::string last_error() const;
    std::string http_url() const;
    std::string metrics() const;
    weir_pending_v1 pending() const;

private:
    enum class State : std::uint8_t { created, running, paused, stopped };
    class Control;

    std::shared_ptr<Pipeline> pipeline() const;
    Status take_over(Result<config::Config> config);
    Status expect(std::initializer_list<State> allowed) const;
    Status remember(Status status);

    const Host host_;
    config::Config config_;
    State state_ = State::created;  // of the control calls
    std::atomic<bool> in_control_{false};
    std::atomic<bool> stop_requested_{false};
    mutable std::mutex mutex_;  // of what follows
    std::string last_error_;
    std::shared_ptr<Pipeline> pipeline_;
};

}  // namespace weir::entry
