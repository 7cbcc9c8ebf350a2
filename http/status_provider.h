// What the endpoint asks of the plugin about itself: for /healthz, /metrics and /api/v1/status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/flow/batch.h"

namespace weir::http {

struct Health {
    bool healthy = false;  // collecting, now
    std::string reason;    // why not, for people; empty when healthy
};

// Weir's own cost against its budget.
struct Overhead {
    double cpu_share = 0;  // of one processor
    std::optional<double> cpu_budget;
    std::uint64_t memory_bytes = 0;
    std::optional<std::uint64_t> memory_budget;
    unsigned step = 0;  // how far detail was stepped down; 0 is all of it
    std::string step_reason;
};

// The network namespaces of the host, as far as they are looked into for translated connections and for the
// kernel's counters.
struct Namespaces {
    std::uint64_t known = 0;
    std::uint64_t left_out = 0;  // there are too many
    std::uint64_t tracked = 0;   // of the known: connection tracking is followed
    std::string problem;         // why not all are; empty when all are
};

struct Facts {
    std::string version;
    std::string abi;  // "major.minor"
    std::string host;
    std::string kernel;
    std::string tier;
    std::string tier_reason;      // why this one
    std::int64_t started_ns = 0;  // wall time
    std::int64_t interval_ns = 0;
    std::optional<Overhead> overhead;  // nothing where it is not measured
    std::optional<Namespaces> namespaces;
    std::uint64_t filtered_records = 0;  // left out as configured: no loss
};

struct Metric {
    enum class Kind { counter, gauge };

    std::string name;  // begins with weir_; the metrics of one name follow each other
    std::string help;
    Kind kind = Kind::counter;
    double value = 0;
    std::vector<std::pair<std::string, std::string>> labels;
};

// Thread-safe; asked often, so cheap, and never waits for collection.
class StatusProvider {
public:
    virtual ~StatusProvider() = default;
    virtual Health health() const = 0;
    virtual Facts facts() const = 0;
    virtual LossCounts losses() const = 0;                      // since the start
    virtual ReconciledCounts reconciled() const { return {}; }  // since the start
    virtual std::vector<Metric> metrics() const = 0;
};

}  // namespace weir::http
