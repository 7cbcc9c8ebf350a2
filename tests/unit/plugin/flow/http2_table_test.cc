// Chunks of HTTP/2 connections through the flow table.
#include "plugin/flow/http2_table.h"

#include <criterion/criterion.h>

#include "plugin/flow/flow_table.h"
#include "tests/unit/plugin/flow/records.h"
#include "tests/unit/plugin/protocol/http2_wire.h"

using namespace weir;
using namespace weir::test;

namespace {

constexpr unsigned kServer = WEIR_CHUNK_SERVER, kReceived = WEIR_CHUNK_RX;

FlowOptions options() {
    FlowOptions out;
    out.drop_loopback = false;
    return out;
}

// Both directions of a connection as one end sees them, as chunks.
class ChunkedConnection {
public:
    ChunkedConnection(FlowTable& table, std::uint64_t cookie, Ends ends, unsigned flags = WEIR_CHUNK_BEGIN)
        : table_(table), flags_(flags | (ends.direction == WEIR_INCOMING ? kServer : 0u)) {
        record_.kind = WEIR_RECORD_CHUNK;
        record_.id = make_id(ends);
        record_.cookie = cookie;
    }

    void client(const std::string& bytes) { send(true, bytes); }
    void server(const std::string& bytes) { send(false, bytes); }
    void end() {
        record_.flags = WEIR_CHUNK_END;
        record_.len = 0;
        table_.on_chunk(record_, {});
    }

private:
    void send(bool from_client, const std::string& bytes) {
        const bool is_received = from_client == ((flags_ & WEIR_CHUNK_SERVER) != 0);
        record_.flags = flags_ | (is_received ? kReceived : 0u);
        record_.offset = offset_[from_client];
        record_.len = static_cast<__u32>(bytes.size());
        record_.time += 1000;
        offset_[from_client] += bytes.size();
        table_.on_chunk(record_, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    }

    FlowTable& table_;
    const unsigned flags_;
    weir_chunk_record record_{};
    std::uint64_t offset_[2] = {};
};

Ends server_end() { return {"10.0.0.2", 80, "10.0.0.1", 40000, WEIR_INCOMING, "nginx", 7, false}; }

std::uint64_t lost(const Ledger& ledger, Loss loss) {
    return ledger.totals()[static_cast<std::size_t>(loss)];
}

std::uint64_t count(const Batch& batch) {
    std::uint64_t sum = 0;
    for (const L7Row& row : batch.l7) sum += row.count;
    return sum;
}

}  // namespace

Test(http2_table, requests_become_rows_at_both_ends) {
    for (const Ends& ends : {Ends{}, server_end()}) {
        Ledger ledger;
        FlowTable table(options(), ledger);
        ChunkedConnection connection(table, 1, ends);
        Peer client, server;
        connection.client(client_begin());
        connection.server(settings());
        for (const std::uint32_t id : {1u, 3u}) {
            connection.client(client.get(id, "/orders/17?secret"));
            connection.server(server.answer(id, "200"));
        }
        const auto batch = table.finish(1, 2);
        cr_assert_eq(batch->l7.size(), 1u);
        const L7Row& row = batch->l7[0];
        cr_assert(batch->strings[row.method] == "GET");
        cr_assert(batch->strings[row.path] == "/orders/17");
        cr_assert(batch->strings[row.route] == "/orders/{id}");
        cr_assert(to_string(row.version) == "2");
        cr_assert_eq(row.status, 200);
        cr_assert_eq(row.grpc_status, L7Row::kNoGrpcStatus);
        cr_assert_eq(row.count, 2u);
        cr_assert_eq(row.latency.count(), 2u);
        cr_assert_eq(row.latency.sum(), 2000u);
        cr_assert_eq(ends.direction == WEIR_OUTGOING, row.bytes_written > row.bytes_read);
    }
}

Test(http2_table, grpc_statuses_are_told_apart) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    ChunkedConnection connection(table, 1, {});
    Peer client, server;
    connection.client(client_begin());
    connection.server(settings());
    for (const std::uint32_t id : {1u, 3u, 5u}) {
        connection.client(client.headers(id, {{":method", "POST"}, {":path", "/s/M"}}, true));
        connection.server(
            server.headers(id, {{":status", "200"}, {"grpc-status", id == 3 ? "14" : "0"}}, true));
    }
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 2u);
    cr_assert_eq(batch->l7[0].grpc_status, 0);
    cr_assert_eq(batch->l7[0].count, 2u);
    cr_assert_eq(batch->l7[1].grpc_status, 14);
}

