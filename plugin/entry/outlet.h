// The way from the collector to one reader of batches: a bounded queue, and what is merged when the
// reader is behind: intervals of the same minute, so that minutes stay right. Of a reader that is behind
// for long, at most kMaxWaiting minutes are kept; what is older is merged into the oldest of them.
//
// offer() is called by the collector alone; the queue by the reader alone.
#pragma once

#include <deque>
#include <memory>

#include "plugin/base/bounded_queue.h"
#include "plugin/base/ledger.h"
#include "plugin/flow/batch_builder.h"

namespace weir::entry {

class Outlet {
public:
    Outlet(std::size_t capacity, Ledger& ledger) : queue_(capacity), ledger_(ledger) {}

    // Never blocks and loses no count: a batch that finds no room waits, and is merged with the next.
    void offer(const BatchPtr& batch) {
        wait(batch);
        while (!waiting_.empty() && queue_.push(waiting_.front())) waiting_.pop_front();
    }

    // No more comes. What still waits is queued beyond the limit.
    void close() { queue_.close(std::move(waiting_)); }

    BoundedQueue<BatchPtr>& queue() { return queue_; }

private:
    static constexpr std::size_t kMaxWaiting = 60;

    void wait(const BatchPtr& batch) {
        const bool same_minute = !waiting_.empty() && minute_of(*waiting_.back()) == minute_of(*batch);
        if (same_minute) {
            merge(waiting_.back(), *batch);
        } else {
            waiting_.push_back(batch);
        }
        if (waiting_.size() <= kMaxWaiting) return;
        merge(waiting_.front(), *waiting_[1]);
        waiting_.erase(waiting_.begin() + 1);
    }

    void merge(BatchPtr& into, const Batch& batch) {
        BatchBuilder merged;
        merged.add(*into);
        merged.add(batch);
        into = merged.take();
        ledger_.add(Loss::batches_merged);
    }

    static std::int64_t minute_of(const Batch& batch) { return (batch.end_ns - 1) / 60'000'000'000; }

    BoundedQueue<BatchPtr> queue_;
    Ledger& ledger_;
    std::deque<BatchPtr> waiting_;
};

}  // namespace weir::entry
