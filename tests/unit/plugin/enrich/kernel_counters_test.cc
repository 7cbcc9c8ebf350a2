#include "plugin/enrich/kernel_counters.h"

#include <criterion/criterion.h>

#include <algorithm>
#include <string>

#include "plugin/enrich/namespaces.h"
#include "plugin/enrich/reconciliation.h"

using namespace weir;
using namespace weir::enrich;

namespace {

constexpr const char* kSnmp =
    "Ip: Forwarding DefaultTTL\nIp: 2 64\n"
    "Tcp: RtoAlgorithm MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs "
    "RetransSegs\n"
    "Tcp: 1 -1 11 12 13 14 2 100 200 15\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams\nUdp: 16 1 2 17\n"
    "UdpLite: InDatagrams NoPorts InErrors OutDatagrams\nUdpLite: 900 1 2 901\n";
constexpr const char* kSnmp6 = "Ip6InReceives    5\nUdp6InDatagrams      100\nUdp6OutDatagrams\t200\n";

std::shared_ptr<CounterFiles> own_files(std::uint32_t netns) {
    return std::make_shared<CounterFiles>(netns, "/proc/thread-self/net");
}

}  // namespace

Test(kernel_counters, are_read_from_the_kernels_text) {
    const auto counts = parse_kernel_counts(kSnmp, kSnmp6);
    cr_assert(counts.has_value());
    cr_assert(*counts == (KernelCounts{11, 12, 13, 14, 15, 116, 217}));
    cr_assert_eq(parse_kernel_counts(kSnmp, "")->at(5), 16u, "without IPv6");
}

Test(kernel_counters, what_is_not_that_text_is_nothing) {
    cr_assert_not(parse_kernel_counts("", "").has_value());
    cr_assert_not(parse_kernel_counts("Tcp: ActiveOpens\nTcp: x\n", "").has_value());
    cr_assert_not(parse_kernel_counts("Tcp: ActiveOpens\nUdp: 1\n", "").has_value());
    std::string cut(kSnmp);
    while (!cut.empty()) {
        cut.pop_back();
        parse_kernel_counts(cut, cut);
    }
}

Test(kernel_counters, of_this_namespace_and_after_it_is_let_go) {
    const auto files = own_files(own_namespace());
    const auto before = files->read();
    cr_assert(before.has_value());
    files->close();
    const auto last = files->read();
    cr_assert(last.has_value());
    for (std::size_t i = 0; i < kKernelCounters; i++) cr_assert_geq((*last)[i], (*before)[i]);
    cr_assert(files->read() == last, "they stand still");
}

Test(reconciliation, only_namespaces_that_are_known_from_begin_to_end) {
    Reconciliation reconciliation(true);
    const auto own = own_files(1), late = own_files(2);
    SeenCounts::ByNetns seen;
    seen[1] = {1, 2, 3, 4, 5, 6, 7};
    seen[2] = {100, 100, 100, 100, 100, 100, 100};
    seen[3] = {100, 100, 100, 100, 100, 100, 100};
    const auto first = reconciliation.finish({own}, seen);
    for (const auto& counter : first)
        cr_assert_not(counter.has_value(), "where it begins nothing is compared");
    const auto second = reconciliation.finish({own, late}, seen);
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        cr_assert(second[i].has_value());
        cr_assert_eq(second[i]->seen, i + 1);
    }
    late->close();
    const auto third = reconciliation.finish({own}, seen);
    cr_assert_eq(third[0]->seen, 101u, "a namespace that went has left its last counts");
    cr_assert_eq(reconciliation.finish({own}, seen)[0]->seen, 1u);
}

Test(reconciliation, what_is_not_followed_is_not_compared) {
    Reconciliation reconciliation(false);
    const auto own = own_files(1);
    reconciliation.finish({own}, {});
    const auto out = reconciliation.finish({own}, {});
    cr_assert(out[0].has_value());
    cr_assert_not(out[static_cast<std::size_t>(KernelCounter::udp_in_datagrams)].has_value());
    cr_assert_not(out[static_cast<std::size_t>(KernelCounter::udp_out_datagrams)].has_value());
}

Test(namespaces, this_one_is_found_and_entered) {
    const auto found = find_namespaces().all;
    const std::uint32_t own = own_namespace();
    cr_assert_neq(own, 0u);
    const auto at =
        std::find_if(found.begin(), found.end(), [&](const auto& one) { return one.inode == own; });
    cr_assert(at != found.end());
    bool was_there = false;
    cr_assert(in_namespace(*at, [&] { was_there = true; }).has_value());
    cr_assert(was_there);
    const auto gone = in_namespace({1, "/proc/1/ns/none"}, [] {});
    cr_assert_not(gone.has_value());
    cr_assert_eq(gone.error().code, ErrorCode::unsupported);
}
