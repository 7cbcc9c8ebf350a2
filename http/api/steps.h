// Cutting a range into steps.
#pragma once

#include <cstdint>

namespace weir::http {

inline constexpr std::int64_t kMinuteNs = 60'000'000'000;
inline constexpr std::int64_t kDetailStepNs = 1'000'000'000;  // the shortest step

// About 60 steps for a range, of a length people count in: 1, 2, 5, 10, 15, 20, 30 s, 1, 2, 5, 10, 15, 30 min, 1, 2, 3, 6, 12 h,
// or whole days. It holds whole intervals, so that no step holds one more than its neighbours.
std::int64_t auto_step(std::int64_t range_ns, std::int64_t interval_ns);

// The last multiple of the step that is not after the time.
constexpr std::int64_t floor_to(std::int64_t time_ns, std::int64_t step_ns) {
    return time_ns - time_ns % step_ns;
}

}  // namespace weir::http
