#include "plugin/flow/flow_table.h"

#include <criterion/criterion.h>

#include <cerrno>

#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

FlowOptions options() {
    FlowOptions out;
    out.host = "h";
    out.service = "ebpf";
    out.drop_loopback = false;
    return out;
}

void add(FlowTable& table, const weir_http_record& record) { table.on_http(record, head_of(record)); }

Ends server_end() { return {"10.0.0.2", 80, "10.0.0.1", 40000, WEIR_INCOMING, "nginx", 7, false}; }

}  // namespace

Test(flow_table, adds_up_connections_of_one_flow) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    Ends ends;
    table.on_tcp(make_tcp(ends, WEIR_TCP_ESTABLISHED, 10, 20));
    ends.local_port = 40001;
    auto second = make_tcp(ends, WEIR_TCP_ESTABLISHED | WEIR_TCP_CLOSED, 1, 2);
    second.retransmits = 3;
    second.rtt = 150;
    second.rtt_var = 40;
    table.on_tcp(second);
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->flows.size(), 1u);
    cr_assert_eq(batch->l4.size(), 1u);
    const L4Row& row = batch->l4[0];
    cr_assert_eq(row.bytes_written, 11u);
    cr_assert_eq(row.bytes_read, 22u);
    cr_assert_eq(row.tcp_established, 2u);
    cr_assert_eq(row.tcp_closed, 1u);
    cr_assert_eq(row.retransmits, 3u);
    cr_assert_eq(row.rtt.count(), 1u, "0 is no sample");
    cr_assert_eq(row.rtt.max(), 150u);
    cr_assert_eq(batch->flows[0].local_port, 0, "the client's ephemeral port is folded");
    cr_assert_eq(batch->flows[0].remote_port, 80);
    cr_assert(table.finish(2, 3)->flows.empty(), "the next interval begins empty");
}

Test(flow_table, folds_the_clients_port_only) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    Ends server = server_end();
    server.local_port = 50000;  // a server on a high port
    table.on_tcp(make_tcp(server, WEIR_TCP_ESTABLISHED, 1, 1));
    Ends low;
    low.local_port = 88;  // a client on a low port
    table.on_tcp(make_tcp(low, WEIR_TCP_ESTABLISHED, 1, 1));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->flows[0].local_port, 50000);
    cr_assert_eq(batch->flows[0].remote_port, 0);
    cr_assert_eq(batch->flows[1].local_port, 88);
}

Test(flow_table, folding_can_be_switched_off) {
    Ledger ledger;
    FlowOptions unfolded = options();
    unfolded.ephemeral_port = 0;
    FlowTable table(unfolded, ledger);
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 1));
    cr_assert_eq(table.finish(1, 2)->flows[0].local_port, 40000);
}

Test(flow_table, drops_loopback_and_v6_when_asked) {
    Ledger ledger;
    FlowOptions strict = options();
    strict.drop_loopback = true;
    strict.drop_v6 = true;
    FlowTable table(strict, ledger);
    table.on_tcp(make_tcp({.local = "127.0.0.1", .remote = "127.0.0.1"}, WEIR_TCP_ESTABLISHED, 1, 1));
    table.on_tcp(make_tcp({.local = "::1", .remote = "::1"}, WEIR_TCP_ESTABLISHED, 1, 1));
    table.on_tcp(make_tcp({.local = "2001:db8::1", .remote = "2001:db8::2"}, WEIR_TCP_ESTABLISHED, 1, 1));
    table.on_tcp(
        make_tcp({.local = "::ffff:10.0.0.1", .remote = "::ffff:10.0.0.2"}, WEIR_TCP_ESTABLISHED, 1, 1));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->flows.size(), 1u, "v4-mapped counts as IPv4");
    cr_assert_not(batch->flows[0].is_v6);
}

Test(flow_table, requests_are_grouped_by_what_they_asked_and_got) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    add(table, make_http({}, "GET", "/a", 200, 1000));
    add(table, make_http({}, "GET", "/a", 200, 3000));
    add(table, make_http({}, "GET", "/a", 404, 10));
    add(table, make_http({}, "POST", "/a", 200, 10));
    add(table, make_http({}, "GET", "/order/123", 200, 10));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 4u);
    cr_assert_eq(batch->l7[0].count, 2u);
    cr_assert_eq(batch->l7[0].latency.sum(), 4000u);
    cr_assert_eq(batch->l7[0].bytes_written, 200u, "a client writes requests");
    cr_assert_eq(batch->l7[0].bytes_read, 2000u);
    cr_assert(batch->strings[batch->l7[3].route] == "/order/{id}");
    cr_assert(batch->l4.empty());
}

