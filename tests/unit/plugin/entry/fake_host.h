#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "plugin/entry/host.h"

namespace weir::test {

// A host whose answers a test decides on, and that keeps what it took.
struct FakeHost {
    std::mutex mutex;
    std::condition_variable released;
    weir_emit_result answer = WEIR_EMIT_OK;
    bool hangs = false;  // emit_points
    bool log_hangs = false;
    std::uint64_t calls = 0;
    std::vector<std::string> taken;
    std::string said;  // log and status, a line each
    std::uint64_t tags_version = 1;
    std::string tags = "zone=a\n";

    static FakeHost& self(weir_host_ctx ctx) { return *reinterpret_cast<FakeHost*>(ctx); }

    static weir_emit_result emit(weir_host_ctx ctx, std::int32_t, const std::uint8_t* bytes,
                                 std::uint64_t size, std::uint64_t) {
        FakeHost& host = self(ctx);
        std::unique_lock lock(host.mutex);
        host.calls++;
        host.released.wait(lock, [&] { return !host.hangs; });
        if (host.answer == WEIR_EMIT_OK) host.taken.emplace_back(reinterpret_cast<const char*>(bytes), size);
        return host.answer;
    }
    static void log(weir_host_ctx ctx, std::int32_t, const char* text, std::uint64_t size) {
        FakeHost& host = self(ctx);
        std::unique_lock lock(host.mutex);
        host.said += "log: " + std::string(text, size) + "\n";
        host.released.wait(lock, [&] { return !host.log_hangs; });
    }
    static void status(weir_host_ctx ctx, weir_code code, const char* text, std::uint64_t size) {
        FakeHost& host = self(ctx);
        const std::lock_guard lock(host.mutex);
        host.said += "status " + std::to_string(code) + ": " + std::string(text, size) + "\n";
    }
    static std::int64_t now(weir_host_ctx) { return 1'800'000'000'000'000'000; }
    static std::uint64_t global_tags(weir_host_ctx ctx, char* buffer, std::uint64_t capacity,
                                     std::uint64_t* length) {
        FakeHost& host = self(ctx);
        const std::lock_guard lock(host.mutex);
        if (length != nullptr) *length = host.tags.size();
        if (buffer != nullptr)
            std::memcpy(buffer, host.tags.data(), std::min<std::uint64_t>(capacity, host.tags.size()));
        return host.tags_version;
    }

    entry::Host table() {
        weir_host_v1 out{};
        out.struct_size = sizeof(out);
        out.ctx = reinterpret_cast<std::uintptr_t>(this);
        out.points_format = WEIR_FORMAT_LINE_PROTOCOL;
        out.log = log;
        out.emit_points = emit;
        out.emit_status = status;
        out.now_ns = now;
        out.global_tags = global_tags;
        return *entry::Host::copy(&out);
    }

    void set(std::function<void(FakeHost&)> change) {
        const std::lock_guard lock(mutex);
        change(*this);
        released.notify_all();
    }
    void answers(weir_emit_result with) {
        set([&](FakeHost& host) { host.answer = with; });
    }
    std::vector<std::string> all_taken() {
        const std::lock_guard lock(mutex);
        return taken;
    }
    std::uint64_t call_count() {
        const std::lock_guard lock(mutex);
        return calls;
    }
    bool has_said(const std::string& words) {
        const std::lock_guard lock(mutex);
        return said.find(words) != std::string::npos;
    }
};

}  // namespace weir::test
