#include "plugin/flow/fold.h"

#include <criterion/criterion.h>

#include <array>

#include "plugin/flow/flow_table.h"
#include "plugin/flow/route_table.h"
#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

FlowOptions ceiling(std::size_t max_rows) {
    FlowOptions out;
    out.drop_loopback = false;
    out.max_rows = max_rows;
    return out;
}

bool is_other(const Batch& batch, const L4Row& row) {
    return batch.strings[batch.flows[row.flow].process] == kOther;
}

std::uint64_t loss(const Ledger& ledger, Loss which) {
    return ledger.totals()[static_cast<std::size_t>(which)];
}

// A connection to `port` that sends `bytes`.
void connect(FlowTable& table, std::uint16_t port, std::uint64_t bytes) {
    Ends ends;
    ends.remote_port = port;
    table.on_tcp(make_tcp(ends, WEIR_TCP_ESTABLISHED, bytes, 1));
}

}  // namespace

Test(fold, the_smallest_fold_wherever_they_stand) {
    Ledger ledger;
    FlowTable table(ceiling(10), ledger);
    for (std::uint16_t port = 1; port <= 500; port++) connect(table, port, port % 50 == 7 ? 1000 : 1);
    const auto batch = table.finish(0, 1);
    std::uint64_t bytes = 0, established = 0;
    unsigned others = 0, large = 0;
    for (const L4Row& row : batch->l4) {
        bytes += row.bytes_written;
        established += row.tcp_established;
        others += is_other(*batch, row);
        large += !is_other(*batch, row) && row.bytes_written == 1000;
    }
    cr_assert_eq(batch->flows.size(), 11u);
    cr_assert_eq(batch->l4.size(), 11u);
    cr_assert_eq(others, 1u);
    cr_assert_eq(large, 10u);
    cr_assert_eq(bytes, 10u * 1000 + 490);
    cr_assert_eq(established, 500u);
    cr_assert_eq(loss(ledger, Loss::flow_table_full), 490u);
}

Test(fold, a_flow_that_grows_late_is_kept) {
    Ledger ledger;
    FlowTable table(ceiling(4), ledger);
    connect(table, 999, 1);
    for (std::uint16_t port = 1; port <= 6; port++) connect(table, port, 10);
    connect(table, 999, 5000);
    for (const auto batch = table.finish(0, 1); const L4Row& row : batch->l4) {
        if (batch->flows[row.flow].remote_port == 999) {
            cr_assert_eq(row.bytes_written, 5001u);
            return;
        }
    }
    cr_assert_fail("the largest flow was folded");
}

Test(fold, below_the_ceiling_nothing_changes) {
    Ledger ledger;
    FlowTable table(ceiling(100), ledger);
    for (std::uint16_t port = 1; port <= 100; port++) connect(table, port, 1);
    const auto batch = table.finish(0, 1);
    cr_assert_eq(batch->flows.size(), 100u);
    cr_assert_eq(loss(ledger, Loss::flow_table_full), 0u);
}

Test(fold, one_other_for_each_direction_and_transport) {
    Ledger ledger;
    FlowTable table(ceiling(3), ledger);
    for (std::uint16_t port = 1; port <= 40; port++) {
        for (const weir_direction direction : {WEIR_INCOMING, WEIR_OUTGOING}) {
            Ends ends;
            ends.local_port = ends.remote_port = port;
            ends.direction = direction;
            table.on_tcp(make_tcp(ends, WEIR_TCP_ESTABLISHED, 3, 0));
            table.on_udp(make_udp(ends, 5, 0));
        }
    }
    const auto batch = table.finish(0, 1);
    std::array<std::uint64_t, 2> by_transport{};
    unsigned others = 0;
    for (const L4Row& row : batch->l4) {
        by_transport[batch->flows[row.flow].transport == Transport::udp] += row.bytes_written;
        others += is_other(*batch, row);
    }
    cr_assert_eq(others, 4u);
    cr_assert_eq(batch->flows.size(), 7u);
    cr_assert_eq(by_transport[0], 2u * 40 * 3);
    cr_assert_eq(by_transport[1], 2u * 40 * 5);
}

