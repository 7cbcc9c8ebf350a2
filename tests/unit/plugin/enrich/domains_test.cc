#include "plugin/enrich/domains.h"

#include <criterion/criterion.h>

using weir::Address;
using weir::enrich::Domains;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
const Address kAddress = Address::v4(192, 0, 2, 1);

Address numbered(unsigned n) {
    return Address::v4(10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                       static_cast<std::uint8_t>(n));
}

}  // namespace

Test(domains, the_last_name_asked_for_in_a_namespace) {
    Domains domains(100);
    domains.learn(1, kAddress, "a.example", 60, 0);
    domains.learn(1, kAddress, "b.example", 60, 1);
    domains.learn(2, kAddress, "c.example", 60, 2);
    cr_assert(domains.find(1, kAddress, 3) == "b.example");
    cr_assert(domains.find(2, kAddress, 3) == "c.example");
    cr_assert(domains.find(3, kAddress, 3).empty());
    cr_assert_eq(domains.size(), 2u);
}

Test(domains, live_by_their_ttl) {
    Domains domains(100);
    domains.learn(1, kAddress, "long", 3600, 0);
    cr_assert(domains.find(1, kAddress, 3599 * kSecond) == "long");
    Domains others(100);
    others.learn(1, kAddress, "long", 3600, 0);
    cr_assert(others.find(1, kAddress, 3600 * kSecond).empty());
    cr_assert(others.empty());
    others.learn(1, kAddress, "short", 0, 0);
    cr_assert(others.find(1, kAddress, Domains::kShortestNs - 1) == "short");
    others.learn(1, kAddress, "forever", UINT32_MAX, 0);
    cr_assert(others.find(1, kAddress, Domains::kLongestNs).empty());
}

Test(domains, a_connection_in_use_keeps_its_name) {
    Domains domains(100);
    domains.learn(1, kAddress, "pool", 1, 0);
    for (unsigned minute = 1; minute < 120; minute++) {
        cr_assert(domains.find(1, kAddress, minute * 60 * kSecond) == "pool");
    }
    cr_assert(domains.find(1, kAddress, 125 * 60 * kSecond).empty());
}

Test(domains, a_full_table_forgets_what_is_not_used) {
    Domains domains(1000);
    domains.learn(1, kAddress, "used", 3600, 0);
    for (unsigned i = 0; i < 100'000; i++) {
        domains.learn(1, numbered(i), "n", 3600, 0);
        if (i % 100 == 0) cr_assert(domains.find(1, kAddress, 1) == "used");
        cr_assert_leq(domains.size(), 1000u);
    }
    cr_assert(domains.find(1, numbered(0), 1).empty());
    cr_assert(domains.find(1, numbered(99'999), 1) == "n");
}

Test(domains, none_are_kept_where_none_may_be) {
    Domains domains(0);
    domains.learn(1, kAddress, "x", 3600, 0);
    cr_assert(domains.find(1, kAddress, 1).empty());
}
