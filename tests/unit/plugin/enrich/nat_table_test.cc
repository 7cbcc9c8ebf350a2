#include "plugin/enrich/nat_table.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

using namespace weir;
using namespace weir::enrich;

namespace {

constexpr std::uint32_t kHost = 1, kPod = 2, kOther = 3;
const Address kClient = Address::v4(10, 244, 0, 5), kService = Address::v4(10, 96, 0, 1),
              kBackend = Address::v4(10, 244, 1, 7), kNode = Address::v4(192, 168, 0, 1);

NatKey original(std::uint16_t port = 40000) { return {kClient, kService, port, 80, IPPROTO_TCP}; }

NatEvent translated(std::uint16_t port = 40000, Address backend = kBackend) {
    return {original(port), {kClient, backend, port, 8080, IPPROTO_TCP}, false};
}

NatEvent masqueraded() { return {original(), {kNode, kBackend, 61000, 8080, IPPROTO_TCP}, false}; }

NatEvent over(NatEvent event) {
    event.is_over = true;
    return event;
}

std::size_t apply(NatTable& table, std::uint32_t netns, const NatEvent& event, std::uint64_t time = 0) {
    return table.apply(netns, {&event, 1}, time);
}

}  // namespace

Test(nat_table, a_pods_connection_is_translated_in_the_hosts_namespace) {
    NatTable table(10);
    apply(table, kHost, translated());
    const auto found = table.find(kPod, original());
    cr_assert(found.translation.has_value());
    cr_assert(found.translation->address == kBackend);
    cr_assert_eq(found.translation->port, 8080);
    cr_assert_not(table.find(kPod, original(40001)).translation.has_value());
    NatKey udp = original();
    udp.transport = IPPROTO_UDP;
    cr_assert_not(table.find(kPod, udp).translation.has_value());
}

Test(nat_table, the_own_namespace_goes_first_and_others_must_agree) {
    NatTable table(10);
    apply(table, kHost, translated());
    apply(table, kPod, translated(40000, kNode));
    cr_assert(table.find(kPod, original()).translation->address == kNode);
    cr_assert(table.find(kHost, original()).translation->address == kBackend);
    const auto third = table.find(kOther, original());
    cr_assert(third.is_ambiguous);
    cr_assert_not(third.translation.has_value());
    apply(table, kPod, translated());
    cr_assert(table.find(kOther, original()).translation->address == kBackend, "now they agree");
}

Test(nat_table, an_entry_outlives_its_connection_for_a_while) {
    NatTable table(10);
    apply(table, kHost, translated());
    apply(table, kHost, over(translated()), 1000);
    table.expire(1000 + NatTable::kGraceNs - 1);
    cr_assert(table.find(kHost, original()).translation.has_value());
    table.expire(1000 + NatTable::kGraceNs);
    cr_assert_not(table.find(kHost, original()).translation.has_value());
    cr_assert_eq(table.size(), 0u);
}

Test(nat_table, ports_that_are_used_again) {
    NatTable table(10);
    apply(table, kHost, translated());
    apply(table, kHost, over(translated()), 1000);
    apply(table, kHost, translated(40000, kNode), 2000);
    table.expire(1000 + NatTable::kGraceNs);
    cr_assert(table.find(kHost, original()).translation->address == kNode);
    cr_assert_eq(table.size(), 1u);
}

Test(nat_table, what_a_listing_does_not_name_is_over) {
    NatTable table(10);
    apply(table, kHost, translated(1));
    apply(table, kHost, translated(2));
    apply(table, kPod, translated(3));
    table.begin_listing(kHost);
    apply(table, kHost, translated(2), 1000);
    table.end_listing(kHost, 1000);
    table.expire(1000 + NatTable::kGraceNs);
    cr_assert_not(table.find(kHost, original(1)).translation.has_value());
    cr_assert(table.find(kHost, original(2)).translation.has_value());
    cr_assert(table.find(kPod, original(3)).translation.has_value());
}

Test(nat_table, the_client_behind_a_masquerade) {
    NatTable table(10);
    apply(table, kHost, masqueraded());
    const NatKey seen{kNode, kBackend, 61000, 8080, IPPROTO_TCP};
    cr_assert(table.client_behind(seen) == kClient);
    apply(table, kHost, over(masqueraded()), 0);
    table.expire(NatTable::kGraceNs);
    cr_assert_not(table.client_behind(seen).has_value());
    apply(table, kHost, translated());
    cr_assert_not(table.client_behind(translated().translated).has_value(), "its client is not masked");
}

Test(nat_table, a_full_table_refuses_and_takes_again_when_some_are_over) {
    NatTable table(3);
    for (std::uint16_t port = 1; port <= 5; port++) {
        cr_assert_eq(apply(table, kHost, translated(port)), port > 3 ? 1u : 0u);
    }
    cr_assert_eq(table.size(), 3u);
    cr_assert_eq(apply(table, kHost, translated(3, kNode)), 0u, "a known one needs no room");
    apply(table, kHost, over(translated(1)), 0);
    cr_assert_eq(apply(table, kHost, translated(6), NatTable::kGraceNs + 1), 0u);
    cr_assert(table.find(kHost, original(6)).translation.has_value());
}

Test(nat_table, a_socket_that_is_bound_to_no_address) {
    NatTable table(10);
    NatEvent event = translated();
    event.original.transport = event.translated.transport = IPPROTO_UDP;
    apply(table, kHost, event);
    NatKey unbound = event.original;
    unbound.client = {};
    cr_assert(table.find(kPod, unbound).translation->address == kBackend);
    NatEvent later = event;  // of another client, from the same port
    later.original.client = later.translated.client = kNode;
    later.translated.server = kNode;
    apply(table, kHost, later);
    apply(table, kHost, over(event), 0);
    table.expire(NatTable::kGraceNs);
    cr_assert(table.find(kPod, unbound).translation->address == kNode);
    cr_assert_not(table.find(kPod, event.original).translation.has_value());
}
