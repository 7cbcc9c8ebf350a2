#include "plugin/source/recording.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

struct Collected final : RecordSink {
    std::vector<weir_tcp_record> tcp;
    std::vector<std::string> heads;
    std::vector<weir_udp_record> udp;
    std::vector<std::string> messages;
    void on_tcp(const weir_tcp_record& record) override { tcp.push_back(record); }
    void on_http(const weir_http_record&, std::string_view head) override { heads.emplace_back(head); }
    void on_udp(const weir_udp_record& record) override { udp.push_back(record); }
    void on_dns(const weir_dns_record&, std::span<const std::uint8_t> data) override {
        messages.emplace_back(data.begin(), data.end());
    }
    std::vector<std::string> chunks;
    void on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) override {
        chunks.push_back(std::to_string(record.offset) + ":" + std::string(data.begin(), data.end()));
    }
};

std::string temporary() { return "/tmp/weir-recording-" + std::to_string(getpid()); }

}  // namespace

Test(recording, plays_what_was_recorded) {
    const std::string path = temporary();
    Collected live;
    {
        auto sink = RecordingSink::open(path, live);
        cr_assert(sink.has_value());
        (*sink)->on_tcp(make_tcp({}, WEIR_TCP_ESTABLISHED, 1, 2));
        const auto http = make_http({}, "GET", "/a", 200, 5);
        (*sink)->on_http(http, head_of(http));
        weir_chunk_record chunk{};
        chunk.kind = WEIR_RECORD_CHUNK;
        chunk.offset = 7;
        chunk.len = 3;
        const std::array<std::uint8_t, 3> preface = {'P', 'R', 'I'};
        (*sink)->on_chunk(chunk, preface);
        (*sink)->end_interval();
        (*sink)->on_tcp(make_tcp({}, WEIR_TCP_CLOSED, 3, 4));
        (*sink)->on_udp(make_udp({}, 5, 6));
        weir_dns_record dns{};
        dns.kind = WEIR_RECORD_DNS;
        dns.len = 3;
        const std::array<std::uint8_t, 3> message = {'a', 0, 'b'};
        (*sink)->on_dns(dns, message);
        (*sink)->end_interval();
    }
    cr_assert_eq(live.tcp.size(), 2u, "it hands on what it writes");
    Ledger ledger;
    const auto source = make_recording_source(path, ledger);
    cr_assert(source->start().has_value());
    Collected played;
    source->sweep(played, false);
    cr_assert_eq(played.tcp.size(), 1u);
    cr_assert_eq(played.heads.size(), 1u);
    cr_assert(played.heads[0] == "GET /a");
    cr_assert_eq(played.chunks.size(), 1u);
    cr_assert(played.chunks[0] == "7:PRI");
    source->sweep(played, false);
    cr_assert_eq(played.tcp.size(), 2u);
    cr_assert_eq(played.tcp[1].bytes_sent, 3u);
    cr_assert_eq(played.udp.size(), 1u);
    cr_assert_eq(played.udp[0].bytes_received, 6u);
    cr_assert_eq(played.messages.size(), 1u);
    cr_assert(played.messages[0] == std::string("a\0b", 3));
    source->sweep(played, false);
    cr_assert_eq(played.tcp.size(), 2u);
    unlink(path.c_str());
}

Test(recording, a_damaged_file_is_an_error_or_a_counted_loss) {
    const std::string path = temporary();
    Ledger ledger;
    std::ofstream(path) << "something else";
    cr_assert_not(make_recording_source(path, ledger)->start().has_value());
    std::ofstream(path) << "WEIRREC1" << std::string("\xff\xff\xff\x7f garbage", 12);
    const auto source = make_recording_source(path, ledger);
    cr_assert(source->start().has_value());
    Collected played;
    source->sweep(played, false);
    cr_assert_eq(ledger.totals()[static_cast<std::size_t>(Loss::record_malformed)], 1u);
    unlink(path.c_str());
}

Test(record, malformed_records_are_refused) {
    Collected sink;
    const auto tcp = make_tcp({}, 0, 1, 1);
    cr_assert(dispatch_record(&tcp, sizeof(tcp), sink));
    cr_assert_not(dispatch_record(&tcp, sizeof(tcp) - 1, sink));
    cr_assert_not(dispatch_record(&tcp, 3, sink));
    auto http = make_http({}, "GET", "/a", 200, 5);
    constexpr std::size_t fixed = offsetof(weir_http_record, head);
    cr_assert(dispatch_record(&http, fixed + 6, sink));
    cr_assert_not(dispatch_record(&http, fixed + 5, sink), "head longer than what came");
    http.head_len = 60000;
    cr_assert_not(dispatch_record(&http, sizeof(http), sink), "head longer than its room");
    http.head_len = 6;
    http.count = http.latencies = 2;
    cr_assert(dispatch_record(&http, sizeof(http), sink));
    cr_assert_not(dispatch_record(&http, fixed + 6, sink), "the latencies of several are missing");
    http.latencies = WEIR_HTTP_LATENCIES_MAX + 1;
    cr_assert_not(dispatch_record(&http, sizeof(http), sink));
    auto dns = std::make_unique<weir_dns_record>();
    dns->kind = WEIR_RECORD_DNS;
    dns->len = 10;
    constexpr std::size_t before_data = offsetof(weir_dns_record, data);
    cr_assert(dispatch_record(dns.get(), before_data + 10, sink));
    cr_assert_not(dispatch_record(dns.get(), before_data + 9, sink), "data longer than what came");
    dns->len = WEIR_DNS_MAX + 1;
    cr_assert_not(dispatch_record(dns.get(), sizeof(*dns), sink), "data longer than its room");
    const auto udp = make_udp({}, 1, 1);
    cr_assert_not(dispatch_record(&udp, sizeof(udp) - 1, sink));
    weir_chunk_record chunk{};
    chunk.kind = WEIR_RECORD_CHUNK;
    chunk.len = 4;
    constexpr std::size_t chunk_fixed = offsetof(weir_chunk_record, data);
    cr_assert(dispatch_record(&chunk, chunk_fixed + 4, sink));
    cr_assert_not(dispatch_record(&chunk, chunk_fixed + 3, sink), "data longer than what came");
    cr_assert_not(dispatch_record(&chunk, chunk_fixed - 1, sink));
    chunk.len = WEIR_CHUNK_MAX + 1;
    cr_assert_not(dispatch_record(&chunk, sizeof(chunk), sink), "data longer than its room");
    const std::uint32_t unknown = 77;
    cr_assert_not(dispatch_record(&unknown, sizeof(unknown), sink));
}
