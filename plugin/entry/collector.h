// The collect thread: owns the source and the flow table, and turns each interval into a batch.
//
// It waits for the ring to the kernel (which wakes it when a quarter is full), for a tick some times a
// second, for the end of the interval, and for its end. Intervals end at multiples of their length in
// wall time, so that minutes are made of whole intervals; when the clock steps, the interval in work
// ends early or starts anew, and no batch ends before the one before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/enrich/enrichment.h"
#include "plugin/enrich/reconciliation.h"
#include "plugin/entry/outlet.h"
#include "plugin/entry/udp_demand.h"
#include "plugin/flow/flow_table.h"
#include "plugin/source/source.h"

namespace weir::entry {

class Collector {
public:
    struct Settings {
        std::int64_t interval_ns = 0;
        bool follows_udp = false;  // for the reconciliation; does not change
        FlowOptions flow;
    };

    // `source` and `enrichment` are started already. All but the source must outlive the collector.
    Collector(std::unique_ptr<Source> source, Settings settings, enrich::Enrichment& enrichment,
              std::vector<Outlet*> outlets, const Clock& clock, Ledger& ledger);
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    void start();
    // Collects once more, hands that over, detaches, closes the outlets and joins. Idempotent.
    void stop();
    // Takes effect with the next interval. Any thread.
    void change(Settings settings);

    // Any thread.
    std::uint64_t intervals() const { return intervals_.load(std::memory_order_relaxed); }
    std::int64_t last_end_ns() const { return last_end_ns_.load(std::memory_order_relaxed); }
    // How long the last sweep over the live connections took.
    std::int64_t last_sweep_ns() const { return last_sweep_ns_.load(std::memory_order_relaxed); }
    // Against the kernel's own counters, since the start.
    ReconciledCounts reconciled() const;
    // Records that the configured filter has left out.
    std::uint64_t filtered() const { return filtered_.load(std::memory_order_relaxed); }
    std::uint64_t last_flows() const { return last_flows_.load(std::memory_order_relaxed); }

private:
    void run();
    // Drains until the wall clock reaches end_ns; false when it is time to stop.
    bool collect_until(std::int64_t end_ns);
    std::int64_t next_end(std::int64_t now) const;
    void finish_interval(std::int64_t end_ns, bool last);
    void reconcile(Batch& batch);
    void take_change();
    void pass_by_filtered();
    void look_for_udp();

    std::unique_ptr<Source> source_;
    Settings settings_;
    const std::vector<Outlet*> outlets_;
    const Clock& clock_;
    Ledger& ledger_;
    enrich::Enrichment& enrichment_;
    enrich::Reconciliation reconciliation_;
    FlowTable flows_;
    UdpDemand udp_demand_;
    LossCounts losses_before_{};
    std::int64_t begin_ns_ = 0;
    int stop_fd_ = -1;  // eventfd
    std::mutex change_mutex_;
    std::optional<Settings> change_;
    mutable std::mutex reconciled_mutex_;
    ReconciledCounts reconciled_{};
    std::atomic<std::uint64_t> intervals_{0}, last_flows_{0}, filtered_{0};
    std::atomic<std::int64_t> last_end_ns_{0}, last_sweep_ns_{0};
    std::thread thread_;
};

}  // namespace weir::entry
