// The threads that answer requests: a few, with one kept free for quick ones.
//
// Queries of the store may take seconds; a probe of /healthz must not wait behind eight of them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::http {

class WorkerPool {
public:
    using Job = std::function<void()>;  // must not throw

    // Starts the threads, named http-work-N. Throws std::system_error when the system has none.
    explicit WorkerPool(std::size_t threads);
    // Joins them. What is queued and not begun is dropped.
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Thread-safe. The queue's bound is the caller's: each connection has one request at a time.
    void submit(Job job, bool quick);

private:
    void work();
    void stop();
    bool may_run_slow() const { return !slow_.empty() && slow_running_ + 1 < size_; }

    const std::size_t size_;
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Job> quick_;
    std::deque<Job> slow_;
    std::size_t slow_running_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace weir::http
