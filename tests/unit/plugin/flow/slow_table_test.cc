#include "plugin/flow/slow_table.h"

#include <criterion/criterion.h>

#include <algorithm>

#include "plugin/flow/flow_table.h"
#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint64_t kMinute = 60'000'000'000;

ServerKey server(std::uint16_t port) { return {Address::v4(10, 0, 0, 1), 0, port}; }

std::vector<std::uint64_t> drained(SlowTable& table) {
    std::vector<std::uint64_t> out;
    table.drain([&](const SlowRow& row) { out.push_back(row.latency); });
    std::sort(out.begin(), out.end());
    return out;
}

using Latencies = std::vector<std::uint64_t>;

}  // namespace

Test(slow_table, keeps_the_slowest_few_of_a_server) {
    Ledger ledger;
    SlowTable table(ledger, {.per_server = 3, .servers = 10});
    for (const std::uint64_t latency : {5, 1, 9, 2, 8, 7, 7, 3}) table.add(server(80), false, latency, 1);
    table.add(server(81), false, 4, 1);
    table.add(server(80), true, 6, 1);
    cr_assert(drained(table) == (Latencies{4, 6, 7, 8, 9}));
    cr_assert(drained(table).empty());
}

Test(slow_table, an_interval_reports_what_is_slow_in_its_minute) {
    Ledger ledger;
    SlowTable table(ledger, {.per_server = 2, .servers = 10});
    table.add(server(80), false, 50, 1);
    table.add(server(80), false, 40, 1);
    drained(table);
    cr_assert_null(table.add(server(80), false, 30, 2), "two slower ones were in this minute");
    cr_assert_not_null(table.add(server(80), false, 45, 2));
    cr_assert(drained(table) == Latencies{45});
    cr_assert_not_null(table.add(server(80), false, 1, kMinute), "a new minute");
}

Test(slow_table, servers_are_bounded_and_idle_ones_go) {
    Ledger ledger;
    SlowTable table(ledger, {.per_server = 2, .servers = 2});
    table.add(server(1), false, 1, 1);
    table.add(server(2), false, 1, 1);
    cr_assert_null(table.add(server(3), false, 1, 1));
    cr_assert_eq(ledger.totals()[static_cast<std::size_t>(Loss::slow_servers_full)], 1u);
    drained(table);
    drained(table);
    cr_assert_not_null(table.add(server(3), false, 1, 1));
}

Test(slow_table, the_networks_part_of_a_latency) {
    Request request;
    request.latency_max = 1'000'000'000;
    cr_assert_eq(network_stall(request), 0u);
    request.evidence.rtt = 30'000;
    cr_assert_eq(network_stall(request), 30'000'000u);
    request.evidence.retransmits = 2;
    cr_assert_eq(network_stall(request), 430'000'000u);
    request.evidence.retransmits = 4'000'000'000;
    cr_assert_eq(network_stall(request), request.latency_max, "never more than all of it");
    request.latency_max = 100'000'000;
    request.evidence.retransmits = 1;
    cr_assert_eq(network_stall(request), 90'000'000u, "too short for a timer");
    request.is_server = true;
    cr_assert_eq(network_stall(request), 0u);
}

Test(slow_table, rows_of_a_batch_have_their_evidence) {
    Ledger ledger;
    FlowTable table(FlowOptions(), ledger);
    for (std::uint64_t i = 0; i < 100; i++) {
        auto record = make_http({}, "GET", "/orders/" + std::to_string(i), 200, 1000 + i);
        record.time = 5'000;
        record.total = 9'000 + i;
        record.age = 77;
        record.retransmits = 3;
        record.rtt = 250;
        record.unread = 11;
        record.unsent = 12;
        table.on_http(record, head_of(record));
    }
    auto hanging = make_http({}, "GET", "/hanging", 0, 0);
    table.on_http(hanging, head_of(hanging));
    table.expire(8'000);
    const auto batch = table.finish(1, 1'000'000);
    cr_assert_eq(batch->slow.size(), 5u);
    for (const SlowRow& row : batch->slow) {
        cr_assert_geq(row.latency, 1095u);
        cr_assert(batch->strings[row.path] == "/orders/" + std::to_string(row.latency - 1000));
        cr_assert(batch->strings[row.route] == "/orders/{id}");
        cr_assert(batch->strings[row.method] == "GET");
        cr_assert_eq(row.status, 200);
        cr_assert(row.version == HttpVersion::http11);
        cr_assert_eq(row.time_ns, 1'000'000 - 3'000, "wall time");
        cr_assert_eq(row.total, row.latency + 8'000);
        cr_assert_eq(row.retransmits, 3u);
        cr_assert_eq(row.rtt, 250u);
        cr_assert_eq(row.unread_bytes, 11u);
        cr_assert_eq(row.unsent_bytes, 12u);
        cr_assert_eq(row.connection_age, 77u);
        cr_assert_eq(row.network_stall, row.latency, "250 us are more than all of it");
    }
    cr_assert(table.finish(2, 3)->slow.empty());
}
