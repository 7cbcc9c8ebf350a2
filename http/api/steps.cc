#include "http/api/steps.h"

#include <algorithm>

namespace weir::http {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kSteps = 60;

constexpr std::int64_t kLengths[] = {
    kSecond,        2 * kSecond, 5 * kSecond,   10 * kSecond,  15 * kSecond,   20 * kSecond,
    30 * kSecond,   kMinuteNs,   2 * kMinuteNs, 5 * kMinuteNs, 10 * kMinuteNs, 15 * kMinuteNs,
    30 * kMinuteNs, kHour,       2 * kHour,     3 * kHour,     6 * kHour,      12 * kHour,
};

}  // namespace

std::int64_t auto_step(std::int64_t range_ns, std::int64_t interval_ns) {
    interval_ns = std::max(interval_ns, kDetailStepNs);
    const std::int64_t wanted = std::max(interval_ns, (range_ns + kSteps - 1) / kSteps);
    for (const std::int64_t length : kLengths) {
        if (length >= wanted && length % interval_ns == 0) return length;
    }
    const std::int64_t whole = interval_ns > kDay ? interval_ns : kDay - kDay % interval_ns;
    return (wanted + whole - 1) / whole * whole;
}

}  // namespace weir::http
