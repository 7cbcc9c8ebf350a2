#include "plugin/enrich/namespace_watch.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "plugin/base/thread.h"

namespace weir::enrich {
namespace {

using std::chrono::milliseconds, std::chrono::seconds;

constexpr seconds kLookEvery{2};
constexpr int kLookShare = 500;         // looking may take one part in so many of a processor's time
constexpr milliseconds kLookSoon{100};  // what an event tells of is rarely done yet
constexpr seconds kMountTakes{60};      // a name that has no mount by then is one that was left behind
constexpr seconds kListEvery{120};      // connections from before the start end without an event
constexpr milliseconds kCatchUp{10};
constexpr milliseconds kFirstLook{3000};

void add_to(int epoll, int fd, std::uint32_t data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = data;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

std::chrono::nanoseconds thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void poke(int fd) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof(one));  // full: it is poked already
}

// Each takes up to three descriptors of the host's process, which has uses of its own for them.
std::size_t most_namespaces() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 16;
    return static_cast<std::size_t>(std::clamp<rlim_t>(limit.rlim_cur / 16, 16, 1024));
}

}  // namespace

class NamespaceWatch::Reading {
public:
    explicit Reading(NamespaceWatch& watch) : depth_(watch.readers_) { depth_++; }
    ~Reading() { depth_--; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

private:
    std::atomic<int>& depth_;
};

NamespaceWatch::NamespaceWatch(NatTable* table, const Clock& clock, Logger log, Ledger& ledger)
    : table_(table),
      clock_(clock),
      log_(std::move(log)),
      ledger_(ledger),
      stop_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      look_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      inotify_fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      events_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wait_fd_(epoll_create1(EPOLL_CLOEXEC)) {
    for (const int fd : {stop_fd_, look_fd_, inotify_fd_, events_fd_}) {
        add_to(wait_fd_, fd, static_cast<std::uint32_t>(fd));
    }
}

NamespaceWatch::~NamespaceWatch() {
    stop();
    watched_.clear();
    for (const int fd : {stop_fd_, look_fd_, inotify_fd_, events_fd_, wait_fd_}) {
        if (fd >= 0) close(fd);
    }
}

void NamespaceWatch::start() {
    thread_ = start_thread("weir-watch-nat", [this] {
        try {
            run();
        } catch (const std::exception& error) {  // no memory
            log_.error(std::string("the watch over network namespaces has ended: ") + error.what());
        }
    });
    std::unique_lock lock(mutex_);
    started_.wait_for(lock, kFirstLook, [this] { return is_started_; });
}

void NamespaceWatch::stop() {
    if (!thread_.joinable()) return;
    poke(stop_fd_);
    thread_.join();
}

void NamespaceWatch::look_soon() { poke(look_fd_); }

std::optional<FoundNamespace> NamespaceWatch::find(std::uint32_t netns) const {
    const std::lock_guard lock(mutex_);
    const auto at =
        std::lower_bound(known_.begin(), known_.end(), netns,
                         [](const FoundNamespace& one, std::uint32_t inode) { return one.inode < inode; });
    if (at == known_.end() || at->inode != netns) return std::nullopt;
    return *at;
}

// What was said before the call is either still to be read, or was read by a thread that says so until it has
// written it down; so the two are asked in this order.
bool NamespaceWatch::catch_up() {
    const auto end = Steady::now() + kCatchUp;
    for (;;) {
        pollfd waiting{events_fd_, POLLIN, 0};
        if (poll(&waiting, 1, 0) == 0 && readers_ == 0) return true;
        if (Steady::now() >= end) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
}

std::vector<std::shared_ptr<CounterFiles>> NamespaceWatch::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

WatchStatus NamespaceWatch::status() const {
    const std::lock_guard lock(mutex_);
    WatchStatus out = status_;
    out.overflows = overflows_.load(std::memory_order_relaxed);
    return out;
}

void NamespaceWatch::run() {
    look();
    {
        const std::lock_guard lock(mutex_);
        is_started_ = true;
    }
    started_.notify_all();
    for (;;) {
        wait();
        pollfd stopped{stop_fd_, POLLIN, 0};
        if (poll(&stopped, 1, 0) != 0) return;
        read_events();
        if (Steady::now() >= next_look_) look();
    }
}

void NamespaceWatch::wait() {
    const auto left = std::chrono::duration_cast<milliseconds>(next_look_ - Steady::now()).count() + 1;
    std::array<epoll_event, 4> events{};
    const int n = epoll_wait(wait_fd_, events.data(), static_cast<int>(events.size()),
                             static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    for (int i = 0; i < n; i++) {
        const int fd = static_cast<int>(events[static_cast<std::size_t>(i)].data.u32);
        if (fd != look_fd_ && fd != inotify_fd_) continue;
        drain(fd);
        look_again_in_ = kLookSoon;
        next_look_ = std::min(next_look_, Steady::now() + kLookSoon);
    }
}

void NamespaceWatch::drain(int fd) const {
    std::array<char, 4096> nothing{};
    while (read(fd, nothing.data(), nothing.size()) > 0) {
    }
}

// Directories that are not there yet are tried again with each look; watching twice is watching once.
void NamespaceWatch::watch_directories() const {
    for (const char* directory : kNamespaceDirectories) {
        inotify_add_watch(inotify_fd_, directory,
                          IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR);
    }
}

void NamespaceWatch::look() {
    const auto began = thread_time();
    watch_directories();
    const auto [found, is_mount_due] = find_namespaces();
    const auto cost = thread_time() - began;  // what is done for a namespace that is found is done once
    let_go_of_the_lost(found);
    const std::size_t most = most_namespaces();
    std::size_t left_out = 0;
    for (const FoundNamespace& one : found) {
        const auto at = watched_.find(one.inode);
        if (at != watched_.end()) {
            at->second.where = one;  // what it was found by may be gone by now
        } else if (watched_.size() < most && !has_lost_way_) {
            open_namespace(one);
        } else {
            left_out++;
        }
    }
    for (auto& [inode, watched] : watched_) {
        const bool is_old = Steady::now() - watched.listed_at >= kListEvery;
        if (watched.conntrack && (watched.needs_listing || is_old)) list(watched);
    }
    if (table_ != nullptr) table_->expire(static_cast<std::uint64_t>(clock_.boot_ns()));
    publish(left_out);
    plan_next_look(cost, is_mount_due);
}

void NamespaceWatch::plan_next_look(std::chrono::nanoseconds cost, bool is_mount_due) {
    Steady::duration pause = std::max<Steady::duration>(kLookEvery, cost * kLookShare);
    if (is_mount_due && look_again_in_ < kMountTakes) {
        pause = std::min(pause, look_again_in_);
        look_again_in_ *= 2;
    }
    next_look_ = Steady::now() + pause;
}

void NamespaceWatch::let_go_of_the_lost(const std::vector<FoundNamespace>& found) {
    for (auto at = watched_.begin(); at != watched_.end();) {
        const auto same = [&](const FoundNamespace& one) { return one.inode == at->first; };
        if (std::find_if(found.begin(), found.end(), same) != found.end()) {
            ++at;
            continue;
        }
        Watched& lost = at->second;
        if (lost.conntrack) {
            table_->begin_listing(at->first);
            table_->end_listing(at->first, static_cast<std::uint64_t>(clock_.boot_ns()));
        }
        lost.counters->close();
        at = watched_.erase(at);
    }
}

void NamespaceWatch::open_namespace(const FoundNamespace& found) {
    Watched watched;
    watched.where = found;
    const Reading reading(*this);
    const Status entered = in_namespace(found, [&] {
        watched.counters = std::make_shared<CounterFiles>(found.inode, "/proc/thread-self/net");
        if (table_ == nullptr) return;
        auto conntrack = Conntrack::open();
        if (!conntrack) return note_problem(conntrack.error());
        watched.conntrack = std::make_unique<Conntrack>(std::move(*conntrack));
        follow(watched);
    });
    if (!entered) {
        note_problem(entered.error());
        has_lost_way_ = entered.error().code == ErrorCode::internal;
        // it may be seen from outside even where it may not be entered
        if (entered.error().code != ErrorCode::no_privilege || found.process.empty()) return;
        watched.counters = std::make_shared<CounterFiles>(found.inode, found.process + "/net");
    }
    watched_.emplace(found.inode, std::move(watched));
}

// Events first, then what is there: nothing falls between.
void NamespaceWatch::follow(Watched& watched) {
    const std::uint32_t netns = watched.where.inode;
    add_to(events_fd_, watched.conntrack->fd(), netns);
    const Status listed = list_translated([&](std::span<const NatEvent> events) { apply(netns, events); });
    watched.listed_at = Steady::now();
    if (listed) return;
    note_problem(listed.error());
    watched.conntrack.reset();
}

void NamespaceWatch::list(Watched& watched) {
    const std::uint32_t netns = watched.where.inode;
    const Reading reading(*this);
    table_->begin_listing(netns);
    Status listed;
    const Status entered = in_namespace(watched.where, [&] {
        listed = list_translated([&](std::span<const NatEvent> events) { apply(netns, events); });
    });
    if (entered && listed) table_->end_listing(netns, static_cast<std::uint64_t>(clock_.boot_ns()));
    if (!entered && entered.error().code == ErrorCode::internal) has_lost_way_ = true;
    watched.needs_listing = !entered || !listed;
    watched.listed_at = Steady::now();
}

void NamespaceWatch::read_events() {
    std::array<epoll_event, 64> events{};
    for (;;) {
        const int n = epoll_wait(events_fd_, events.data(), static_cast<int>(events.size()), 0);
        if (n <= 0) return;
        const Reading reading(*this);
        for (int i = 0; i < n; i++) {
            const std::uint32_t netns = events[static_cast<std::size_t>(i)].data.u32;
            const auto at = watched_.find(netns);
            if (at == watched_.end() || !at->second.conntrack) continue;
            Watched& watched = at->second;
            const auto done =
                watched.conntrack->read([&](std::span<const NatEvent> some) { apply(netns, some); });
            if (done == Conntrack::Read::overflow) {
                overflows_.fetch_add(1, std::memory_order_relaxed);
                list(watched);
            } else if (done == Conntrack::Read::broken) {
                watched.conntrack.reset();
                note_problem({ErrorCode::unsupported, "connection tracking stopped telling its events"});
            }
        }
        pollfd stopped{stop_fd_, POLLIN, 0};
        if (poll(&stopped, 1, 0) != 0) return;
    }
}

void NamespaceWatch::apply(std::uint32_t netns, std::span<const NatEvent> events) {
    const std::size_t refused = table_->apply(netns, events, static_cast<std::uint64_t>(clock_.boot_ns()));
    if (refused != 0) ledger_.add(Loss::nat_unresolved, refused);
}

void NamespaceWatch::note_problem(const Error& error) {
    if (error.code == ErrorCode::unsupported && error.message.ends_with("is gone")) return;
    bool is_new = false;
    {
        const std::lock_guard lock(mutex_);
        is_new = status_.problem != error.message;
        status_.problem = error.message;
    }
    if (is_new) log_.warning("some network namespaces are not fully followed: " + error.message);
}

void NamespaceWatch::publish(std::size_t left_out) {
    std::vector<std::shared_ptr<CounterFiles>> counters;
    std::vector<FoundNamespace> known;
    std::size_t tracked = 0;
    for (const auto& [inode, watched] : watched_) {
        known.push_back(watched.where);
        counters.push_back(watched.counters);
        tracked += watched.conntrack != nullptr;
    }
    const std::lock_guard lock(mutex_);
    known_ = std::move(known);
    counters_ = std::move(counters);
    status_.namespaces = watched_.size();
    status_.tracked = tracked;
    status_.left_out = left_out;
}

}  // namespace weir::enrich
