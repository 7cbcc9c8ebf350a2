#include "http/net/worker_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "plugin/base/thread.h"

namespace weir::http {

WorkerPool::WorkerPool(std::size_t threads) : size_(std::max<std::size_t>(threads, 2)) {
    try {
        for (std::size_t i = 0; i < size_; i++) {
            threads_.push_back(start_thread("http-work-" + std::to_string(i), [this] { work(); }));
        }
    } catch (...) {
        stop();
        throw;
    }
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        quick_.clear();
        slow_.clear();
    }
    ready_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

void WorkerPool::submit(Job job, bool quick) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        (quick ? quick_ : slow_).push_back(std::move(job));
    }
    ready_.notify_one();
}

void WorkerPool::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ready_.wait(lock, [this] { return stopping_ || !quick_.empty() || may_run_slow(); });
        if (stopping_) return;
        const bool quick = !quick_.empty();
        auto& queue = quick ? quick_ : slow_;
        Job job = std::move(queue.front());
        queue.pop_front();
        slow_running_ += quick ? 0 : 1;
        lock.unlock();
        job();
        job = nullptr;
        lock.lock();
        slow_running_ -= quick ? 0 : 1;
        if (may_run_slow()) ready_.notify_one();
    }
}

}  // namespace weir::http
