#include "plugin/flow/seen_counts.h"

#include <criterion/criterion.h>

#include <cerrno>

#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

const Ends kServer{"10.0.0.2", 80, "10.0.0.1", 40000, WEIR_INCOMING, "nginx", 7, false};

weir_tcp_record tcp(const Ends& ends, std::uint32_t flags, std::uint32_t error = 0,
                    std::uint32_t retransmits = 0) {
    weir_tcp_record record = make_tcp(ends, flags, 0, 0);
    record.error = error;
    record.retransmits = retransmits;
    return record;
}

}  // namespace

Test(seen_counts, are_those_that_the_kernel_counts) {
    SeenCounts seen;
    const auto add = [&](const weir_tcp_record& record) { seen.add(record); };
    add(tcp({}, WEIR_TCP_ESTABLISHED, 0, 2));
    add(tcp({}, WEIR_TCP_ESTABLISHED | WEIR_TCP_ADOPTED));  // its SYN is long ago
    add(tcp({}, WEIR_TCP_ESTABLISHED | WEIR_TCP_CLOSED | WEIR_TCP_RESET, 0, 1));
    add(tcp({}, WEIR_TCP_CLOSED));
    add(tcp({}, WEIR_TCP_FAILED | WEIR_TCP_RESET, ECONNREFUSED));
    add(tcp({}, WEIR_TCP_FAILED, ETIMEDOUT));  // its program gave up
    add(tcp({}, WEIR_TCP_FAILED | WEIR_TCP_UNSENT, EADDRNOTAVAIL));
    add(tcp({}, WEIR_TCP_FAILED | WEIR_TCP_UNSENT));
    add(tcp(kServer, WEIR_TCP_ESTABLISHED));
    add(tcp(kServer, WEIR_TCP_ESTABLISHED | WEIR_TCP_ADOPTED));
    add(tcp(kServer, WEIR_TCP_CLOSED | WEIR_TCP_RESET));
    const auto counts = seen.take();
    cr_assert_eq(counts.size(), 1u);
    const SeenCounts::Counts expected = {4, 1, 1, 2, 3, 0, 0};
    cr_assert(counts.begin()->second == expected);
    cr_assert(seen.take().empty());
}

Test(seen_counts, by_namespace) {
    SeenCounts seen;
    weir_udp_record record{};
    record.id.netns = 7;
    record.datagrams_sent = 3;
    record.datagrams_received = 5;
    seen.add(record);
    seen.add(tcp({}, WEIR_TCP_ESTABLISHED));
    const auto counts = seen.take();
    cr_assert_eq(counts.size(), 2u);
    cr_assert_eq(counts.at(7)[5], 5u);
    cr_assert_eq(counts.at(7)[6], 3u);
}