Test(flow_table, a_continued_request_adds_bytes_and_is_not_counted_again) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    add(table, make_http(server_end(), "GET", "/big", 200, 5));
    auto more = make_http(server_end(), "GET", "/big", 200, 5);
    more.count = more.latencies = 0;
    more.latency_sum = more.latency_max = 0;
    add(table, more);
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7[0].count, 1u);
    cr_assert_eq(batch->l7[0].latency.count(), 1u);
    cr_assert_eq(batch->l7[0].bytes_written, 2000u, "a server writes responses");
}

Test(flow_table, a_record_may_stand_for_many_requests) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    auto many = make_http({}, "GET", "/a", 200, 0);
    many.count = many.latencies = 3;
    for (std::size_t i = 0; i < 3; i++) many.latency[i] = Histogram::bucket_of(1000 * (i + 1));
    many.latency_sum = 6000;
    many.latency_max = 3000;
    add(table, many);
    Histogram expected;
    for (const std::uint64_t latency : {1000, 2000, 3000}) expected.add(latency);
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7[0].count, 3u);
    cr_assert(batch->l7[0].latency == expected);
}

Test(flow_table, requests_that_found_the_ring_full_keep_flow_class_count_and_latency) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    auto folded = make_http({}, "", "", 200, 5000);
    folded.flags |= WEIR_HTTP_FOLDED;
    folded.head_len = folded.method_len = 0;
    folded.count = 1;
    folded.latency[0] = Histogram::bucket_of(1000);
    add(table, folded);  // the first of a sum brings what all of them add up to
    folded.count = 4;
    folded.latency_sum = folded.latency_max = folded.request_bytes = folded.response_bytes = 0;
    folded.latency[0] = Histogram::bucket_of(900);
    add(table, folded);
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 1u);
    const L7Row& row = batch->l7[0];
    cr_assert_eq(row.count, 5u);
    cr_assert_eq(row.latency.count(), 5u);
    cr_assert_eq(row.latency.sum(), 5000u);
    cr_assert(batch->strings[row.path] == "~other");
    cr_assert_eq(batch->flows[row.flow].remote_port, 80);
    cr_assert_eq(ledger.totals()[static_cast<std::size_t>(Loss::record_malformed)], 0u);
}

Test(flow_table, no_response_has_no_latency) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    add(table, make_http({}, "GET", "/", 0, 0));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7[0].count, 1u);
    cr_assert(batch->l7[0].latency.empty());
}

Test(flow_table, a_full_table_folds_and_keeps_totals) {
    Ledger ledger;
    FlowOptions small = options();
    small.max_rows = 4;
    FlowTable table(small, ledger);
    Ends ends;
    for (std::uint16_t port = 1; port <= 100; port++) {
        ends.remote_port = port;
        table.on_tcp(make_tcp(ends, WEIR_TCP_ESTABLISHED, port, 1));
        add(table, make_http(ends, "GET", "/" + std::string(port, 'x').substr(0, 90), 200, 5));
    }
    const auto batch = table.finish(1, 2);
    cr_assert_leq(batch->flows.size(), 6u);
    cr_assert_leq(batch->l7.size(), 6u);
    std::uint64_t bytes = 0, established = 0, requests = 0;
    for (const L4Row& row : batch->l4) bytes += row.bytes_written, established += row.tcp_established;
    for (const L7Row& row : batch->l7) requests += row.count;
    cr_assert_eq(bytes, 5050u);
    cr_assert_eq(established, 100u);
    cr_assert_eq(requests, 100u);
    const LossCounts losses = ledger.totals();
    cr_assert_gt(losses[static_cast<std::size_t>(Loss::flow_table_full)], 0u);
    cr_assert_gt(losses[static_cast<std::size_t>(Loss::paths_folded)], 0u);
}

Test(flow_table, names_the_server_of_a_flow_that_stays_on_the_host) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    Ends server = server_end();
    server.peer_is_local = true;
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 1));
    table.on_tcp(make_tcp(server, WEIR_TCP_ESTABLISHED, 1, 1));
    auto batch = table.finish(1, 2);
    cr_assert(batch->flows[0].peer_is_local);
    cr_assert(batch->strings[batch->flows[0].peer_process] == "nginx");
    cr_assert(batch->flows[1].peer_is_local);
    // the server is still known when only the client has something to say
    table.on_tcp(make_tcp({}, 0, 1, 1));
    batch = table.finish(2, 3);
    cr_assert(batch->strings[batch->flows[0].peer_process] == "nginx");
}

