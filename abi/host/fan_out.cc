#include "abi/host/fan_out.h"

#include <algorithm>

namespace weir::host {
namespace {

// What a delivery that was interrupted gets to return.
constexpr auto kInterruptTime = std::chrono::milliseconds(50);

}  // namespace

void FanOut::add(std::unique_ptr<Target> target, Backlog backlog, std::int32_t points_format) {
    lanes_.emplace_back(std::move(target), std::move(backlog), points_format, log_, control_);
}

void FanOut::start() {
    for (Lane& lane : lanes_) lane.start();
}

// What becomes of a batch, as the targets are now.
weir_emit_result FanOut::answer(std::size_t bytes) const {
    std::size_t ready = 0;
    std::size_t spooling = 0;
    std::size_t closed = 0;
    for (const Lane& lane : lanes_) {
        const Lane::Room room = lane.room(bytes);
        ready += room == Lane::Room::ready ? 1 : 0;
        spooling += room == Lane::Room::behind && lane.has_spool() ? 1 : 0;
        closed += room == Lane::Room::closed ? 1 : 0;
    }
    if (closed == lanes_.size()) return WEIR_EMIT_CLOSED;
    return ready > 0 || spooling + closed == lanes_.size() ? WEIR_EMIT_OK : WEIR_EMIT_BUSY;
}

weir_emit_result FanOut::offer(const std::uint8_t* bytes, std::uint64_t size, std::uint64_t points) {
    const std::lock_guard lock(mutex_);
    const weir_emit_result result = answer(size);
    if (result != WEIR_EMIT_OK) return result;
    const Batch batch = Batch::of(std::string(reinterpret_cast<const char*>(bytes), size), points);
    for (Lane& lane : lanes_) {
        const Lane::Room room = lane.room(size);
        if (room == Lane::Room::full) lane.miss(batch);
        if (room == Lane::Room::ready || room == Lane::Room::behind) lane.push(batch);
    }
    return WEIR_EMIT_OK;
}

void FanOut::tell_error(const std::string& words) {
    for (Lane& lane : lanes_) lane.tell_error(words);
}

bool FanOut::finish() {
    for (Lane& lane : lanes_) lane.tell_to_finish();
    for (Lane& lane : lanes_) {
        if (!lane.await_end()) lane.tell_to_give_up();
    }
    const auto limit = StopControl::Clock::now() + kInterruptTime;
    bool all_ended = true;
    for (Lane& lane : lanes_) all_ended &= lane.await_end(limit);
    for (Lane& lane : lanes_) lane.settle_the_rest();
    return all_ended;
}

}  // namespace weir::host
