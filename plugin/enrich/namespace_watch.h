// The thread weir-watch-nat: knows the network namespaces of the host, follows connection tracking in each,
// and holds their counters open.
//
// A socket or file that is open in a namespace keeps it alive, with its devices and addresses. So what stands
// in the directories of named namespaces is watched, processes are looked through every few seconds, and a
// namespace that nobody else has is let go at once. A name is there before its mount, of which nothing tells:
// until it is mounted, looks follow its event ever less closely. Looking takes at most some thousandth of a
// processor: the more there is to look through, the rarer it gets.
//
// start() and stop() belong to one thread, the rest to any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/base/log.h"
#include "plugin/enrich/conntrack.h"
#include "plugin/enrich/kernel_counters.h"
#include "plugin/enrich/namespaces.h"
#include "plugin/enrich/nat_table.h"

namespace weir::enrich {

struct WatchStatus {
    std::size_t namespaces = 0;   // known now
    std::size_t left_out = 0;     // there were too many to hold them open
    std::size_t tracked = 0;      // of the known: connection tracking is followed
    std::string problem;          // why some are not; empty when all are
    std::uint64_t overflows = 0;  // times that events came faster than they were read
};

class NamespaceWatch {
public:
    // All must outlive the watch. Without a table, connection tracking is not followed.
    NamespaceWatch(NatTable* table, const Clock& clock, Logger log, Ledger& ledger);
    ~NamespaceWatch();
    NamespaceWatch(const NamespaceWatch&) = delete;
    NamespaceWatch& operator=(const NamespaceWatch&) = delete;

    // Returns when the namespaces that exist are known, or that has taken too long.
    void start();
    void stop();

    // There is traffic in a namespace that may not be known yet.
    void look_soon();
    bool knows(std::uint32_t netns) const { return find(netns).has_value(); }
    // What stood for it when it was last looked at.
    std::optional<FoundNamespace> find(std::uint32_t netns) const;

    // Whether all that connection tracking had said when this was called is in the table. Waits for it, not
    // for long.
    bool catch_up();

    std::vector<std::shared_ptr<CounterFiles>> counters() const;
    WatchStatus status() const;

private:
    using Steady = std::chrono::steady_clock;

    struct Watched {
        FoundNamespace where;
        std::shared_ptr<CounterFiles> counters;
        std::unique_ptr<Conntrack> conntrack;  // null where it cannot be followed
        bool needs_listing = false;
        Steady::time_point listed_at;
    };

    // What is known of connection tracking is behind for as long as this lives.
    class Reading;

    void run();
    void wait();
    void drain(int fd) const;
    void watch_directories() const;
    void look();
    void plan_next_look(std::chrono::nanoseconds cost, bool is_mount_due);
    void let_go_of_the_lost(const std::vector<FoundNamespace>& found);
    void open_namespace(const FoundNamespace& found);
    void follow(Watched& watched);
    void list(Watched& watched);
    void read_events();
    void apply(std::uint32_t netns, std::span<const NatEvent> events);
    void note_problem(const Error& error);
    void publish(std::size_t left_out);

    NatTable* const table_;
    const Clock& clock_;
    const Logger log_;
    Ledger& ledger_;
    int stop_fd_ = -1, look_fd_ = -1, inotify_fd_ = -1;
    int events_fd_ = -1;                        // epoll over the conntrack sockets
    int wait_fd_ = -1;                          // epoll over all
    std::map<std::uint32_t, Watched> watched_;  // of the thread
    Steady::time_point next_look_;
    Steady::duration look_again_in_ = Steady::duration::max();  // while a mount is due
    bool has_lost_way_ = false;    // could not leave a namespace: no other is entered
    std::atomic<int> readers_{0};  // depth of Reading
    std::atomic<std::uint64_t> overflows_{0};
    mutable std::mutex mutex_;  // of what follows
    std::vector<std::shared_ptr<CounterFiles>> counters_;
    std::vector<FoundNamespace> known_;  // sorted by inode
    WatchStatus status_;
    bool is_started_ = false;
    std::condition_variable started_;
    std::thread thread_;
};

}  // namespace weir::enrich