Test(flow_table, hostile_names_become_utf8) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    add(table, make_http({.process = "a\xff\n"}, "GET", "/\xc3\x28", 200, 1));
    const auto batch = table.finish(1, 2);
    cr_assert(batch->strings[batch->l7[0].path] == "/\xEF\xBF\xBD(");
    cr_assert(batch->strings[batch->flows[0].process] == "a\xEF\xBF\xBD\n");
}

Test(flow_table, an_unknown_owner_is_in_the_ledger) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    table.on_tcp(make_tcp({.pid = 0}, WEIR_TCP_ESTABLISHED, 1, 1));
    cr_assert_eq(ledger.totals()[static_cast<std::size_t>(Loss::owner_unknown)], 1u);
}

Test(flow_table, merged_batches_are_the_sum) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 10, 1));
    add(table, make_http({}, "GET", "/a", 200, 1000));
    const auto first = table.finish(100, 200);
    table.on_tcp(make_tcp({}, WEIR_TCP_CLOSED, 5, 1));
    table.on_tcp(make_tcp({.remote = "10.0.0.9"}, WEIR_TCP_ESTABLISHED, 7, 1));
    add(table, make_http({}, "GET", "/a", 200, 2000));
    const auto second = table.finish(200, 300);
    BatchBuilder builder;
    builder.add(*first);
    builder.add(*second);
    const auto sum = builder.take();
    cr_assert_eq(sum->begin_ns, 100);
    cr_assert_eq(sum->end_ns, 300);
    cr_assert(sum->host == "h" && sum->service == "ebpf");
    cr_assert_eq(sum->l4.size(), 2u);
    cr_assert_eq(sum->l4[0].bytes_written, 15u);
    cr_assert_eq(sum->l4[0].tcp_closed, 1u);
    cr_assert_eq(sum->l7.size(), 1u);
    cr_assert_eq(sum->l7[0].count, 2u);
    cr_assert_eq(sum->l7[0].latency.sum(), 3000u);
}

Test(flow_table, udp_is_a_flow_of_its_own) {
    Ledger ledger;
    FlowTable table({}, ledger);
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 2));
    table.on_udp(make_udp({}, 10, 20));
    table.on_udp(make_udp({}, 1, 2));
    const auto batch = table.finish(0, 1);
    cr_assert_eq(batch->l4.size(), 2u);
    cr_assert(batch->flows[batch->l4[1].flow].transport == Transport::udp);
    cr_assert_eq(batch->l4[1].bytes_written, 11u);
    cr_assert_eq(batch->l4[1].bytes_read, 22u);
}

Test(flow_table, failed_connects_have_a_reason) {
    Ledger ledger;
    FlowTable table({}, ledger);
    const auto failed = [&](int error) {
        auto record = make_tcp({}, WEIR_TCP_FAILED, 0, 0);
        record.error = static_cast<std::uint32_t>(error);
        table.on_tcp(record);
    };
    for (const int error : {ECONNREFUSED, ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, 0, EIO})
        failed(error);
    const auto batch = table.finish(0, 1);
    const L4Row& row = batch->l4.at(0);
    cr_assert_eq(row.connect_failed, 7u);
    cr_assert_eq(row.connect_refused, 2u);
    cr_assert_eq(row.connect_timed_out, 1u);
    cr_assert_eq(row.connect_unreachable, 2u);
    cr_assert_eq(row.connect_reset, 1u);
    cr_assert_eq(row.connect_failed_other, 1u);
}

namespace {

struct KnowsAll final : Identity {
    std::string learned;
    std::uint32_t error_of_route = 0;

