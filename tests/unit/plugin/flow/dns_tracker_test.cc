#include "plugin/flow/dns_tracker.h"

#include <criterion/criterion.h>

#include <string>

#include "plugin/flow/batch.h"
#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

struct Outcome {
    std::string remote;
    int direction;
    int rcode;
    std::uint64_t latency;
};

struct Recorder final : DnsListener {
    std::vector<Outcome> lookups;
    std::vector<std::string> answers;

    void on_lookup(const weir_conn_id& id, std::int16_t rcode, std::uint64_t latency) override {
        Address remote;
        std::copy(std::begin(id.remote), std::end(id.remote), remote.bytes.begin());
        lookups.push_back({remote.to_string(), id.direction, rcode, latency});
    }
    void on_answer(const weir_conn_id&, const protocol::DnsMessage& answer, std::uint64_t) override {
        answers.push_back(answer.name);
    }
};

struct Setup {
    Recorder seen;
    Ledger ledger;
    DnsTracker tracker{seen, ledger};

    void message(const Ends& ends, bool is_sent, std::uint64_t time, std::vector<std::uint8_t> bytes,
                 std::uint8_t transport = IPPROTO_UDP) {
        weir_dns_record record{};
        record.kind = WEIR_RECORD_DNS;
        record.flags = is_sent ? WEIR_DNS_SENT : 0;
        record.time = time;
        record.id = make_id(ends);
        record.id.transport = transport;
        record.id.direction = WEIR_DIRECTION_UNKNOWN;
        tracker.add(record, bytes);
    }
    std::uint64_t lost(Loss loss) const { return ledger.totals()[static_cast<std::size_t>(loss)]; }
};

// With its question, a name of one label.
std::vector<std::uint8_t> dns(std::uint16_t id, bool is_response, std::uint8_t rcode = 0,
                              std::string_view label = "host") {
    std::vector<std::uint8_t> out;
    for (const int byte : {id >> 8, id & 0xff, is_response ? 0x81 : 0x01, int{rcode}, 0, 1, 0, 0, 0, 0, 0, 0,
                           static_cast<int>(label.size())})
        out.push_back(static_cast<std::uint8_t>(byte));
    for (const char c : label) out.push_back(static_cast<std::uint8_t>(c));
    for (const int byte : {0, 0, 1, 0, 1}) out.push_back(static_cast<std::uint8_t>(byte));
    return out;
}

std::vector<std::uint8_t> over_tcp(std::vector<std::uint8_t> message) {
    message.insert(message.begin(), {0, static_cast<std::uint8_t>(message.size())});
    return message;
}

Ends client(const char* server = "10.0.0.53", std::uint16_t port = 40000) {
    return {.local = "0.0.0.0", .local_port = port, .remote = server, .remote_port = 53};
}

Ends server(const char* asker = "10.0.0.9", std::uint16_t port = 40000) {
    return {.local = "10.0.0.53", .local_port = 53, .remote = asker, .remote_port = port};
}

}  // namespace

