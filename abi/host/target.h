// A place that points go to. A new kind is one more file and one more row in target.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "abi/host/expected.h"

namespace weir::host {

// Points as the plugin encoded them: a whole batch of the plugin's, or a part of one. Copies share the bytes,
// which nobody changes.
struct Batch {
    std::shared_ptr<const std::string> owner;
    std::string_view bytes;  // inside *owner
    std::uint64_t points = 0;

    static Batch of(std::string bytes, std::uint64_t points) {
        auto owner = std::make_shared<const std::string>(std::move(bytes));
        const std::string_view view = *owner;
        return {std::move(owner), view, points};
    }
};

struct Delivery {
    enum class Result : std::uint8_t {
        done,       // the batch is there, whole
        retry,      // not there now: try the same batch again
        too_large,  // nothing of it is there, and smaller ones may be taken
        refused,    // it will never be taken: drop it
        closed,     // nothing will be taken any more
    };
    Result result = Result::done;
    std::string why;                         // empty when done; safe to print after printable()
    std::chrono::milliseconds not_before{};  // retry: the least wait that the other side asked for
};

// What of the command line concerns targets.
struct TargetSettings {
    std::int32_t points_format = 0;  // WEIR_FORMAT_
    std::uint64_t most_points = 0;   // in a request; 0: as the kind of target has it
    bool gzip = false;
    // A batch that a server fails over (HTTP 500), again and again, is dropped after this long.
    std::chrono::milliseconds give_up_after{};
};

// One thread calls deliver(), always again with the same batch after `retry`.
class Target {
public:
    virtual ~Target() = default;

    // As messages call it; holds no secret.
    virtual std::string name() const = 0;
    // Before anything starts: why this cannot work here, if that can be known without leaving a trace.
    virtual Expected<void> check() { return {}; }
    // When the run has started, before the first batch.
    virtual void open() {}
    // One attempt. Bounded in time, or ended by interrupt().
    virtual Delivery deliver(const Batch& batch) = 0;
    // The plugin's last error, for targets that show such: told once, and lost if that does not work. On
    // deliver()'s thread, as bounded.
    virtual void tell_error(const std::string& /*words*/) {}
    // [any thread] Makes a deliver() that is under way return soon, and later ones at once.
    virtual void interrupt() {}

    // Points that deliver() gets at most in one batch; 0 for any number.
    virtual std::uint64_t most_points() const { return 0; }
    // Whether a batch that was tried and not delivered can be tried again in another run.
    virtual bool outlasts_a_run() const { return true; }
};

// A target from its word on the command line, such as "file:/tmp/points". The error is one for the person who
// wrote the command line.
Expected<std::unique_ptr<Target>> make_target(const std::string& word, const TargetSettings& settings);

// The kinds; each gets what follows its prefix.
Expected<std::unique_ptr<Target>> make_stdout_target(const std::string& rest, const TargetSettings& settings);
Expected<std::unique_ptr<Target>> make_file_target(const std::string& rest, const TargetSettings& settings);
Expected<std::unique_ptr<Target>> make_datakit_target(const std::string& rest,
                                                      const TargetSettings& settings);
Expected<std::unique_ptr<Target>> make_influx_target(const std::string& rest, const TargetSettings& settings);

}  // namespace weir::host
