#include "http/net/socket_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/net/worker_pool.h"
#include "plugin/base/thread.h"

namespace weir::http {
namespace {

using Clock = Connection::Clock;
using Phase = Connection::Phase;

// Values of epoll_event::data; connections count up from the last of these.
constexpr std::uint64_t kWakeId = 0;
constexpr std::uint64_t kListenerId = 1;
constexpr std::uint64_t kFirstConnectionId = 2;

constexpr int kAcceptsInARow = 64;                      // others wait, too
constexpr std::chrono::milliseconds kAcceptPause{100};  // when the process is out of descriptors

}  // namespace

class SocketServer::Loop {
public:
    Loop(Listener listener, std::unique_ptr<ChannelFactory> channels, Handler& handler,
         const SocketLimits& limits)
        : listener_(std::move(listener)),
          channels_(std::move(channels)),
          handler_(handler),
          limits_(limits),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

    ~Loop() {
        stopping_.store(true);
        wake();
        if (thread_.joinable()) thread_.join();
        connections_.clear();  // cancels their requests
        workers_.reset();      // waits for the handlers
    }

    Status run() {
        if (!epoll_ || !wake_)
            return fail(ErrorCode::internal, "no descriptor is left for the HTTP endpoint");
        watch(wake_.get(), kWakeId, EPOLLIN, EPOLL_CTL_ADD);
        watch(listener_.fd.get(), kListenerId, EPOLLIN, EPOLL_CTL_ADD);
        try {
            workers_ = std::make_unique<WorkerPool>(limits_.workers);
            thread_ = start_thread("http-io", [this] { loop(); });
        } catch (const std::exception&) {
            return fail(ErrorCode::internal, "no thread could be started for the HTTP endpoint");
        }
        return {};
    }

private:
    struct Entry {
        std::unique_ptr<Connection> connection;
        std::uint32_t watched = EPOLLIN;
    };

    void loop() {
        while (!stopping_.load()) {
            try {
                round();
            } catch (const std::exception&) {
                // Out of memory: connections end by their deadlines, and later rounds go on.
            }
        }
    }

    void round() {
        std::array<epoll_event, 64> events;
        const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_to_wait());
        for (int i = 0; i < n; i++) dispatch(events[static_cast<std::size_t>(i)]);
        take_answers();
        close_overdue();
        free_buffers();
        resume_accepting();
    }

