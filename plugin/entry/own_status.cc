#include "plugin/entry/own_status.h"

#include <sys/utsname.h>

#include "abi/include/weir_abi.h"
#include "plugin/entry/describe.h"

namespace weir::entry {
namespace {

// An interval that is later than this many of its lengths means that collecting has stopped.
constexpr std::int64_t kLateIntervals = 3;

std::string kernel_release() {
    utsname name{};
    uname(&name);
    return name.release;
}

}  // namespace

OwnStatus::OwnStatus(std::string host, std::int64_t interval_ns, const Capabilities& source,
                     const Clock& clock, const Ledger& ledger)
    : host_(std::move(host)),
      source_(source),
      clock_(clock),
      ledger_(ledger),
      started_ns_(clock.wall_ns()),
      interval_ns_(interval_ns) {}

void OwnStatus::set_running(const Collector* collector, const Delivery* delivery, const Reporter* reporter,
                            const enrich::Enrichment* enrichment) {
    delivery_ = delivery;
    reporter_ = reporter;
    enrichment_ = enrichment;
    collector_ = collector;
}

http::Health OwnStatus::health() const {
    const Collector* collector = collector_;
    if (collector == nullptr) return {false, "starting"};
    const std::int64_t last = collector->intervals() == 0 ? started_ns_ : collector->last_end_ns();
    if (clock_.wall_ns() - last > (kLateIntervals + 1) * interval_ns_) {
        return {false, "the last interval ended long ago: the collect thread does not come round"};
    }
    return {true, ""};
}

http::Facts OwnStatus::facts() const {
    http::Facts out;
    out.version = kPluginVersion;
    out.abi = std::to_string(WEIR_ABI_MAJOR) + "." + std::to_string(WEIR_ABI_MINOR);
    out.host = host_;
    out.kernel = kernel_release();
    out.tier = source_.tier;
    out.tier_reason = source_.why;
    out.started_ns = started_ns_;
    out.interval_ns = interval_ns_;
    if (const Collector* collector = collector_) out.filtered_records = collector->filtered();
    if (const enrich::Enrichment* enrichment = enrichment_) {
        const enrich::WatchStatus watch = enrichment->status();
        out.namespaces = {watch.namespaces, watch.left_out, watch.tracked, watch.problem};
    }
    return out;
}

ReconciledCounts OwnStatus::reconciled() const {
    const Collector* collector = collector_;
    return collector == nullptr ? ReconciledCounts() : collector->reconciled();
}

std::vector<http::Metric> OwnStatus::metrics() const {
    using enum http::Metric::Kind;
    std::vector<http::Metric> out;
    const auto add = [&](const char* name, const char* help, http::Metric::Kind kind, double value) {
        out.push_back({name, help, kind, value, {}});
    };
    if (const Collector* collector = collector_) {
        add("weir_intervals_total", "intervals collected", counter,
            static_cast<double>(collector->intervals()));
        add("weir_flows", "flows in the last interval", gauge, static_cast<double>(collector->last_flows()));
        add("weir_filtered_records_total", "records that netlog_blacklist has left out", counter,
            static_cast<double>(collector->filtered()));
        add("weir_sweep_seconds", "time of the last walk over live connections", gauge,
            static_cast<double>(collector->last_sweep_ns()) * 1e-9);
    }
    if (const enrich::Enrichment* enrichment = enrichment_) {
        const enrich::WatchStatus watch = enrichment->status();
        add("weir_namespaces", "network namespaces known", gauge, static_cast<double>(watch.namespaces));
        add("weir_namespaces_tracked", "network namespaces whose connection tracking is followed", gauge,
            static_cast<double>(watch.tracked));
        add("weir_nat_entries", "translated connections known", gauge,
            static_cast<double>(enrichment->nat_size()));
        add("weir_nat_overflows_total",
            "times that connection tracking was listed anew because events were lost", counter,
            static_cast<double>(watch.overflows));
    }
    if (const Delivery* delivery = delivery_) {
        const Delivery::Pending pending = delivery->pending();
        add("weir_points_total", "points that the host took", counter,
            static_cast<double>(delivery->delivered_points()));
        add("weir_points_lost_total", "points that the host did not take and the spool had no room for",
            counter, static_cast<double>(delivery->lost_points()));
        add("weir_points_pending", "points that wait for the host", gauge,
            static_cast<double>(pending.points));
        add("weir_pending_bytes", "bytes of these points", gauge, static_cast<double>(pending.bytes));
        add("weir_host_busy_total", "times that the host did not take points at once", counter,
            static_cast<double>(delivery->busy_answers()));
    }
    if (const Reporter* reporter = reporter_) {
        add("weir_host_slow_calls_total", "callbacks of the host that took longer than a second", counter,
            static_cast<double>(reporter->slow_calls()));
        add("weir_host_call_seconds", "how long the host has been in its present callback", gauge,
            reporter->call_seconds());
    }
    return out;
}

}  // namespace weir::entry
