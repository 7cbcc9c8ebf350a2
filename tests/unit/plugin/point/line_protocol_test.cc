#include <criterion/criterion.h>

#include "plugin/flow/flow_table.h"
#include "plugin/point/encoder.h"
#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

std::unique_ptr<Batch> one_interval(const Ends& ends, const char* path) {
    Ledger ledger;
    FlowOptions options;
    options.host = "my host";
    options.service = "ebpf";
    options.drop_loopback = false;
    FlowTable table(options, ledger);
    auto tcp = make_tcp(ends, WEIR_TCP_ESTABLISHED, 10, 20);
    tcp.rtt = 100;
    tcp.rtt_var = 50;
    table.on_tcp(tcp);
    const auto http = make_http(ends, "GET", path, 200, 1000);
    table.on_http(http, head_of(http));
    return table.finish(1, 1'700'000'000'000'000'000);
}

std::string encode(const Batch& batch, std::vector<Tag> tags = {}) {
    const auto encoder = make_encoder(PointFormat::line_protocol, tags);
    for (const L4Row& row : batch.l4) encoder->append(batch, row);
    for (const L7Row& row : batch.l7) encoder->append(batch, row);
    for (const DnsRow& row : batch.dns) encoder->append(batch, row);
    return std::string(encoder->bytes());
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

Test(line_protocol, writes_points_as_readers_know_them) {
    const std::string lines = encode(*one_interval({}, "/a"));
    const char* const netflow =
        "netflow,client_ip=10.0.0.1,client_ip_type=private,client_port=*,conn_side=client,direction=outgoing,"
        "dst_ip=10.0.0.2,dst_ip_type=private,dst_nat_ip=N/A,dst_nat_port=N/A,dst_port=80,family=IPv4,"
        "host=my\\ host,netns=4026531840,pid=100,process_name=curl,server_ip=10.0.0.2,server_ip_type=private,"
        "server_port=80,service=ebpf,src_ip=10.0.0.1,src_ip_type=private,src_port=*,transport=tcp "
        "bytes_read=20i,bytes_written=10i,client_sent=10i,server_sent=20i,retransmits=0i,rtt=100i,rtt_p95="
        "100i,"
        "rtt_max=100i,rtt_var=50i,tcp_established=1i,tcp_closed=0i,connect_failed=0i 1700000000000000000\n";
    cr_assert_eq(lines.find(netflow), 0u, "%s", lines.c_str());
    const char* const httpflow =
        " bytes_read=1000i,bytes_written=100i,client_sent=100i,server_sent=1000i,method=\"GET\",path=\"/a\","
        "route=\"/a\",http_version=\"1.1\",status_code=200i,count=1i,latency=1000i,latency_p50=1000i,"
        "latency_p95=1000i,latency_p99=1000i,latency_max=1000i,truncated=false 1700000000000000000\n";
    cr_assert(contains(lines, httpflow), "%s", lines.c_str());
}

Test(line_protocol, leaves_out_what_has_no_value) {
    Ledger ledger;
    FlowTable table({}, ledger);
    table.on_tcp(make_tcp({.process = ""}, WEIR_TCP_FAILED, 0, 0));
    const std::string line = encode(*table.finish(1, 2));
    cr_assert_not(contains(line, "process_name"));
    cr_assert_not(contains(line, "rtt"));
    cr_assert(contains(line, "connect_failed=1i"));
}

Test(line_protocol, escapes_hostile_text) {
    const std::string lines = encode(*one_interval({.process = "a,b=c d\n\\"}, "/\"\\,= x"));
    cr_assert(contains(lines, ",process_name=a\\,b\\=c\\ d\\ ,"), "%s", lines.c_str());
    cr_assert(contains(lines, ",path=\"/\\\"\\\\,= x\","), "%s", lines.c_str());
    cr_assert_eq(std::count(lines.begin(), lines.end(), '\n'), 2);
}

Test(line_protocol, extra_tags_are_sorted_in_and_never_replace) {
    const std::string lines =
        encode(*one_interval({}, "/"), {{"zone", "z 1"}, {"a.b", "x"}, {"host", "other"}, {"empty", ""}});
    cr_assert_eq(lines.find("netflow,a_b=x,client_ip="), 0u, "%s", lines.c_str());
    cr_assert(contains(lines, ",transport=tcp,zone=z\\ 1 bytes_read"));
    cr_assert(contains(lines, ",host=my\\ host,"));
    cr_assert_not(contains(lines, "empty"));
}

Test(line_protocol, long_tag_values_are_clipped_whole) {
    const std::string lines =
        encode(*one_interval({}, "/"), {{"t", std::string(1023, 'x') + "\u00e9" + "tail"}});
    cr_assert(contains(lines, ("t=" + std::string(1023, 'x') + ",").c_str()) ||
              contains(lines, (",t=" + std::string(1023, 'x') + ",transport").c_str()));
    cr_assert_not(contains(lines, "\xc3"));
}

Test(line_protocol, says_what_is_known_of_the_remote_end) {
    auto batch = one_interval({}, "/a");
    Flow& flow = batch->flows[batch->l4[0].flow];
    flow.domain = batch->strings.append("api.example");
    flow.container = batch->strings.append("0123abcd");
    flow.nat = Address::v4(10, 1, 2, 3);
    flow.nat_port = 8080;
    batch->l4[0].connect_failed = batch->l4[0].connect_refused = 2;
    const std::string lines = encode(*batch);
    for (const char* part :
         {",container_id=0123abcd,", ",dst_domain=api.example,", ",server_domain=api.example,",
          ",dst_nat_ip=10.1.2.3,dst_nat_port=8080,", ",connect_failed=2i,connect_refused=2i "}) {
        cr_assert(contains(lines, part), "%s in %s", part, lines.c_str());
    }
}

Test(line_protocol, writes_dns_points) {
    auto batch = one_interval({}, "/a");
    batch->l4.clear();
    batch->l7.clear();
    DnsRow& row = batch->dns.emplace_back();
    row.rcode = 3;
    row.count = 2;
    row.latency.add(1000, 2);
    DnsRow& lost = batch->dns.emplace_back();
    lost.rcode = DnsRow::kTimeout;
    lost.count = 1;
    const std::string lines = encode(*batch);
    cr_assert_eq(lines.find("dnsflow,client_ip=10.0.0.1,"), 0u, "%s", lines.c_str());
    cr_assert(contains(lines, " rcode=3i,count=2i,latency=1000i,latency_max=1000i 1700000000000000000\n"),
              "%s", lines.c_str());
    cr_assert(contains(lines, " rcode=-1i,count=1i 1700000000000000000\n"), "%s", lines.c_str());
}
