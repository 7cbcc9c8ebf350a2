// What the plugin tells the HTTP layer about itself.
//
// Thread-safe: everything is set before the server starts, or atomic, or asked from what is.
#pragma once

#include <atomic>
#include <string>

#include "http/status_provider.h"
#include "plugin/base/clock.h"
#include "plugin/base/ledger.h"
#include "plugin/entry/collector.h"
#include "plugin/entry/delivery.h"
#include "plugin/entry/reporter.h"
#include "plugin/source/source.h"

namespace weir::entry {

class OwnStatus final : public http::StatusProvider {
public:
    OwnStatus(std::string host, std::int64_t interval_ns, const Capabilities& source, const Clock& clock,
              const Ledger& ledger);

    // Until then it is not healthy. All must outlive the server.
    void set_running(const Collector* collector, const Delivery* delivery, const Reporter* reporter,
                     const enrich::Enrichment* enrichment);
    void set_interval(std::int64_t interval_ns) { interval_ns_ = interval_ns; }

    http::Health health() const override;
    http::Facts facts() const override;
    LossCounts losses() const override { return ledger_.totals(); }
    ReconciledCounts reconciled() const override;
    std::vector<http::Metric> metrics() const override;

private:
    const std::string host_;
    const Capabilities source_;
    const Clock& clock_;
    const Ledger& ledger_;
    const std::int64_t started_ns_;
    std::atomic<std::int64_t> interval_ns_;
    std::atomic<const Collector*> collector_{nullptr};
    std::atomic<const Delivery*> delivery_{nullptr};
    std::atomic<const Reporter*> reporter_{nullptr};
    std::atomic<const enrich::Enrichment*> enrichment_{nullptr};
};

}  // namespace weir::entry