    // Does something with a connection, which ends when there is no memory for it: nothing may be thrown
    // out of a thread in the host's process.
    template <typename Action>
    void with(std::uint64_t id, Action action) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        try {
            action(*found->second.connection);
            settle(id, found->second);
        } catch (const std::exception&) {
            forget(id);
        }
    }

    // Ends the connection and cancels its request. Its watch is ended first: where the host has forked, the
    // socket outlives our descriptor and would report for ever.
    void forget(std::uint64_t id) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.connection->fd(), nullptr);
        connections_.erase(found);
    }

    void dispatch(const epoll_event& event) {
        if (event.data.u64 == kWakeId) {
            std::uint64_t ignored = 0;
            [[maybe_unused]] const ssize_t n = ::read(wake_.get(), &ignored, sizeof(ignored));
        } else if (event.data.u64 == kListenerId) {
            accept_all();
        } else {
            on_ready(event.data.u64, event.events);
        }
    }

    void on_ready(std::uint64_t id, std::uint32_t events) {
        with(id, [events](Connection& connection) {
            // While a handler works only a reset comes here; an end of the peer's sending is no farewell.
            const bool reset = (events & (EPOLLHUP | EPOLLERR)) != 0;
            if (connection.phase() == Phase::working && reset) return connection.close();
            connection.advance();
        });
    }

    // After anything happened to a connection: hand over its request, watch for what it wants, or forget it.
    void settle(std::uint64_t id, Entry& entry) {
        Connection& connection = *entry.connection;
        if (connection.phase() == Phase::reading && connection.has_request()) submit(id, connection);
        if (connection.phase() == Phase::closed) return forget(id);
        std::uint32_t wanted = 0;
        if (connection.wants_read()) wanted = EPOLLIN;
        if (connection.wants_write()) wanted = EPOLLOUT;
        if (wanted == entry.watched) return;
        entry.watched = wanted;
        watch(connection.fd(), id, wanted, EPOLL_CTL_MOD);
    }

    void submit(std::uint64_t id, Connection& connection) {
        auto request = std::make_shared<const Request>(connection.take_request());
        const bool quick = handler_.is_quick(*request);
        workers_->submit([this, id, request] { work(id, *request); }, quick);
    }

    // On a worker's thread. Without memory for the answer the connection ends by its deadline.
    void work(std::uint64_t id, const Request& request) {
        if (request.cancelled->load(std::memory_order_relaxed)) return;
        try {
            Response response = handler_.handle(request);
            const std::lock_guard lock(answers_mutex_);
            answers_.emplace_back(id, std::move(response));
        } catch (const std::exception&) {
            return;
        }
        wake();
    }

    void take_answers() {
        std::vector<std::pair<std::uint64_t, Response>> answers;
        {
            const std::lock_guard lock(answers_mutex_);
            answers.swap(answers_);
        }
        for (const auto& [id, response] : answers) {
            with(id, [&](Connection& connection) { connection.answer(response); });
        }
    }

    void accept_all() {
        for (int i = 0; i < kAcceptsInARow; i++) {
            const bool full = connections_.size() >= limits_.connections;
            if (full && !dispensable()) return pause_accepting();  // all are busy: others wait in the backlog
            UniqueFd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            const bool out_of_descriptors = !fd && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS);
            if (full && fd) forget(*dispensable());
            if (fd) add(std::move(fd));
            if (out_of_descriptors) return make_do();
            if (!fd) return;
        }
    }

    // Without a descriptor for the next connection: gives up one that can go, or waits.
    void make_do() {
        if (const auto id = dispensable()) return forget(*id);
        pause_accepting();
    }

    void add(UniqueFd fd) try {
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        auto channel = channels_->make(fd.get());
        if (!channel) return;
        const int raw = fd.get();
        Entry entry{std::make_unique<Connection>(std::move(fd), std::move(channel), channels_->is_tls(),
                                                 handler_, limits_.connection)};
        connections_.emplace(next_id_, std::move(entry));
        watch(raw, next_id_++, EPOLLIN, EPOLL_CTL_ADD);
    } catch (const std::exception&) {
        return;  // without memory the connection is closed
    }

    // The connection that can go when another needs its place: one that is done, else the one that has been
    // without a whole request for longest.
    std::optional<std::uint64_t> dispensable() const {
        const auto done = longest_in(Phase::draining);
        return done ? done : longest_in(Phase::reading);
    }

    std::optional<std::uint64_t> longest_in(Phase phase) const {
        std::optional<std::uint64_t> out;
        auto since = Clock::time_point::max();
        for (const auto& [id, entry] : connections_) {
            if (entry.connection->phase() != phase || entry.connection->since() >= since) continue;
            since = entry.connection->since();
            out = id;
        }
        return out;
    }

    // Peers that do not take their answers must not fill the memory.
    void free_buffers() {
        std::size_t sum = 0;
        for (const auto& [id, entry] : connections_) sum += entry.connection->buffered();
        while (sum > limits_.buffered_bytes) {
            const auto longest = longest_in(Phase::writing);
            if (!longest) return;
            forget(*longest);
            sum = 0;
            for (const auto& [id, entry] : connections_) sum += entry.connection->buffered();
        }
    }

    void close_overdue() {
        const auto now = Clock::now();
        std::vector<std::uint64_t> overdue;
        for (const auto& [id, entry] : connections_) {
            if (entry.connection->deadline() <= now) overdue.push_back(id);
        }
        for (const std::uint64_t id : overdue) {
            with(id, [](Connection& connection) { connection.time_out(); });
        }
    }

    void pause_accepting() {
        accept_again_ = Clock::now() + kAcceptPause;
        watch(listener_.fd.get(), kListenerId, 0, EPOLL_CTL_MOD);
    }

    void resume_accepting() {
        if (accept_again_ == Clock::time_point::max() || Clock::now() < accept_again_) return;
        accept_again_ = Clock::time_point::max();
        watch(listener_.fd.get(), kListenerId, EPOLLIN, EPOLL_CTL_MOD);
    }

    int milliseconds_to_wait() const {
        auto next = accept_again_;
        for (const auto& [id, entry] : connections_) next = std::min(next, entry.connection->deadline());
        if (next == Clock::time_point::max()) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }

    void watch(int fd, std::uint64_t id, std::uint32_t events, int operation) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = id;
        ::epoll_ctl(epoll_.get(), operation, fd, &event);
    }

    void wake() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof(one));
    }

    Listener listener_;
    std::unique_ptr<ChannelFactory> channels_;
    Handler& handler_;
    const SocketLimits limits_;
    UniqueFd epoll_;
    UniqueFd wake_;
    std::atomic<bool> stopping_ = false;

    // Of the thread http-io.
    std::unordered_map<std::uint64_t, Entry> connections_;
    std::uint64_t next_id_ = kFirstConnectionId;
    Clock::time_point accept_again_ = Clock::time_point::max();

    std::mutex answers_mutex_;
    std::vector<std::pair<std::uint64_t, Response>> answers_;

    std::unique_ptr<WorkerPool> workers_;
    std::thread thread_;
};

Result<std::unique_ptr<SocketServer>> SocketServer::start(Listener listener,
                                                          std::unique_ptr<ChannelFactory> channels,
                                                          Handler& handler, const SocketLimits& limits) {
    auto loop = std::make_unique<Loop>(std::move(listener), std::move(channels), handler, limits);
    if (auto running = loop->run(); !running) return tl::unexpected(running.error());
    return std::unique_ptr<SocketServer>(new SocketServer(std::move(loop)));
}

SocketServer::SocketServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
SocketServer::~SocketServer() = default;

}  // namespace weir::http
