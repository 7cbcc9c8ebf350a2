// Every batch to every target, or to none yet.
//
// A batch is taken only when all targets have room for it. So "busy" always means that no target has it, and
// the plugin may offer it again without anything arriving twice; a target that is down holds the others up
// once its queue is full, which is what keeps their contents the same.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "abi/host/lane.h"
#include "weir_abi.h"

namespace weir::host {

class FanOut {
public:
    // `log` and `control` outlive it.
    FanOut(std::vector<std::unique_ptr<Target>> targets, Log& log, StopControl& control);

    // Batches are taken from construction on, and delivered from start() on.
    void start();

    // [any thread] Copies the bytes.
    weir_emit_result offer(const std::uint8_t* bytes, std::uint64_t size, std::uint64_t points);

    // When no offer comes any more: delivers what is queued, as long as the control's finish_by() allows, and
    // reports losses. False: a target's thread hangs, and the process has to be left without it.
    bool finish();

private:
    std::mutex mutex_;
    std::deque<Lane> lanes_;
};

}  // namespace weir::host
