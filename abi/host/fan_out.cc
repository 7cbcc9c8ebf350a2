#include "abi/host/fan_out.h"

#include <algorithm>

namespace weir::host {
namespace {

// What a delivery that was interrupted gets to return.
constexpr auto kInterruptTime = std::chrono::milliseconds(50);

}  // namespace

FanOut::FanOut(std::vector<std::unique_ptr<Target>> targets, Log& log, StopControl& control) {
    for (auto& target : targets) lanes_.emplace_back(std::move(target), log, control);
}

void FanOut::start() {
    for (Lane& lane : lanes_) lane.start();
}

weir_emit_result FanOut::offer(const std::uint8_t* bytes, std::uint64_t size, std::uint64_t points) {
    const std::lock_guard lock(mutex_);
    const auto closed = [](const Lane& lane) { return lane.closed(); };
    const auto takes = [size](const Lane& lane) { return lane.closed() || lane.has_room(size); };
    if (std::all_of(lanes_.begin(), lanes_.end(), closed)) return WEIR_EMIT_CLOSED;
    if (!std::all_of(lanes_.begin(), lanes_.end(), takes)) return WEIR_EMIT_BUSY;

    auto batch = std::make_shared<Batch>();
    batch->bytes.assign(reinterpret_cast<const char*>(bytes), size);
    batch->points = points;
    for (Lane& lane : lanes_) {
        if (!lane.closed()) lane.push(batch);
    }
    return WEIR_EMIT_OK;
}

bool FanOut::finish() {
    for (Lane& lane : lanes_) lane.tell_to_finish();
    for (Lane& lane : lanes_) {
        if (!lane.await_end()) lane.tell_to_give_up();
    }
    const auto limit = StopControl::Clock::now() + kInterruptTime;
    bool all_ended = true;
    for (Lane& lane : lanes_) all_ended &= lane.await_end(limit);
    for (const Lane& lane : lanes_) lane.report_losses();
    return all_ended;
}

}  // namespace weir::host
