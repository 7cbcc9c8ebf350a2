#include "plugin/enrich/enrichment.h"

#include <algorithm>

namespace weir::enrich {
namespace {

constexpr std::size_t kMostMet = 4096;
// A watch that is behind is not waited for again so soon: the flow table has other things to do.
constexpr std::uint64_t kRestNs = 200'000'000;

// A socket that is bound to no address shows zeros, in one of two forms.
Address address_of(const __u8 (&bytes)[16]) {
    Address out;
    std::copy(std::begin(bytes), std::end(bytes), out.bytes.begin());
    return out == Address::v4(0, 0, 0, 0) ? Address() : out;
}

}  // namespace

Enrichment::Enrichment(const EnrichOptions& options, const Clock& clock, Logger log, Ledger& ledger)
    : follows_nat_(options.nat),
      clock_(clock),
      ledger_(ledger),
      domains_(options.max_domains),
      nat_(options.max_nat),
      watch_(options.nat ? &nat_ : nullptr, clock, std::move(log), ledger) {}

void Enrichment::learn_domain(std::uint32_t netns, const Address& address, std::string_view name,
                              std::uint32_t ttl_s, std::uint64_t time) {
    domains_.learn(netns, address, name, ttl_s, time);
}

std::string_view Enrichment::domain(std::uint32_t netns, const Address& address, std::uint64_t time) {
    return domains_.empty() ? std::string_view() : domains_.find(netns, address, time);
}

std::optional<Translation> Enrichment::translation(const weir_conn_id& id, std::uint64_t time) {
    if (!follows_nat_) return std::nullopt;
    if (id.netns != last_met_) meet(id.netns);
    NatTable::Found found = find_translation(id);
    if (!found.translation && !found.is_ambiguous && time > caught_up_) {
        const bool is_current = catch_up(static_cast<std::uint64_t>(clock_.boot_ns()));
        found = find_translation(id);
        if (!is_current && !found.translation) ledger_.add(Loss::nat_unresolved);
    }
    if (found.is_ambiguous) ledger_.add(Loss::nat_unresolved);
    return found.translation;
}

void Enrichment::meet(std::uint32_t netns) {
    last_met_ = netns;
    if (met_.contains(netns)) return;
    if (met_.size() >= kMostMet) met_.clear();
    met_.insert(netns);
    if (!watch_.knows(netns)) watch_.look_soon();
}

NatTable::Found Enrichment::find_translation(const weir_conn_id& id) const {
    if (nat_.size() == 0) return {};
    return nat_.find(
        id.netns, {address_of(id.local), address_of(id.remote), id.local_port, id.remote_port, id.transport});
}

bool Enrichment::catch_up(std::uint64_t now) {
    if (now < wait_again_) return false;
    if (watch_.catch_up()) {
        caught_up_ = now;
        return true;
    }
    wait_again_ = now + kRestNs;
    return false;
}

std::optional<Address> Enrichment::source(const weir_conn_id& id, std::uint64_t time) {
    return routes_.source(id, time, [&] { return watch_.find(id.netns); });
}

std::uint32_t Enrichment::route_error(const weir_conn_id& id, std::uint64_t time) {
    return routes_.error(id, time, [&] { return watch_.find(id.netns); });
}

std::optional<Address> Enrichment::client_behind(const weir_conn_id& id) {
    if (!follows_nat_ || nat_.size() == 0) return std::nullopt;
    return nat_.client_behind(
        {address_of(id.remote), address_of(id.local), id.remote_port, id.local_port, id.transport});
}

std::string_view Enrichment::container(std::uint64_t cgroup, std::uint32_t pid, std::uint64_t time) {
    return containers_.find(cgroup, pid, time);
}

}  // namespace weir::enrich
