#include "plugin/query/field_values.h"

#include <criterion/criterion.h>

#include <string>

#include "tests/unit/plugin/query/sample_rows.h"

using namespace weir;
using namespace weir::query;
using namespace weir::test;

namespace {

void expect_ends(View view, SampleRow row, const KeyPart& client, const KeyPart& server) {
    const Batch batch = sample_batch();
    const KeyPart got_client = key_part(Dimension::client(view), batch, batch.l4[row]);
    const KeyPart got_server = key_part(Dimension::server(view), batch, batch.l4[row]);
    cr_expect(got_client == client, "row %zu: client %s", static_cast<std::size_t>(row),
              got_client.text.c_str());
    cr_expect(got_server == server, "row %zu: server %s", static_cast<std::size_t>(row),
              got_server.text.c_str());
}

KeyPart host(std::string name) { return {KeyPart::Kind::host, std::move(name)}; }
KeyPart process(std::string name) { return {KeyPart::Kind::process, std::move(name)}; }
KeyPart ip(std::string address) { return {KeyPart::Kind::ip, std::move(address)}; }

std::string value(Field field, SampleRow row) {
    const Batch batch = sample_batch();
    const KeyPart part = key_part(Dimension::of(field), batch, batch.l4[row]);
    cr_expect_eq(part.kind, KeyPart::Kind::text);
    return part.text;
}

}  // namespace

Test(key_part, ends_by_host) {
    expect_ends(View::host, kCurlToNginx, host("web-1"), host("web-1"));
    expect_ends(View::host, kNginxFromCurl, host("web-1"), host("web-1"));
    expect_ends(View::host, kCurlToOutside, host("web-1"), ip("93.184.216.34"));
    expect_ends(View::host, kNginxFromOther, ip("10.0.0.7"), host("web-1"));
    expect_ends(View::host, kUnknownToV6, host("web-1"), ip("2001:db8::35"));
}

Test(key_part, ends_by_process) {
    expect_ends(View::process, kCurlToNginx, process("curl"), process("nginx"));
    expect_ends(View::process, kNginxFromCurl, ip("127.0.0.1"), process("nginx"));
    expect_ends(View::process, kCurlToOutside, process("curl"), ip("93.184.216.34"));
    expect_ends(View::process, kNginxFromOther, ip("10.0.0.7"), process("nginx"));
    expect_ends(View::process, kUnknownToV6, ip("2001:db8::1"), ip("2001:db8::35"));
}

Test(key_part, ends_by_address) {
    expect_ends(View::ip, kCurlToNginx, ip("127.0.0.1"), ip("127.0.0.1"));
    expect_ends(View::ip, kNginxFromOther, ip("10.0.0.7"), ip("10.0.0.5"));
}

Test(key_part, fields) {
    cr_expect(value(Field::transport, kUnknownToV6) == "udp");
    cr_expect(value(Field::client_port, kCurlToNginx) == "*");
    cr_expect(value(Field::client_port, kUnknownToV6) == "40000");
    cr_expect(value(Field::bytes_written, kCurlToOutside) == "3000");
    cr_expect(value(Field::process_name, kUnknownToV6).empty());
    cr_expect(value(Field::method, kCurlToNginx).empty());  // not of this layer

    const Batch batch = sample_batch();
    cr_expect(key_part(Dimension::of(Field::status_code), batch, batch.l7[1]).text == "503");
    cr_expect(key_part(Dimension::of(Field::truncated), batch, batch.l7[1]).text == "false");
}

Test(counting_once, leaves_out_the_servers_side_of_local_flows) {
    const Batch batch = sample_batch();
    std::string left_out;
    for (std::size_t i = 0; i < batch.flows.size(); i++) {
        if (is_servers_row_of_pair(batch.flows[i])) left_out += std::to_string(i);
    }
    cr_expect(left_out == "1", "%s", left_out.c_str());
}

Test(counting_once, knows_what_tells_the_sides_apart) {
    const auto apart = [](const char* filter) { return tells_sides_apart(*parse_filter(filter)); };
    for (const char* filter : {"", "server_port:80", "client:curl", "nginx", "client_ip:10.* -host:a"}) {
        cr_expect(!apart(filter), "%s", filter);
    }
    for (const char* filter : {"pid:1", "direction:incoming", "NOT process_name:nginx",
                               "server_port:80 (src_port:80 OR host:a)", "bytes_read:>3"}) {
        cr_expect(apart(filter), "%s", filter);
    }
}