    void learn_domain(std::uint32_t, const Address& address, std::string_view name, std::uint32_t ttl_s,
                      std::uint64_t) override {
        learned = std::string(name) + " " + address.to_string() + " " + std::to_string(ttl_s);
    }
    std::string_view domain(std::uint32_t, const Address&, std::uint64_t) override { return "shop.example"; }
    std::optional<Translation> translation(const weir_conn_id&, std::uint64_t) override {
        return Translation{Address::v4(10, 1, 1, 1), 8080};
    }
    std::optional<Address> source(const weir_conn_id& id, std::uint64_t) override {
        cr_assert_eq(id.transport, IPPROTO_UDP, "others have theirs");
        return Address::v4(10, 0, 0, 9);
    }
    std::uint32_t route_error(const weir_conn_id&, std::uint64_t) override { return error_of_route; }
    std::optional<Address> client_behind(const weir_conn_id& id) override {
        if (id.remote_port != 61000) return std::nullopt;
        return Address::parse("10.0.0.1");
    }
    std::string_view container(std::uint64_t cgroup, std::uint32_t, std::uint64_t) override {
        return cgroup == 5 ? "abc" : "";
    }
};

weir_dns_record dns_record(const Ends& ends, bool is_sent, std::uint64_t time) {
    weir_dns_record record{};
    record.kind = WEIR_RECORD_DNS;
    record.flags = is_sent ? WEIR_DNS_SENT : 0;
    record.time = time;
    record.id = make_id(ends);
    record.id.transport = IPPROTO_UDP;
    return record;
}

}  // namespace

Test(flow_table, connects_without_a_syn_fail_as_the_route_says) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    auto record = make_tcp({}, WEIR_TCP_FAILED | WEIR_TCP_UNSENT, 0, 0);
    for (const std::uint32_t error : {ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, 0}) {
        identity.error_of_route = error;
        table.on_tcp(record);
    }
    identity.error_of_route = ENETUNREACH;
    record.error = EADDRNOTAVAIL;  // its own, which the route knows nothing of
    table.on_tcp(record);
    const auto batch = table.finish(0, 1);
    const L4Row& row = batch->l4.at(0);
    cr_assert_eq(row.connect_failed, 6u);
    cr_assert_eq(row.connect_unreachable, 4u);
    cr_assert_eq(row.connect_failed_other, 2u);
}

Test(flow_table, datagrams_of_unbound_sockets_have_the_address_that_they_go_from) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    weir_udp_record record{};
    record.kind = WEIR_RECORD_UDP;
    record.id = make_id({});
    record.id.transport = IPPROTO_UDP;
    record.id.direction = WEIR_OUTGOING;
    record.bytes_sent = 5;
    // what it sends to, on this host, knows it for the host's own, though it comes first
    weir_udp_record server = record;
    server.id.direction = WEIR_INCOMING;
    std::swap(server.id.local, server.id.remote);
    std::swap(server.id.local_port, server.id.remote_port);
    const Address source = Address::v4(10, 0, 0, 9);
    std::copy(source.bytes.begin(), source.bytes.end(), std::begin(server.id.remote));
    table.on_udp(server);
    for (const bool is_v6 : {false, true}) {
        std::fill(std::begin(record.id.local), std::end(record.id.local), __u8{0});
        if (!is_v6) record.id.local[10] = record.id.local[11] = 0xff;
        table.on_udp(record);
    }
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l4.size(), 2u);
    cr_assert(batch->flows[batch->l4[0].flow].peer_is_local);
    const Flow& client = batch->flows[batch->l4[1].flow];
    cr_assert(client.local == source && batch->l4[1].bytes_written == 10);
}

Test(flow_table, tells_who_the_ends_are) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    auto client = make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 1);
    client.id.cgroup = 5;
    table.on_tcp(client);
    table.on_tcp(make_tcp(server_end(), WEIR_TCP_ESTABLISHED, 1, 1));
    const auto batch = table.finish(1, 2);
    const Flow& out = batch->flows[0];
    cr_assert(batch->strings[out.container] == "abc");
    cr_assert(batch->strings[out.domain] == "shop.example");
    cr_assert(out.nat == Address::v4(10, 1, 1, 1));
    cr_assert_eq(out.nat_port, 8080u);
    const Flow& in = batch->flows[1];
    cr_assert_eq(in.container, 0u);
    cr_assert_eq(in.domain, 0u, "only the remote end of an outgoing flow");
    cr_assert_not(in.is_translated());
}

Test(flow_table, lookups_are_rows_and_teach_names) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    const Ends ends{.remote_port = 53};
    const std::uint8_t query[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'h', 0, 0, 1, 0, 1};
    const std::uint8_t answer[] = {0, 7,    0x81, 0x80, 0, 1, 0, 1, 0, 0, 0,  0, 1, 'h', 0, 0, 1, 0,
                                   1, 0xc0, 12,   0,    1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    table.on_dns(dns_record(ends, true, 1000), query);
    table.on_dns(dns_record(ends, false, 3000), answer);
    table.on_dns(dns_record(ends, true, 4000), query);
    table.expire(4000 + options().dns.timeout_ns);
    const auto batch = table.finish(1, 2);
    cr_assert(identity.learned == "h 192.0.2.1 60");
    cr_assert_eq(batch->dns.size(), 2u);
    cr_assert_eq(batch->dns[0].rcode, 0);
    cr_assert_eq(batch->dns[0].latency.max(), 2000u);
    cr_assert_eq(batch->dns[1].rcode, DnsRow::kTimeout);
    cr_assert_eq(batch->dns[1].count, 1u);
    cr_assert(batch->dns[1].latency.empty());
    cr_assert_eq(batch->flows.size(), 1u);
    cr_assert(batch->flows[0].is_client());
}

