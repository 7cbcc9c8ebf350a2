// The emit thread: encodes batches and hands them to the host, in order.
//
// A host that answers BUSY or CLOSED is asked again, with growing pauses; meanwhile batches wait in the
// outlet and merge there. At the end what is left is tried until the deadline, and then counted as lost.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "plugin/base/ledger.h"
#include "plugin/entry/host.h"
#include "plugin/entry/outlet.h"
#include "plugin/point/encoder.h"

namespace weir::entry {

using TagMap = std::map<std::string, std::string>;

class Emitter {
public:
    // All references must outlive the emitter. `tags` come before the host's global tags.
    Emitter(const Host& host, Outlet& outlet, TagMap tags, Ledger& ledger);
    ~Emitter();
    Emitter(const Emitter&) = delete;
    Emitter& operator=(const Emitter&) = delete;

    void start();
    // The outlet is closed already. Gives the host until the deadline, then joins. True when all was taken.
    bool stop(std::chrono::steady_clock::time_point deadline);

    // Paused: batches are taken from the outlet and not handed on. Any thread.
    void set_paused(bool paused) { paused_ = paused; }
    void set_tags(TagMap tags);
    std::uint64_t points() const { return points_.load(std::memory_order_relaxed); }
    std::uint64_t busy_answers() const { return busy_.load(std::memory_order_relaxed); }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    void run();
    void refresh_encoder();
    void emit(const Batch& batch);
    template <typename Row>
    void emit_rows(const Batch& batch, const std::vector<Row>& rows);
    void flush();
    bool is_stopping();
    bool wait_to_retry(std::chrono::milliseconds pause);

    const Host& host_;
    const Logger log_;
    Outlet& outlet_;
    Ledger& ledger_;
    std::unique_ptr<PointEncoder> encoder_;
    std::uint64_t tags_version_ = 0;
    std::atomic<bool> paused_{false};
    std::atomic<std::uint64_t> points_{0}, busy_{0}, refused_{0};

    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    TagMap tags_;
    bool tags_changed_ = true;
    Deadline give_up_ = Deadline::max();

    std::thread thread_;
};

}  // namespace weir::entry
