// The deliver thread: hands batches of points to the host, each until it is taken, in order, none twice.
//
// Batches come from the emit thread. While all goes well they wait in memory, a few of them. A host that does
// not take points (it answers BUSY for a while, or CLOSED, or does not come back) has them on disk, in the
// spool, which is made when it is first needed; from then on all batches go through the spool until it is
// empty. Beyond the spool's bound a batch is counted as lost. Where there can be no spool (no place to
// write), the emit thread waits, and intervals merge behind it (see Outlet).
//
// The emit thread is never kept waiting for long otherwise, and nobody else is.
//
// Thread-safe. Shared, because a thread that is stuck in the host is left behind at stop() and holds it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "plugin/base/ledger.h"
#include "plugin/entry/host.h"
#include "plugin/entry/reporter.h"
#include "plugin/spool/spool.h"

namespace weir::entry {

class Delivery : public std::enable_shared_from_this<Delivery> {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    struct Options {
        std::string spool_directory;  // empty: no spool
        std::uint64_t spool_bytes = 0;
    };
    struct Pending {
        std::uint64_t batches = 0, points = 0, bytes = 0;
    };
    struct End {
        std::uint64_t lost_points = 0;  // at the end, for want of a spool
        bool is_stuck = false;          // the host has not come back from emit_points
    };

    // The ledger must outlive stop().
    static std::shared_ptr<Delivery> make(const Host& host, std::shared_ptr<Reporter> reporter,
                                          Ledger& ledger, Options options);

    // On the thread of a control call: asks for the host's tags, and opens a spool that is there already.
    void start();
    // A batch that the host shall get. For one thread, which may be kept waiting until stop_at()'s deadline.
    void put(std::string_view bytes, std::uint64_t points);

    void set_paused(bool paused);
    // Hands over what waits now. Errors: timeout, cancelled (by interrupt()).
    Status drain(Deadline deadline);
    // Ends a drain(), and brings the deadline of stop_at() forward. Any thread.
    void interrupt(Deadline give_up);

    // From now on the host gets points until the deadline only; put() does not wait beyond it.
    void stop_at(Deadline deadline);
    // After the last put(): hands over until the deadline, spools the rest, joins.
    End stop();

    Pending pending() const;
    std::uint64_t delivered_points() const { return delivered_points_; }
    std::uint64_t busy_answers() const { return busy_; }
    std::uint64_t lost_points() const { return lost_points_; }
    // The host's tags, not older than a second or so.
    std::vector<Tag> global_tags() const;

private:
    using Lock = std::unique_lock<std::mutex>;
    using Clock = std::chrono::steady_clock;
    struct Batch {
        std::string bytes;
        std::uint64_t points = 0;
        std::uint64_t spooled_as = 0;  // its sequence in the spool; 0 = it is not there
    };

    Delivery(const Host& host, std::shared_ptr<Reporter> reporter, Ledger& ledger, Options options);

    void run();
    bool is_over() const;
    bool take_next();
    void attempt(Lock& lock);
    void note_taken();
    void remove_taken();
    void note_refused(Lock& lock, weir_emit_result answer);
    void pause(Lock& lock, std::chrono::milliseconds length);
    void refresh_tags(Lock& lock);

    bool open_spool();
    void spill();
    bool spill(Batch& batch);
    bool has_spooled() const;
    void lose(const Batch& batch, Loss reason);

    const Host host_;
    const std::shared_ptr<Reporter> reporter_;
    const Logger log_;
    Ledger& ledger_;
    const Options options_;
    std::atomic<std::uint64_t> delivered_points_{0}, busy_{0}, lost_points_{0};

    mutable std::mutex mutex_;  // of what follows; never held during a call of the host
    std::condition_variable changed_;
    std::condition_variable room_;
    std::string spare_;             // memory to use again
    std::deque<Batch> waiting_;     // not spooled, newer than what is
    std::optional<Batch> current_;  // the oldest: being offered
    std::unique_ptr<Spool> spool_;
    std::uint64_t removed_ = 0;      // sequence in the spool up to which batches are taken
    bool is_spool_failing_ = false;  // said so already
    Clock::time_point next_spool_try_{};
    std::uint64_t put_ = 0, done_ = 0;  // batches
    bool is_paused_ = false;
    bool is_input_closed_ = false;
    bool is_finished_ = false;   // the thread's last act
    bool is_abandoned_ = false;  // the thread is stuck; whatever it would do next, it must not
    Deadline give_up_ = Deadline::max();
    unsigned drains_ = 0;  // under way
    bool is_interrupted_ = false;
    std::uint64_t nudges_ = 0;  // what ends a pause early

    // of the deliver thread
    std::optional<Clock::time_point> refused_since_;
    bool refusal_told_ = false;
    std::chrono::milliseconds next_pause_{0};
    Clock::time_point next_tags_{};

    std::vector<Tag> tags_;
    std::uint64_t tags_version_ = 0;
    bool are_tags_known_ = false;

    std::thread thread_;
};

}  // namespace weir::entry
