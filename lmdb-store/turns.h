// Lets so many in at once; the others wait for their turn, as long as they have time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "plugin/query/query.h"

namespace weir::store {

class Turns {
public:
    // Half of the processors: the writer, and what else runs on the host, has the others.
    Turns() : limit_(std::max(1u, std::thread::hardware_concurrency() / 2)) {}

    class Turn {
    public:
        explicit Turn(Turns* turns) : turns_(turns) {}
        Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (turns_ != nullptr) turns_->leave();
        }
        explicit operator bool() const { return turns_ != nullptr; }

    private:
        Turns* turns_;
    };

    // No turn when the time is over, or the query cancelled, before there was one.
    Turn take(const query::Budget& budget) {
        std::unique_lock lock(mutex_);
        while (inside_ >= limit_) {
            if (budget.exceeded()) return Turn(nullptr);
            changed_.wait_for(lock, std::chrono::milliseconds(20));
        }
        inside_++;
        return Turn(this);
    }

private:
    void leave() {
        const std::lock_guard lock(mutex_);
        inside_--;
        changed_.notify_one();
    }

    const unsigned limit_;
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned inside_ = 0;
};

}  // namespace weir::store