Test(fold, the_servers_side_of_local_pairs_stays_apart) {
    // sums that count a pair once leave it out, and go on to leave it out when it was folded
    Ledger ledger;
    FlowTable table(ceiling(1), ledger);
    Ends server = {"10.0.0.2", 80, "10.0.0.1", 40000, WEIR_INCOMING, "nginx", 7, true};
    for (std::uint16_t port = 1; port <= 30; port++) {
        server.local_port = port;
        server.peer_is_local = port % 2 == 0;
        table.on_tcp(make_tcp(server, WEIR_TCP_ESTABLISHED, 1, 0));
    }
    const auto batch = table.finish(0, 1);
    std::uint64_t paired = 0, alone = 0;
    for (const L4Row& row : batch->l4) {
        (batch->flows[row.flow].peer_is_local ? paired : alone) += row.bytes_written;
    }
    cr_assert_eq(paired, 15u);
    cr_assert_eq(alone, 15u);
    for (std::size_t i = 1; i < batch->flows.size(); i++) {
        cr_assert_neq(batch->flows[i].remote, batch->flows[i - 1].remote, "their tags must differ");
    }
}

Test(fold, requests_of_folded_flows_keep_their_class) {
    Ledger ledger;
    FlowTable table(ceiling(2), ledger);
    for (std::uint16_t port = 1; port <= 50; port++) {
        Ends ends;
        ends.remote_port = port;
        const auto record = make_http(ends, "GET", "/" + std::to_string(port), port % 2 ? 204 : 503, 10);
        table.on_http(record, head_of(record));
    }
    const auto batch = table.finish(0, 1);
    std::uint64_t good = 0, bad = 0, folded = 0;
    for (const L7Row& row : batch->l7) {
        (row.status / 100 == 2 ? good : bad) += row.count;
        if (batch->strings[row.path] == kOther) {
            folded += row.count;
            cr_assert_eq(row.status % 100, 0);
            cr_assert_eq(row.latency.count(), row.count);
        }
    }
    cr_assert_eq(good, 25u);
    cr_assert_eq(bad, 25u);
    cr_assert_geq(folded, 46u);
    cr_assert_leq(batch->l7.size(), 4u);
}

Test(fold, names_from_traffic_that_look_like_it_fold_too) {
    Ledger ledger;
    FlowTable table(ceiling(4), ledger);
    for (std::uint16_t port = 1; port <= 100; port++) {
        Ends ends;
        ends.remote_port = port;
        ends.process = "~other";
        table.on_tcp(make_tcp(ends, WEIR_TCP_ESTABLISHED, 1, 0));
        const auto record = make_http(ends, "GET", "~other", 200, 10);
        table.on_http(record, head_of(record));
    }
    const auto batch = table.finish(0, 1);
    cr_assert_leq(batch->flows.size(), 5u);
    cr_assert_leq(batch->l7.size(), 5u);
}

Test(fold, one_flow_whose_peer_becomes_known_as_local_stays_one) {
    Ledger ledger;
    FlowTable table(ceiling(100), ledger);
    Ends server = {"10.0.0.2", 80, "10.0.0.1", 40000, WEIR_INCOMING, "nginx", 7, false};
    table.on_tcp(make_tcp(server, 0, 1, 0));
    server.peer_is_local = true;
    table.on_tcp(make_tcp(server, WEIR_TCP_ESTABLISHED, 2, 0));
    const auto batch = table.finish(0, 1);
    cr_assert_eq(batch->flows.size(), 1u);
    cr_assert(batch->flows[0].peer_is_local);
    cr_assert_eq(batch->l4.at(0).bytes_written, 3u);
}
