#include "plugin/entry/collector.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "plugin/base/thread.h"

namespace weir::entry {
namespace {

// Records wait in the ring no longer than this. Fewer wake-ups would cost nothing less that matters.
constexpr std::int64_t kTickNs = 250'000'000;

}  // namespace

Collector::Collector(std::unique_ptr<Source> source, Settings settings, enrich::Enrichment& enrichment,
                     std::vector<Outlet*> outlets, const Clock& clock, Ledger& ledger)
    : source_(std::move(source)),
      settings_(std::move(settings)),
      outlets_(std::move(outlets)),
      clock_(clock),
      ledger_(ledger),
      enrichment_(enrichment),
      reconciliation_(settings_.follows_udp),
      flows_(settings_.flow, ledger, &enrichment),
      udp_demand_(source_->capabilities().calls_on_demand, ledger),
      stop_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Collector::~Collector() {
    stop();
    close(stop_fd_);
}

void Collector::start() {
    begin_ns_ = clock_.wall_ns();
    pass_by_filtered();
    reconciliation_.finish(enrichment_.counters(), {});  // where the kernel's counters stand now
    thread_ = start_thread("weir-collect", [this] { run(); });
}

void Collector::stop() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    // cannot fail: the counter of an eventfd has room for more than one
    [[maybe_unused]] const ssize_t written = write(stop_fd_, &one, sizeof(one));
    thread_.join();
}

void Collector::change(Settings settings) {
    const std::lock_guard lock(change_mutex_);
    change_ = std::move(settings);
}

void Collector::run() {
    for (std::int64_t end = next_end(begin_ns_); collect_until(end); end = next_end(begin_ns_)) {
        // a clock that was set forward, or a machine that slept, passed more than one end
        const std::int64_t late = clock_.wall_ns() - end;
        finish_interval(end + std::max<std::int64_t>(0, late / settings_.interval_ns) * settings_.interval_ns,
                        false);
        take_change();
    }
    finish_interval(clock_.wall_ns(), true);
    source_->stop();
    for (Outlet* outlet : outlets_) outlet->close();
}

bool Collector::collect_until(std::int64_t end_ns) {
    for (;;) {
        const std::int64_t left = end_ns - clock_.wall_ns();
        if (left <= 0) return true;
        if (left > settings_.interval_ns) return true;  // the clock was set back: end here, align anew
        const std::int64_t wait_ms = std::min(left, kTickNs) / 1'000'000 + 1;
        std::array<pollfd, 2> fds = {{{stop_fd_, POLLIN, 0}, {source_->wake_fd(), POLLIN, 0}}};
        poll(fds.data(), fds.size(), static_cast<int>(wait_ms));
        if (fds[0].revents != 0) return false;
        source_->drain(flows_);
        look_for_udp();
    }
}

std::int64_t Collector::next_end(std::int64_t now) const {
    const std::int64_t interval = settings_.interval_ns;
    return now - now % interval + interval;
}

void Collector::look_for_udp() {
    const std::int64_t now = clock_.boot_ns();
    if (udp_demand_.is_due(now)) source_->follow_calls(udp_demand_.check(enrichment_.counters(), now));
}

void Collector::finish_interval(std::int64_t end_ns, bool last) {
    const std::int64_t started = clock_.boot_ns();
    source_->sweep(flows_, last);
    last_sweep_ns_ = clock_.boot_ns() - started;

    end_ns = std::max(end_ns, begin_ns_ + 1);
    flows_.expire(static_cast<std::uint64_t>(clock_.boot_ns()));
    std::unique_ptr<Batch> batch = flows_.finish(begin_ns_, end_ns);
    reconcile(*batch);
    const LossCounts losses = ledger_.totals();
    for (std::size_t i = 0; i < kLossCount; i++) batch->losses[i] = losses[i] - losses_before_[i];
    losses_before_ = losses;
    begin_ns_ = end_ns;

    intervals_++;
    last_flows_ = batch->flows.size();
    filtered_ = flows_.filtered();
    last_end_ns_ = end_ns;
    const BatchPtr shared = std::move(batch);
    for (Outlet* outlet : outlets_) outlet->offer(shared);
}

void Collector::reconcile(Batch& batch) {
    batch.reconciled = reconciliation_.finish(enrichment_.counters(), flows_.take_seen());
    const std::lock_guard lock(reconciled_mutex_);
    add_reconciled(reconciled_, batch.reconciled);
}

ReconciledCounts Collector::reconciled() const {
    const std::lock_guard lock(reconciled_mutex_);
    return reconciled_;
}

void Collector::take_change() {
    const std::lock_guard lock(change_mutex_);
    if (!change_) return;
    settings_ = std::move(*change_);
    change_.reset();
    flows_.set_options(settings_.flow);
    pass_by_filtered();
}

void Collector::pass_by_filtered() {
    source_->pass_by(settings_.flow.filter ? settings_.flow.filter->processes() : std::vector<std::string>());
}

}  // namespace weir::entry
