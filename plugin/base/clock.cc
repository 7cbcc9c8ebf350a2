#include "plugin/base/clock.h"

#include <ctime>

namespace weir {
namespace {

class SystemClock final : public Clock {
public:
    std::int64_t wall_ns() const override { return read(CLOCK_REALTIME); }
    std::int64_t boot_ns() const override { return read(CLOCK_BOOTTIME); }

private:
    static std::int64_t read(clockid_t id) {
        timespec ts{};
        clock_gettime(id, &ts);
        return std::int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
    }
};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

}  // namespace weir