Test(http2_table, an_end_reports_what_is_open) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    ChunkedConnection connection(table, 1, {});
    Peer client;
    connection.client(client_begin() + client.get(1, "/a"));
    cr_assert_eq(count(*table.finish(1, 2)), 0u);
    connection.end();
    const auto batch = table.finish(2, 3);
    cr_assert_eq(count(*batch), 1u);
    cr_assert_eq(batch->l7[0].status, 0);
    cr_assert(batch->l7[0].latency.empty());
}

Test(http2_table, an_upgraded_request_is_reported_once_with_its_status) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    const auto switching = make_http({}, "GET", "/first", 101, 500);
    table.on_http(switching, head_of(switching));
    ChunkedConnection connection(table, 1, {}, WEIR_CHUNK_BEGIN | WEIR_CHUNK_UPGRADED);
    Peer client, server;
    connection.server(settings());
    connection.client(client_begin());
    connection.server(server.answer(1, "200"));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 1u);
    cr_assert(batch->strings[batch->l7[0].path] == "/first");
    cr_assert_eq(batch->l7[0].status, 200);
    cr_assert_gt(batch->l7[0].bytes_read, switching.response_bytes);
}

Test(http2_table, an_upgrade_to_something_else_stays_what_it_was) {
    Ledger ledger;
    FlowTable table(options(), ledger);
    const auto websocket = make_http({}, "GET", "/socket", 101, 500);
    table.on_http(websocket, head_of(websocket));
    const auto batch = table.finish(1, 2);
    cr_assert_eq(batch->l7.size(), 1u);
    cr_assert_eq(batch->l7[0].status, 101);
    // one that was reported before its connection was seen is not reported again
    ChunkedConnection connection(table, 1, {}, WEIR_CHUNK_BEGIN | WEIR_CHUNK_UPGRADED);
    Peer server;
    connection.server(settings() + server.answer(1, "200"));
    connection.end();
    cr_assert_eq(count(*table.finish(2, 3)), 0u);
}

Test(http2_table, connections_are_bounded_and_no_request_is_lost) {
    struct Counter final : RequestSink {
        void on_request(const weir_conn_id&, const Request& request) override { sum += request.count; }
        std::uint64_t sum = 0;
    } counter;
    Ledger ledger;
    Http2Table table(counter, ledger, {.connections = 10, .bytes = 1 << 20});
    for (std::uint64_t cookie = 1; cookie <= 100; cookie++) {
        Peer client;
        const std::string bytes = client_begin() + client.get(1, "/a");
        weir_chunk_record record{};
        record.cookie = cookie;
        record.id = make_id({});
        record.len = static_cast<__u32>(bytes.size());
        table.on_chunk(record, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
        cr_assert_leq(table.connection_count(), 10u);
    }
    cr_assert_eq(counter.sum, 90u);
    cr_assert_eq(lost(ledger, Loss::http2_connections_full), 90u);
}

Test(http2_table, what_is_left_out_of_l4_is_left_out_here) {
    Ledger ledger;
    FlowTable table({}, ledger);
    ChunkedConnection connection(table, 1, {.local = "127.0.0.1", .remote = "127.0.0.1"});
    Peer client, server;
    connection.client(client_begin() + client.get(1, "/a"));
    connection.server(settings() + server.answer(1, "200"));
    cr_assert_eq(count(*table.finish(1, 2)), 0u);
}