Test(dns_tracker, a_query_and_its_answer) {
    Setup s;
    s.message(client(), true, 100 * kMs, dns(1, false));
    s.message(client(), false, 103 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert(s.seen.lookups[0].remote == "10.0.0.53");
    cr_assert_eq(s.seen.lookups[0].direction, WEIR_OUTGOING);
    cr_assert_eq(s.seen.lookups[0].rcode, 0);
    cr_assert_eq(s.seen.lookups[0].latency, 3 * kMs);
    cr_assert(s.seen.answers == std::vector<std::string>{"host"});
    s.message(client(), false, 104 * kMs, dns(1, true));
    s.tracker.expire(100'000 * kMs);
    cr_assert_eq(s.seen.lookups.size(), 1u, "a second answer is none");
}

Test(dns_tracker, the_servers_end) {
    Setup s;
    s.message(server(), false, 1 * kMs, dns(1, false));
    s.message(server("10.0.0.10"), false, 2 * kMs, dns(1, false));
    s.message(server(), true, 4 * kMs, dns(1, true, 3));
    s.message(server("10.0.0.10"), true, 5 * kMs, dns(1, true, 2));
    cr_assert_eq(s.seen.lookups.size(), 2u);
    cr_assert_eq(s.seen.lookups[0].direction, WEIR_INCOMING);
    cr_assert_eq(s.seen.lookups[0].rcode, 3);
    cr_assert_eq(s.seen.lookups[0].latency, 3 * kMs);
    cr_assert(s.seen.lookups[1].remote == "10.0.0.10");
    cr_assert(s.seen.answers.empty(), "who answers learns nothing");
}

Test(dns_tracker, two_servers_of_one_namespace_asked_from_one_socket) {
    Setup s;
    Ends silent = server();
    silent.local = "10.0.0.54";
    s.message(silent, false, 0, dns(1, false));
    s.message(server(), false, 0, dns(1, false));
    s.message(server(), true, 1 * kMs, dns(1, true));
    s.tracker.expire(60'000 * kMs);
    cr_assert_eq(s.seen.lookups.size(), 2u);
    cr_assert_eq(s.seen.lookups[0].latency, 1 * kMs);
    cr_assert_eq(s.seen.lookups[1].rcode, DnsRow::kTimeout);
    Ends unbound = server();
    unbound.local = "0.0.0.0";
    s.message(unbound, false, 70'000 * kMs, dns(1, false));
    s.message(server(), true, 70'001 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 3u, "a socket may show its address in one direction only");
}

Test(dns_tracker, no_answer_in_time) {
    Setup s;
    s.message(client(), true, 100 * kMs, dns(1, false));
    s.tracker.expire(5'099 * kMs);
    cr_assert(s.seen.lookups.empty());
    s.tracker.expire(5'100 * kMs);
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert_eq(s.seen.lookups[0].rcode, DnsRow::kTimeout);
    s.message(client(), false, 5'200 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 1u);
}

Test(dns_tracker, an_answer_after_its_time_is_a_timeout_that_still_teaches) {
    Setup s;
    s.message(client(), true, 0, dns(1, false));
    s.message(client(), false, 6'000 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert_eq(s.seen.lookups[0].rcode, DnsRow::kTimeout);
    cr_assert_eq(s.seen.answers.size(), 1u);
}

Test(dns_tracker, asked_again_in_time_is_one_lookup) {
    Setup s;
    s.message(client(), true, 0, dns(1, false));
    s.message(client(), true, 2'000 * kMs, dns(1, false));
    s.message(client(), false, 2'001 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert_eq(s.seen.lookups[0].latency, 2'001 * kMs, "what the program waited");
}

Test(dns_tracker, asked_again_after_the_time_is_another) {
    Setup s;
    s.message(client(), true, 0, dns(1, false));
    s.message(client(), true, 5'000 * kMs, dns(1, false));
    s.message(client(), false, 5'001 * kMs, dns(1, true));
    cr_assert_eq(s.seen.lookups.size(), 2u);
    cr_assert_eq(s.seen.lookups[0].rcode, DnsRow::kTimeout);
    cr_assert_eq(s.seen.lookups[1].latency, 1 * kMs);
}

Test(dns_tracker, several_servers_asked_at_once_and_the_first_good_answer) {
    Setup s;
    for (const char* address : {"10.0.0.53", "10.0.0.54", "10.0.0.55"})
        s.message(client(address), true, 0, dns(1, false));
    s.message(client("10.0.0.55"), false, 1 * kMs, dns(1, true, 2));  // SERVFAIL: it goes on waiting
    s.message(client("10.0.0.54"), false, 2 * kMs, dns(1, true, 3));
    s.tracker.expire(60'000 * kMs);
    cr_assert_eq(s.seen.lookups.size(), 2u, "10.0.0.53 was not waited for");
    cr_assert(s.seen.lookups[0].remote == "10.0.0.55");
    cr_assert_eq(s.seen.lookups[0].rcode, 2);
    cr_assert(s.seen.lookups[1].remote == "10.0.0.54");
}

Test(dns_tracker, two_questions_with_one_id_are_two_lookups) {
    Setup s;
    s.message(client(), true, 0, dns(1, false, 0, "a"));
    s.message(client("10.0.0.53", 40001), true, 0, dns(1, false, 0, "b"));
    s.message(client("10.0.0.53", 40001), false, 1 * kMs, dns(1, true, 0, "b"));
    s.message(client(), false, 2 * kMs, dns(1, true, 0, "other"));
    cr_assert_eq(s.seen.lookups.size(), 1u, "an answer to what was not asked is none");
    s.message(client(), false, 2 * kMs, dns(1, true, 0, "a"));
    cr_assert_eq(s.seen.lookups.size(), 2u);
}

Test(dns_tracker, an_error_may_leave_out_the_question) {
    Setup s;
    s.message(client(), true, 0, dns(9, false));
    s.message(client(), false, 1 * kMs, {0, 9, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0});
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert_eq(s.seen.lookups[0].rcode, 1);
}

Test(dns_tracker, over_tcp_in_pieces) {
    Setup s;
    const auto query = over_tcp(dns(1, false)), answer = over_tcp(dns(1, true));
    s.message(client(), true, 0, query, IPPROTO_TCP);
    for (const std::uint8_t byte : answer) s.message(client(), false, 7 * kMs, {byte}, IPPROTO_TCP);
    cr_assert_eq(s.seen.lookups.size(), 1u);
    cr_assert_eq(s.seen.lookups[0].latency, 7 * kMs);
    cr_assert_eq(s.lost(Loss::dns_unparsed), 0u);
}

Test(dns_tracker, garbage_and_floods_are_counted) {
    Setup s;
    s.message(client(), true, 0, {1, 2, 3});
    cr_assert_eq(s.lost(Loss::dns_unparsed), 1u);
    DnsOptions small;
    small.max_lookups = 10;
    small.max_streams = 2;
    s.tracker.set_options(small);
    for (std::uint16_t port = 1; port <= 100; port++)
        s.message(client("10.0.0.53", port), true, port, dns(port, false));
    cr_assert_eq(s.lost(Loss::dns_table_full), 90u);
    for (std::uint16_t port = 1; port <= 5; port++)
        s.message(client("10.0.0.53", port), true, 0, {0}, IPPROTO_TCP);
    cr_assert_eq(s.lost(Loss::dns_table_full), 93u);
    // when their time is over there is room again
    s.message(client("10.0.0.53", 500), true, 6'000 * kMs, dns(1, false));
    cr_assert_eq(s.seen.lookups.size(), 10u);
    s.tracker.expire(6'000 * kMs);
    s.message(client("10.0.0.53", 500), true, 6'000 * kMs, {0}, IPPROTO_TCP);
    cr_assert_eq(s.lost(Loss::dns_table_full), 93u);
}
