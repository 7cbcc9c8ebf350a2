// The host's side of the ABI: the callbacks that a plugin calls.
#pragma once

#include <atomic>

#include "abi/host/fan_out.h"
#include "abi/host/log.h"
#include "abi/host/stop_control.h"
#include "weir_abi.h"

namespace weir::host {

// Outlives every instance that was created with its table.
class HostTable {
public:
    HostTable(std::int32_t points_format, FanOut& fan_out, Log& log, StopControl& control)
        : points_format_(points_format), fan_out_(fan_out), log_(log), control_(control) {}
    HostTable(const HostTable&) = delete;
    HostTable& operator=(const HostTable&) = delete;

    weir_host_v1 table();

private:
    static HostTable& self(weir_host_ctx ctx);
    static void log(weir_host_ctx ctx, std::int32_t level, const char* text, std::uint64_t size) noexcept;
    static weir_emit_result emit_points(weir_host_ctx ctx, std::int32_t format, const std::uint8_t* bytes,
                                        std::uint64_t size, std::uint64_t point_count) noexcept;
    static void emit_status(weir_host_ctx ctx, weir_code code, const char* text, std::uint64_t size) noexcept;
    static std::int64_t now_ns(weir_host_ctx ctx) noexcept;
    static std::int32_t should_stop(weir_host_ctx ctx) noexcept;

    std::int32_t points_format_;
    FanOut& fan_out_;
    Log& log_;
    StopControl& control_;
    std::atomic<bool> wrong_format_logged_{false};
};

}  // namespace weir::host
