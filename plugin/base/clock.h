// Time has one source, so that tests can drive it.
//
// The kernel stamps records with boot time, which never steps; points, store and API speak wall
// time, which does. boot_to_wall() is the only place where one becomes the other: it uses the
// offset of the moment it is asked, so after a clock step new records get the new wall time.
#pragma once

#include <cstdint>

namespace weir {

class Clock {
public:
    virtual ~Clock() = default;
    virtual std::int64_t wall_ns() const = 0;  // CLOCK_REALTIME
    virtual std::int64_t boot_ns() const = 0;  // CLOCK_BOOTTIME

    std::int64_t boot_to_wall(std::int64_t boot) const { return boot + (wall_ns() - boot_ns()); }
};

// The machine's clocks. Thread-safe, never destroyed before its users (static storage).
const Clock& system_clock();

}  // namespace weir