Test(flow_table, a_masqueraded_client_of_this_host_is_known) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    Ends masked = server_end();
    masked.remote = "172.16.0.1";
    masked.remote_port = 61000;
    table.on_tcp(make_tcp(masked, WEIR_TCP_ESTABLISHED, 1, 1));
    cr_assert_not(table.finish(1, 2)->flows[0].peer_is_local, "nobody connects from 10.0.0.1 here");
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 1));
    table.on_tcp(make_tcp(masked, 0, 1, 1));
    cr_assert(table.finish(2, 3)->flows[1].peer_is_local);
}

Test(flow_table, names_the_server_behind_a_translation) {
    Ledger ledger;
    KnowsAll identity;
    FlowTable table(options(), ledger, &identity);
    table.on_tcp(make_tcp({.remote = "10.96.0.1"}, WEIR_TCP_ESTABLISHED, 1, 1));
    Ends backend{"10.1.1.1", 8080, "10.0.0.1", 40000, WEIR_INCOMING, "backend", 9, true};
    table.on_tcp(make_tcp(backend, WEIR_TCP_ESTABLISHED, 1, 1));
    const auto batch = table.finish(1, 2);
    cr_assert(batch->flows[0].remote == Address::v4(10, 96, 0, 1));
    cr_assert(batch->strings[batch->flows[0].peer_process] == "backend");
}

Test(flow_table, routes_are_bounded_for_each_server_and_patterns_come_first) {
    Ledger ledger;
    FlowOptions few = options();
    few.routes = {{"/users/{name}"}, 2};
    FlowTable table(few, ledger);
    for (const char* path : {"/users/anna", "/a", "/b", "/c", "/a"})
        add(table, make_http({}, "GET", path, 200, 1));
    add(table, make_http({.remote_port = 81}, "GET", "/c", 200, 1));
    const auto batch = table.finish(1, 2);
    const char* const routes[] = {"/users/{name}", "/a", "/b", "~other", "/c"};
    cr_assert_eq(batch->l7.size(), std::size(routes));
    for (std::size_t i = 0; i < std::size(routes); i++) {
        cr_assert(batch->strings[batch->l7[i].route] == routes[i], "%zu", i);
    }
    cr_assert(batch->strings[batch->l7[3].path] == "/c", "the path stays");
    BatchBuilder merged;
    merged.add(*batch);
    merged.add(*batch);
    const auto sum = merged.take();
    cr_assert(sum->strings[sum->l7[3].route] == "~other", "a merged row keeps its route");
}

Test(flow_table, hidden_segments_are_nowhere) {
    Ledger ledger;
    FlowOptions secretive = options();
    secretive.redact = {"reset/*"};
    FlowTable table(secretive, ledger);
    add(table, make_http({}, "GET", "/reset/hunter", 200, 1));
    add(table, make_http({}, "GET", "/reset/hunter2", 200, 1));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 1u);
    for (StringId id = 0; id < batch->strings.size(); id++) {
        cr_assert(batch->strings[id].find("hunter") == std::string_view::npos);
    }
    cr_assert(batch->strings[batch->l7[0].path] == "/reset/{redacted}");
}

Test(flow_table, leaves_out_what_the_filter_says) {
    Ledger ledger;
    FlowOptions filtered = options();
    filtered.filter =
        std::make_shared<const FlowFilter>(*FlowFilter::parse("dst_port == 80 && process_name == 'curl'"));
    FlowTable table(filtered, ledger);
    table.on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 1));
    add(table, make_http({}, "GET", "/", 200, 1));
    table.on_tcp(make_tcp({.process = "wget"}, WEIR_TCP_ESTABLISHED, 1, 1));
    cr_assert_eq(table.finish(1, 2)->flows.size(), 1u);
    cr_assert_eq(table.filtered(), 2u);
    for (const auto lost : ledger.totals()) cr_assert_eq(lost, 0u, "it is no loss");
}
