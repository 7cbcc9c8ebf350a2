#include "tests/unit/plugin/query/sample_rows.h"

namespace weir::test {
namespace {

struct Names {
    StringId curl, nginx;
};

Flow tcp(Direction direction, Address local, Address remote, std::uint16_t server_port) {
    Flow out;
    out.direction = direction;
    out.local = local;
    out.remote = remote;
    (direction == Direction::outgoing ? out.remote_port : out.local_port) = server_port;
    return out;
}

void add_flows(Batch& batch, const Names& names) {
    const auto loopback = Address::v4(127, 0, 0, 1), own = Address::v4(10, 0, 0, 5);
    Flow local = tcp(Direction::outgoing, loopback, loopback, 80);
    local.peer_is_local = true;
    local.process = names.curl;
    local.peer_process = names.nginx;
    local.pid = 100;
    Flow served = tcp(Direction::incoming, loopback, loopback, 80);
    served.peer_is_local = true;
    served.process = names.nginx;
    served.pid = 200;
    Flow outside = tcp(Direction::outgoing, own, Address::v4(93, 184, 216, 34), 443);
    outside.process = names.curl;
    outside.pid = 100;
    Flow other = tcp(Direction::incoming, own, Address::v4(10, 0, 0, 7), 80);
    other.process = names.nginx;
    other.pid = 200;
    Flow dns = tcp(Direction::outgoing, *Address::parse("2001:db8::1"), *Address::parse("2001:db8::35"), 53);
    dns.transport = Transport::udp;
    dns.is_v6 = true;
    dns.local_port = 40000;
    batch.flows = {local, served, outside, other, dns};
}

L7Row request(std::uint32_t flow, StringId method, StringId path, std::uint16_t status) {
    L7Row out;
    out.flow = flow;
    out.method = method;
    out.path = path;
    out.status = status;
    out.version = HttpVersion::http11;
    out.count = 3;
    return out;
}

}  // namespace

Batch sample_batch() {
    Batch out;
    out.host = "web-1";
    out.service = "ebpf";
    const Names names{out.strings.append("curl"), out.strings.append("nginx")};
    add_flows(out, names);
    for (std::uint32_t flow = 0; flow < kSampleRows; flow++) {
        L4Row row;
        row.flow = flow;
        row.bytes_written = 1000 * (flow + 1);
        if (flow == kCurlToOutside) row.rtt.add(250);
        out.l4.push_back(row);
    }
    out.l7.push_back(request(kCurlToNginx, out.strings.append("GET"), out.strings.append("/users/1"), 200));
    out.l7.push_back(request(kNginxFromOther, out.strings.append("POST"), out.strings.append("/users"), 503));
    return out;
}

}  // namespace weir::test
