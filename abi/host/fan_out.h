// Every batch to every target, or to none yet.
//
// "Busy" always means that no target has the batch, so the plugin may offer it again without anything
// arriving twice. It is the answer when no target can take it right now: the plugin is the safest place then.
// As soon as one target can, the batch is taken, and waits for those that cannot (see lane.h); without a
// spool only so much can wait in memory, and beyond that the target in trouble misses points, which is
// counted.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "abi/host/lane.h"
#include "weir_abi.h"

namespace weir::host {

class FanOut {
public:
    // `log` and `control` outlive it.
    FanOut(Log& log, StopControl& control) : log_(log), control_(control) {}

    // Before start().
    void add(std::unique_ptr<Target> target, Backlog backlog, std::int32_t points_format);

    // Batches are taken from here on, and delivered from start() on.
    void start();

    // [any thread] Copies the bytes.
    weir_emit_result offer(const std::uint8_t* bytes, std::uint64_t size, std::uint64_t points);

    // [any thread] The plugin's last error, to all that show such.
    void tell_error(const std::string& words);

    // When no offer comes any more: delivers what is queued, as long as the control's finish_by() allows, and
    // reports losses. False: a target's thread hangs, and the process has to be left without it.
    bool finish();

private:
    weir_emit_result answer(std::size_t bytes) const;

    Log& log_;
    StopControl& control_;
    std::mutex mutex_;
    std::deque<Lane> lanes_;
};

}  // namespace weir::host
