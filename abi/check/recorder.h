// A host that keeps what it is called with, and answers as a rule wants it to.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "weir_abi.h"

namespace weir::check {

struct Offer {
    std::string bytes;
    std::uint64_t points = 0;  // as the plugin said
    std::int32_t format = 0;
    weir_emit_result answer = WEIR_EMIT_OK;
    pid_t thread = 0;
    bool signals_blocked = false;
};

// Thread-safe.
class Recorder {
public:
    explicit Recorder(std::int32_t format) : format_(format) {}

    // The table, for create(). Its texts live as long as this object.
    weir_host_v1 table();

    // What emit_points answers from now on.
    void answer(weir_emit_result result) { answer_ = result; }
    // Called in every emit_points, or in every log, without a lock.
    void on_emit(std::function<void()> hook) { emit_hook_ = std::move(hook); }
    void on_log(std::function<void()> hook) { log_hook_ = std::move(hook); }
    // "key=value\n"..., for global_tags.
    void tags(std::string tags) { tags_ = std::move(tags); }
    // From here on every call is one too many.
    void close() { closed_ = true; }

    std::vector<Offer> offers() const;
    std::size_t offer_count() const;
    // Batches answered with OK.
    std::size_t taken() const;
    std::uint64_t stray_calls() const { return stray_calls_; }
    std::uint64_t calls() const { return calls_; }
    // What was wrong with calls of log and emit_status.
    std::vector<std::string> complaints() const;

private:
    static Recorder& called(weir_host_ctx ctx);
    static void log(weir_host_ctx ctx, std::int32_t level, const char* text, std::uint64_t size) noexcept;
    static weir_emit_result emit(weir_host_ctx ctx, std::int32_t format, const std::uint8_t* bytes,
                                 std::uint64_t size, std::uint64_t points) noexcept;
    static void status(weir_host_ctx ctx, weir_code code, const char* text, std::uint64_t size) noexcept;
    static std::int64_t now(weir_host_ctx ctx) noexcept;
    static std::uint64_t global_tags(weir_host_ctx ctx, char* buffer, std::uint64_t capacity,
                                     std::uint64_t* length) noexcept;
    static std::int32_t should_stop(weir_host_ctx ctx) noexcept;
    static const void* extension(weir_host_ctx ctx, const char* id, std::uint64_t size) noexcept;
    void complain(const std::string& what);

    const std::int32_t format_;
    std::atomic<weir_emit_result> answer_{WEIR_EMIT_OK};
    std::atomic<bool> closed_{false};
    std::atomic<std::uint64_t> calls_{0}, stray_calls_{0};
    std::function<void()> emit_hook_, log_hook_;
    std::string tags_;

    mutable std::mutex mutex_;
    std::vector<Offer> offers_;
    std::vector<std::string> complaints_;
};

}  // namespace weir::check
