#include "abi/host/host_table.h"

#include <ctime>
#include <exception>

#include "abi/host/instance.h"

namespace weir::host {
namespace {

constexpr std::string_view kName = "weir-host";
constexpr std::string_view kVersion = WEIR_HOST_VERSION;

weir_borrowed borrowed_view(std::string_view text) { return {text.data(), text.size()}; }

// A plugin's text, which may be {NULL, 0}.
std::string_view view(const char* text, std::uint64_t size) {
    return text == nullptr ? std::string_view() : std::string_view(text, size);
}

}  // namespace

weir_host_v1 HostTable::table() {
    weir_host_v1 table{};
    table.struct_size = sizeof table;
    table.ctx = reinterpret_cast<std::uintptr_t>(this);
    table.points_format = points_format_;
    table.name = borrowed_view(kName);
    table.version = borrowed_view(kVersion);
    table.log = log;
    table.emit_points = emit_points;
    table.emit_status = emit_status;
    table.now_ns = now_ns;
    table.should_stop = should_stop;
    return table;
}

HostTable& HostTable::self(weir_host_ctx ctx) {
    return *reinterpret_cast<HostTable*>(static_cast<std::uintptr_t>(ctx));
}

// Nothing may unwind into the plugin. Running out of memory is all that can be thrown here: a line is lost,
// a batch is offered again.
void HostTable::log(weir_host_ctx ctx, std::int32_t level, const char* text, std::uint64_t size) noexcept
    try {
    self(ctx).log_.line(level, view(text, size));
} catch (const std::exception&) {
}

weir_emit_result HostTable::emit_points(weir_host_ctx ctx, std::int32_t format, const std::uint8_t* bytes,
                                        std::uint64_t size, std::uint64_t point_count) noexcept try {
    HostTable& host = self(ctx);
    if (size == 0) return WEIR_EMIT_OK;
    if (bytes == nullptr || format != host.points_format_) {
        if (!host.wrong_format_logged_.exchange(true)) {
            host.log_.error(
                "the plugin hands over points in another format than asked for; they are dropped");
        }
        return WEIR_EMIT_CLOSED;
    }
    return host.fan_out_.offer(bytes, size, point_count);
} catch (const std::exception&) {
    return WEIR_EMIT_BUSY;
}

void HostTable::emit_status(weir_host_ctx ctx, weir_code code, const char* text, std::uint64_t size) noexcept
    try {
    std::string line(view(text, size));
    if (line.empty()) line = code_text(code);
    self(ctx).log_.line(code == WEIR_OK ? WEIR_LOG_INFO : WEIR_LOG_WARNING, "status: " + line);
    if (code != WEIR_OK) self(ctx).fan_out_.tell_error(line);
} catch (const std::exception&) {
}

std::int64_t HostTable::now_ns(weir_host_ctx /*ctx*/) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int32_t HostTable::should_stop(weir_host_ctx ctx) noexcept {
    return self(ctx).control_.requested() ? 1 : 0;
}

}  // namespace weir::host
