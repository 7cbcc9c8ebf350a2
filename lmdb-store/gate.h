// Lets many readers through at once, and the writer stop them for the rare moments in which the LMDB
// environment must not be in use: when it is closed, opened again, or so full that old snapshots must go.
//
// Unlike a std::shared_mutex of glibc, a stream of readers cannot keep the writer waiting for ever.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

namespace weir::store {

class Gate {
public:
    // Held by a reader while it uses the environment.
    class Pass {
    public:
        explicit Pass(Gate& gate) : gate_(&gate) { gate.enter(); }
        Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass() {
            if (gate_ != nullptr) gate_->leave();
        }

    private:
        Gate* gate_;
    };

    // Held by the writer: waits until the last reader has left, keeps new ones waiting.
    class Closed {
    public:
        explicit Closed(Gate& gate) : gate_(gate) { gate.close(); }
        Closed(const Closed&) = delete;
        Closed& operator=(const Closed&) = delete;
        ~Closed() { gate_.open(); }

    private:
        Gate& gate_;
    };

private:
    void enter() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !closed_; });
        inside_++;
    }
    void leave() {
        const std::lock_guard lock(mutex_);
        if (--inside_ == 0) changed_.notify_all();
    }
    void close() {
        std::unique_lock lock(mutex_);
        closed_ = true;
        changed_.wait(lock, [this] { return inside_ == 0; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        closed_ = false;
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t inside_ = 0;
    bool closed_ = false;
};

}  // namespace weir::store
