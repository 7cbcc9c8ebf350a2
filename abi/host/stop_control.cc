#include "abi/host/stop_control.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

namespace weir::host {
namespace {

using namespace std::chrono_literals;

// After a signal the process is gone within two seconds: 1.5 s are the plugin's (see run.cc), the rest is for
// targets; the difference to two seconds is for a busy machine.
constexpr auto kHurriedEnd = 1700ms;
constexpr auto kUnhurriedEnd = 5s;
constexpr auto kGrace = 150ms;

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct sigaction hangup {};
    sigaction(SIGHUP, nullptr, &hangup);
    if (hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
    return set;
}

int checked(int descriptor, const char* what) {
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
    return descriptor;
}

}  // namespace

StopControl::StopControl(Log& log) : log_(log) {
    const sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signals_ = checked(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
    wake_ = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
    watcher_ = std::thread([this] { watch(); });
    pthread_setname_np(watcher_.native_handle(), "host-signals");
}

StopControl::~StopControl() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    eventfd_write(wake_, 1);
    watcher_.join();
    close(wake_);
    close(signals_);
}

void StopControl::attach(std::function<void()> interrupt) {
    const std::lock_guard lock(mutex_);
    if (requested()) {
        interrupt();
    } else {
        interrupt_ = std::move(interrupt);
    }
}

void StopControl::detach() {
    const std::lock_guard lock(mutex_);
    interrupt_ = nullptr;
}

void StopControl::request(std::string reason) {
    {
        const std::lock_guard lock(mutex_);
        asked_reason_ = std::move(reason);
    }
    eventfd_write(wake_, 1);
}

void StopControl::wait(std::optional<std::chrono::milliseconds> limit) {
    std::unique_lock lock(mutex_);
    const auto asked = [this] { return requested(); };
    if (limit) {
        changed_.wait_for(lock, *limit, asked);
    } else {
        changed_.wait(lock, asked);
    }
}

void StopControl::begin_to_finish() {
    const std::lock_guard lock(mutex_);
    finish_by_ = std::min(finish_by_, Clock::now() + kUnhurriedEnd);
}

StopControl::Clock::time_point StopControl::finish_by() const {
    const std::lock_guard lock(mutex_);
    return finish_by_;
}

// Called once, by the watcher. The interrupt runs under the lock so that detach() can promise its end; it
// returns at once by the ABI's word.
void StopControl::on_request(const std::string& reason) {
    log_.info(reason + ", stopping");
    const std::lock_guard lock(mutex_);
    requested_.store(true, std::memory_order_relaxed);
    finish_by_ = std::min(finish_by_, Clock::now() + kHurriedEnd);
    if (interrupt_) interrupt_();
    interrupt_ = nullptr;
    changed_.notify_all();
}

// Why the run should end, if that was asked for until the time is over.
std::optional<std::string> StopControl::poll_reason(int timeout_ms) {
    pollfd sources[] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}};
    poll(sources, 2, timeout_ms);
    signalfd_siginfo signal{};
    if (read(signals_, &signal, sizeof signal) == sizeof signal) {
        return "SIG" + std::string(sigabbrev_np(static_cast<int>(signal.ssi_signo)));
    }
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
    const std::lock_guard lock(mutex_);
    if (asked_reason_.empty()) return std::nullopt;
    return std::exchange(asked_reason_, {});
}

void StopControl::watch() {
    const auto over = [this] {
        const std::lock_guard lock(mutex_);
        return over_;
    };
    while (!over()) {
        int timeout_ms = -1;
        if (requested()) {
            const auto left = finish_by() + kGrace - Clock::now();
            if (left <= 0s) {
                log_.error("the end takes too long; leaving without what still runs");
                _exit(1);
            }
            timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
        }
        const auto reason = poll_reason(timeout_ms);
        if (reason && !requested()) on_request(*reason);
    }
}

}  // namespace weir::host
