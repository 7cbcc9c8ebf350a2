// All that answers the flow table's questions, put together; see plugin/flow/identity.h.
//
// start(), stop() and status() belong to any thread, one at a time for the first two; the questions to the
// flow table's.
#pragma once

#include <tsl/robin_set.h>
#include <cstddef>
#include <cstdint>

#include "plugin/enrich/containers.h"
#include "plugin/enrich/domains.h"
#include "plugin/enrich/kernel_routes.h"
#include "plugin/enrich/namespace_watch.h"
#include "plugin/enrich/nat_table.h"
#include "plugin/flow/identity.h"

namespace weir::enrich {

struct EnrichOptions {
    bool nat = true;
    std::size_t max_nat = 65536;      // translated connections
    std::size_t max_domains = 65536;  // addresses with a name
};

class Enrichment final : public Identity {
public:
    // The clock and the ledger must outlive it.
    Enrichment(const EnrichOptions& options, const Clock& clock, Logger log, Ledger& ledger);

    void start() { watch_.start(); }
    void stop() { watch_.stop(); }

    WatchStatus status() const { return watch_.status(); }
    std::size_t nat_size() const { return nat_.size(); }
    std::vector<std::shared_ptr<CounterFiles>> counters() const { return watch_.counters(); }

    void learn_domain(std::uint32_t netns, const Address& address, std::string_view name, std::uint32_t ttl_s,
                      std::uint64_t time) override;
    std::string_view domain(std::uint32_t netns, const Address& address, std::uint64_t time) override;
    std::optional<Translation> translation(const weir_conn_id& id, std::uint64_t time) override;
    std::optional<Address> source(const weir_conn_id& id, std::uint64_t time) override;
    std::uint32_t route_error(const weir_conn_id& id, std::uint64_t time) override;
    std::optional<Address> client_behind(const weir_conn_id& id) override;
    std::string_view container(std::uint64_t cgroup, std::uint32_t pid, std::uint64_t time) override;

private:
    void meet(std::uint32_t netns);
    NatTable::Found find_translation(const weir_conn_id& id) const;
    bool catch_up(std::uint64_t now);

    const bool follows_nat_;
    const Clock& clock_;
    Ledger& ledger_;
    Domains domains_;
    Containers containers_;
    KernelRoutes routes_;
    NatTable nat_;
    NamespaceWatch watch_;
    tsl::robin_set<std::uint32_t> met_;  // namespaces with traffic
    std::uint32_t last_met_ = 0;
    std::uint64_t caught_up_ = 0;   // all that connection tracking had said at this boot time is in the table
    std::uint64_t wait_again_ = 0;  // boot time
};

}  // namespace weir::enrich
