// The numbers of the data endpoints, worked out by hand from the rows of the fixture.
#include <criterion/criterion.h>

#include <map>
#include <set>
#include <string>

#include "tests/unit/http/fixture.h"

using namespace weir;
using namespace weir::test;
using nlohmann::json;

namespace {

constexpr int kBatches = 20;             // of 10 s, see fixture.h
const std::string kAll = "from=-200s&";  // all of them

// Compares and shows both.
void expect_json(const json& got, const json& expected) {
    cr_expect(got == expected, "got %s\nexpected %s", got.dump().c_str(), expected.dump().c_str());
}

json row_of(const json& answer, const std::string& client, const std::string& server) {
    for (const auto& row : answer["data"]) {
        if (row["client"]["name"] == client && row["server"]["name"] == server) return row;
    }
    cr_assert_fail("no row %s -> %s in %s", client.c_str(), server.c_str(), answer["data"].dump().c_str());
    return {};
}

}  // namespace

Test(summary, a_row_for_each_pair) {
    const json answer = get("/api/v1/summary?view=process&" + kAll);
    cr_expect_eq(answer["data"].size(), 4u);
    cr_expect_eq(answer["groups"], 4);
    cr_expect_eq(answer["other"]["groups"], 0);
    cr_expect_eq(answer["other"]["bytes_written"], 0);
    cr_expect(answer["other"]["rtt"].is_null());
    cr_expect_eq(answer["from"], kNow / 1'000'000 - 200'000);
    cr_expect_eq(answer["to"], kNow / 1'000'000);
    cr_expect(answer["resolution"] == "detail");
    expect_json(answer["coverage"],
                {{"complete", true}, {"lost", json::object()}, {"reconciled", json::object()}});

    const json local = row_of(answer, "curl", "nginx");
    expect_json(local["client"], {{"id", "process:curl"}, {"kind", "process"}, {"name", "curl"}});
    cr_expect(local["direction"] == "outgoing" && local["transport"] == "tcp");
    // counted once, from the client's side
    cr_expect_eq(local["bytes_written"], 100 * kBatches);
    cr_expect_eq(local["bytes_read"], 1000 * kBatches);
    cr_expect_eq(local["client_sent"], 100 * kBatches);
    cr_expect_eq(local["server_sent"], 1000 * kBatches);
    cr_expect_eq(local["tcp_established"], kBatches);
    cr_expect_eq(local["rtt"], 40);
    cr_expect(local["rtt_var"].is_null());

    const json served = row_of(answer, "10.0.0.7", "nginx");
    cr_expect(served["direction"] == "incoming" && served["client"]["kind"] == "ip");
    cr_expect_eq(served["bytes_written"], 300 * kBatches);
    cr_expect_eq(served["client_sent"], 30 * kBatches);
    cr_expect(served["rtt"].is_null(), "without samples there is no number");
    cr_expect_eq(answer["totals"]["bytes_written"], (100 + 200 + 300 + 7) * kBatches);
}

Test(summary, what_is_beyond_the_limit_is_in_other) {
    const json answer = get("/api/v1/summary?view=ip&limit=1&" + kAll);
    cr_expect_eq(answer["data"].size(), 1u);
    cr_expect_eq(answer["data"][0]["bytes_written"], 300 * kBatches);
    cr_expect_eq(answer["groups"], 4);
    cr_expect_eq(answer["other"]["groups"], 3);
    cr_expect_eq(answer["other"]["bytes_written"], (100 + 200 + 7) * kBatches);
    cr_expect_eq(answer["totals"]["bytes_written"], (100 + 200 + 300 + 7) * kBatches);
}

Test(summary, order) {
    const auto order = [](const std::string& sort) {
        std::string out;
        const json answer = get("/api/v1/summary?view=ip&fields=server,bytes_read&sort=" + sort + "&" + kAll);
        for (const auto& row : answer["data"]) out += row["bytes_read"].dump() + " ";
        return out;
    };
    cr_expect(order("-bytes_read") == "40000 20000 1400 600 ");
    cr_expect(order("bytes_read") == "600 1400 20000 40000 ");
    cr_expect(order("server") == "600 1400 40000 20000 ");  // by address
    cr_expect(order("-server") == "20000 40000 1400 600 ");
}

Test(summary, order_by_name_adds_up_too) {
    const json answer = get("/api/v1/summary?view=ip&sort=-server&limit=1&fields=bytes_read&" + kAll);
    expect_json(answer["data"], {{{"bytes_read", 1000 * kBatches}}});
    expect_json(answer["other"], {{"groups", 3}, {"bytes_read", (2000 + 30 + 70) * kBatches}});
}

Test(summary, filters) {
    const auto written = [](const std::string& query) {
        return get("/api/v1/summary?" + kAll + query)["totals"]["bytes_written"].get<int>() / kBatches;
    };
    cr_expect_eq(written(""), 607);
    cr_expect_eq(written("direction=outgoing"), 307);
    cr_expect_eq(written("direction=incoming"), 300);
    cr_expect_eq(written("direction=any&transport=udp"), 7);
    cr_expect_eq(written("direction=incoming&transport=udp"), 0);
    cr_expect_eq(written("q=server_port%3A443"), 200);
    cr_expect_eq(written("q=client%3Acurl%20server%3Anginx"), 100);
    cr_expect_eq(written("q=nginx"), 400);
    cr_expect_eq(written("q=nginx&direction=outgoing"), 100);
    cr_expect_eq(written("q="), 607);
}

Test(summary, layer_7) {
    const json answer = get("/api/v1/summary?view=process&layer=l7&" + kAll);
    cr_expect_eq(answer["data"].size(), 1u);
    const json& row = answer["data"][0];
    cr_expect_eq(row["count"], 5 * kBatches);
    cr_expect_eq(row["rps"], 0.5);  // 100 requests in 200 s
    cr_expect_eq(row["errors"], kBatches);
    cr_expect_eq(row["error_rate"], 0.2);
    cr_expect_eq(row["status_4xx"], kBatches);
    cr_expect_eq(row["status_5xx"], 0);
    cr_expect_eq(row["latency"], 3'400'000);
    cr_expect_eq(row["latency_max"], 9'000'000);
    const double p50 = row["latency_p50"];
    cr_expect(p50 > 1'980'000 && p50 < 2'020'000);
    cr_expect_not(row.contains("rtt"));
}

Test(summary, resolution_and_losses_are_those_of_the_answer) {
    ServerUnderTest under_test;
    under_test.engine.resolution = query::Resolution::minute;
    under_test.engine.losses[static_cast<std::size_t>(Loss::ring_full_tcp)] = 3;
    under_test.start();
    const json answer = json::parse(under_test.client().Get("/api/v1/summary")->body);
    cr_expect(answer["resolution"] == "minute");
    expect_json(answer["coverage"],
                {{"complete", false}, {"lost", {{"ring_full_tcp", 3}}}, {"reconciled", json::object()}});
}

Test(summary, hostile_names_stay_text) {
    const json answer = get("/api/v1/summary?view=process&" + kAll);
    std::set<std::string> clients;
    for (const auto& row : answer["data"]) clients.insert(row["client"]["name"]);
    cr_expect(clients.contains("=cmd|'/C calc'!A0\x1b[31m\xEF\xBF\xBD\"<script>\n\xc2\x9b"));
    const std::string raw = get_text("/api/v1/summary?view=process&" + kAll);
    for (const char c : raw) cr_assert(c == '\n' || (c >= ' ' && c < 0x7f), "byte %d in JSON", c);
    cr_expect_eq(raw.find('\n'), raw.size() - 1);

    const std::string csv = get_text("/api/v1/summary?view=process&format=csv&" + kAll);
    cr_expect(csv.find("\"'=cmd|'/C calc'!A0\xEF\xBF\xBD[31m\xEF\xBF\xBD\"\"<script>\n\xEF\xBF\xBD\"") !=
                  std::string::npos,
              "%s", csv.c_str());
}

Test(connections, by_address_and_port) {
    const json answer = get(
        "/api/v1/"
        "connections?fields=client_ip,client_port,server_ip,server_port,direction,transport,bytes_written&" +
        kAll);
    cr_expect_eq(answer["data"].size(), 4u);
    expect_json(answer["data"][0], {{"client_ip", "10.0.0.7"},
                                    {"client_port", "*"},
                                    {"server_ip", "10.0.0.5"},
                                    {"server_port", "80"},
                                    {"direction", "incoming"},
                                    {"transport", "tcp"},
                                    {"bytes_written", 300 * kBatches}});
    expect_json(answer["totals"], {{"bytes_written", 607 * kBatches}});
}

Test(connections, by_address_alone_and_by_more) {
    const json plain = get("/api/v1/connections?by=ip&" + kAll);
    cr_expect_eq(plain["data"].size(), 4u);
    cr_expect_not(plain["data"][0].contains("server_port"));
    const json more = get("/api/v1/connections?by=ip_port,method,path,status_code&layer=l7&" + kAll);
    cr_expect_eq(more["data"].size(), 2u);
    cr_expect(more["data"][0]["path"] == "/users/1" && more["data"][0]["method"] == "GET");
    cr_expect_eq(more["data"][0]["status_code"], 200);
    cr_expect_eq(more["data"][1]["status_code"], 404);
}

Test(connections, ports_sort_as_numbers) {
    const json answer = get("/api/v1/connections?sort=server_port&fields=server_port&" + kAll);
    expect_json(answer["data"],
                json::parse(R"([{"server_port":"53"},{"server_port":"80"},{"server_port":"80"},
                                                {"server_port":"443"}])"));
}

Test(facets, count_records) {
    const json answer = get("/api/v1/facets?fields=transport,process_name,server_port&limit=2&" + kAll);
    expect_json(answer["data"]["transport"],
                {{{"value", "tcp"}, {"count", 4 * kBatches}}, {{"value", "udp"}, {"count", kBatches}}});
    expect_json(answer["data"]["server_port"],
                {{{"value", "80"}, {"count", 3 * kBatches}}, {{"value", "443"}, {"count", kBatches}}});
    expect_json(answer["distinct"], {{"transport", 2}, {"process_name", 3}, {"server_port", 3}});
}

Test(facets, values_have_their_types) {
    const json answer = get("/api/v1/facets?layer=l7&fields=status_code,truncated,dst_domain,client&" + kAll);
    expect_json(answer["data"]["status_code"],
                {{{"value", 200}, {"count", 2 * kBatches}}, {{"value", 404}, {"count", kBatches}}});
    expect_json(answer["data"]["truncated"], {{{"value", false}, {"count", 3 * kBatches}}});
    expect_json(answer["data"]["dst_domain"], {{{"value", nullptr}, {"count", 3 * kBatches}}});
    expect_json(answer["data"]["client"], {{{"value", "web-1"}, {"count", 3 * kBatches}}});
}

Test(series, a_point_for_each_step) {
    // The range begins in the middle of a step and ends with the last batch.
    const json answer = get("/api/v1/series?metrics=bytes_written,rtt,rtt_var&step=60s&from=-230s");
    const std::int64_t now_ms = kNow / 1'000'000;
    cr_expect_eq(answer["step"], 60'000);
    cr_expect_eq(answer["from"], now_ms - 240'000, "down to a whole step");
    const json& written = answer["data"]["bytes_written"];
    cr_expect(written["unit"] == "B");
    expect_json(written["points"], {{now_ms - 240'000, 607 * 2},
                                    {now_ms - 180'000, 607 * 6},
                                    {now_ms - 120'000, 607 * 6},
                                    {now_ms - 60'000, 607 * 6}});
    cr_expect_eq(answer["data"]["rtt"]["points"][1][1], 95);
    cr_expect(answer["data"]["rtt_var"]["points"][1][1].is_null());
}

Test(series, steps_without_data_are_null) {
    const json answer = get("/api/v1/series?step=5s&from=-20s");
    const std::int64_t now_ms = kNow / 1'000'000;
    expect_json(answer["data"]["bytes_written"]["points"], {{now_ms - 20'000, nullptr},
                                                            {now_ms - 15'000, 607},
                                                            {now_ms - 10'000, nullptr},
                                                            {now_ms - 5'000, 607}});
}

Test(series, the_default_step) {
    const json answer = get("/api/v1/series");
    cr_expect_eq(answer["step"], 20'000, "whole intervals of 10 s");
    cr_expect_eq(answer["data"]["bytes_read"]["points"].size(), 45u);
    cr_expect_eq(get("/api/v1/series?from=-60s")["step"], 10'000, "not shorter than the interval");
}

Test(series, rates_are_per_second_of_the_step) {
    const json answer = get("/api/v1/series?layer=l7&metrics=rps,count&step=20s&from=-40s");
    cr_expect_eq(answer["data"]["count"]["points"][0][1], 10);
    cr_expect_eq(answer["data"]["rps"]["points"][0][1], 0.5);
}

Test(series, minutes_are_not_cut) {
    ServerUnderTest under_test;
    under_test.engine.resolution = query::Resolution::minute;
    under_test.start();
    auto client = under_test.client();
    cr_expect_eq(json::parse(client.Get("/api/v1/series?step=5s&from=-10m")->body)["step"], 60'000);
    cr_expect_eq(json::parse(client.Get("/api/v1/series?step=90s&from=-10m")->body)["step"], 120'000);
}

Test(series, groups) {
    const json answer = get("/api/v1/series?by=server,transport&view=process&step=100s&limit=2&" + kAll);
    cr_expect_eq(answer["groups"], 3);
    const json& series = answer["data"]["bytes_written"]["series"];
    cr_expect_eq(series.size(), 2u);
    cr_expect(series[0]["group"]["server"]["name"] == "nginx", "the most bytes first");
    cr_expect(series[0]["group"]["transport"] == "tcp");
    cr_expect_eq(series[0]["points"][0][1], 400 * kBatches / 2);
    cr_expect(series[1]["group"]["server"]["name"] == "93.184.216.34");
    cr_expect_eq(series[1]["points"][1][1], 200 * kBatches / 2);
}

// Names with what a pattern could take for a wildcard, or with other letter case, are not mixed up.
Test(series, groups_with_odd_names) {
    ServerUnderTest under_test;
    Batch& last = under_test.engine.batches.back();
    const StringId star = last.strings.append("c*"), upper = last.strings.append("CURL");
    last.flows[3].process = star;
    last.flows[4].process = upper;
    under_test.start();
    const auto answer =
        json::parse(under_test.client().Get("/api/v1/series?by=process_name&from=-10s&step=10s")->body);
    std::map<std::string, int> written;
    for (const auto& one : answer["data"]["bytes_written"]["series"]) {
        written[one["group"]["process_name"]] = one["points"][0][1].get<int>();
    }
    cr_expect_eq(written["c*"], 300);
    cr_expect_eq(written["CURL"], 7);
    cr_expect_eq(written["curl"], 300);
    cr_expect_eq(written.size(), 3u);
}

Test(series, as_csv) {
    const std::string csv =
        get_text("/api/v1/series?by=transport&metrics=bytes_written,rtt&step=10s&from=-10s&format=csv");
    const std::string time = std::to_string(kNow / 1'000'000 - 10'000);
    cr_expect(csv == "time,transport,bytes_written,rtt\r\n" + time + ",\"tcp\",600,95\r\n" + time +
                         ",\"udp\",7,\r\n",
              "%s", csv.c_str());
}

Test(flows, records_with_every_field) {
    const json answer = get("/api/v1/flows?limit=5&" + kAll);
    cr_expect_eq(answer["data"].size(), 5u);
    const json& newest = answer["data"][0];
    cr_expect_eq(newest["time"], kNow / 1'000'000);
    std::set<std::string> expected = {"time"};
    for (const auto& field : kPointSchema) {
        if ((field.measurements & kNetflow) != 0) expected.emplace(field.name);
    }
    std::set<std::string> got;
    for (const auto& member : newest.items()) got.insert(member.key());
    cr_expect(got == expected);
    cr_expect(newest["transport"] == "udp" && newest["server_port"] == "53" && newest["rtt"].is_null());
    cr_expect_eq(newest["bytes_read"], 70);
}

Test(flows, slow_requests_bring_their_sockets_evidence) {
    const json answer = get("/api/v1/flows?layer=l7&slow=1&limit=1&" + kAll);
    const json record = answer["data"][0];
    cr_expect_eq(record["time"], kNow / 1'000'000 - 3000, "its own begin");
    const json path = "/a\",\r\nSet-Cookie: x=1\t<img src=x onerror=alert(1)>\ufffd\ufffd";
    cr_expect(record["path"] == path, "%s", record["path"].dump().c_str());
    cr_expect_eq(record["status_code"], 404);
    cr_expect_eq(record["process_name"], "curl");
    cr_expect_eq(record["latency"], 409'000'000);
    cr_expect_eq(record["network_stall"], 205'000'000);
    cr_expect_eq(record["server_time"], 204'000'000);
    cr_expect_eq(record["retransmits"], 1);
    cr_expect_eq(record["rtt"], 5000);
    cr_expect_eq(record["unread_bytes"], 0);
    cr_expect_eq(record["unsent_bytes"], 78);
    cr_expect(record["total"].is_null() && record["connection_age"].is_null(), "not known");
    cr_expect(!record.contains("count") && !record.contains("latency_p95"), "it is one request");

    std::uint64_t counted = 0;
    const json bars = get("/api/v1/flows?layer=l7&slow=1&from=-5m")["histogram"];
    for (const auto& bar : bars) {
        counted += bar["count"].get<std::uint64_t>();
    }
    cr_expect_eq(counted, kBatches, "%lu", counted);
    cr_expect_eq(get("/api/v1/flows?layer=l7&slow=1&q=status_code:200&" + kAll)["data"].size(), 0u);
    expect_json(get("/api/v1/flows?layer=l7&slow=1&limit=1&fields=latency,total&" + kAll)["data"],
                {{{"latency", 409'000'000}, {"total", nullptr}}});
    // a page of the requests does not go on in these
    const std::string cursor = answer["next_cursor"].get<std::string>();
    get("/api/v1/flows?layer=l7&slow=1&limit=1&cursor=" + cursor);
    cr_expect_eq(get("/api/v1/flows?layer=l7&cursor=" + cursor, 400)["error"]["field"], "cursor");
}

Test(flows, fields_restrict_a_record) {
    const json answer = get("/api/v1/flows?limit=1&layer=l7&fields=status_code,time,path");
    expect_json(answer["data"], {{{"status_code", 200}, {"time", kNow / 1'000'000}, {"path", "/users/1"}}});
}

Test(flows, the_histogram_has_a_bar_for_each_step) {
    const json answer = get("/api/v1/flows?from=-5m");
    cr_expect_eq(answer["histogram_step"], 10'000, "not shorter than the interval");
    cr_expect_eq(answer["histogram"].size(), 30u);
    int sum = 0;
    for (const auto& bar : answer["histogram"]) sum += bar["count"].get<int>();
    cr_expect_eq(sum, 5 * kBatches);
    expect_json(answer["histogram"].back(), {{"time", kNow / 1'000'000 - 10'000}, {"count", 5}});
    cr_expect_eq(answer["histogram"][0]["count"], 0);
}

Test(flows, pages_repeat_and_skip_nothing_while_records_arrive) {
    ServerUnderTest under_test;
    const std::vector<Batch> old = under_test.engine.batches;
    under_test.start();
    auto client = under_test.client();
    std::string cursor;
    std::size_t records = 0, pages = 0;
    std::int64_t last = kNow / 1'000'000;
    do {
        const auto answer =
            json::parse(client.Get("/api/v1/flows?limit=7&from=-200s&cursor=" + cursor)->body);
        for (const auto& record : answer["data"]) {
            cr_assert_leq(record["time"].get<std::int64_t>(), last);
            last = record["time"];
            records++;
        }
        cr_expect_eq(answer["from"], kNow / 1'000'000 - 200'000, "the first page's range");
        cr_expect_eq(answer["histogram"].empty(), pages > 0);
        cursor = answer["next_cursor"].is_null() ? "" : answer["next_cursor"].get<std::string>();
        pages++;
        // time goes by, and a new interval comes in
        under_test.clock.now += 10 * kSecond;
        Batch more = old.back();
        more.end_ns = under_test.clock.now;
        under_test.engine.batches.push_back(more);
    } while (!cursor.empty() && pages < 100);
    cr_expect_eq(records, 5u * kBatches);
    cr_expect_eq(pages, 15u);
}

Test(flows, a_cursor_of_another_search_is_refused) {
    const json first = get("/api/v1/flows?limit=7&q=curl");
    const std::string cursor = first["next_cursor"];
    const json error = get("/api/v1/flows?limit=7&q=nginx&cursor=" + cursor, 400);
    cr_expect(error["error"]["field"] == "cursor");
    get("/api/v1/flows?limit=7&layer=l7&q=curl&cursor=" + cursor, 400);
    get("/api/v1/flows?limit=9&q=curl&cursor=" + cursor);
}

Test(flows, as_csv_with_the_cursor_in_a_header) {
    ServerUnderTest under_test;
    under_test.start();
    auto client = under_test.client();
    const auto page = client.Get("/api/v1/flows?limit=2&fields=time,process_name&format=csv");
    cr_expect(page->get_header_value("Content-Type") == "text/csv; charset=utf-8; header=present");
    cr_expect(page->body.starts_with("time,process_name\r\n"));
    const std::string cursor = page->get_header_value("X-Next-Cursor");
    cr_expect_eq(client.Get("/api/v1/flows?format=csv&cursor=" + cursor)->status, 200);
}

Test(map, nodes_and_edges) {
    const json answer = get("/api/v1/map?view=process&" + kAll);
    const json& map = answer["data"];
    std::map<std::string, json> nodes;
    for (const auto& node : map["nodes"]) nodes[node["id"]] = node;
    cr_expect_eq(nodes.size(), 6u);
    const json& nginx = nodes["process:nginx"];
    cr_expect_eq(nginx["measures"]["bytes_written"], 400 * kBatches);
    cr_expect_eq(nginx["in"]["bytes_written"], 400 * kBatches);
    cr_expect_eq(nginx["out"]["bytes_written"], 0);
    const json& curl = nodes["process:curl"];
    cr_expect_eq(curl["out"]["bytes_read"], 3000 * kBatches);
    cr_expect(curl["in"]["rtt"].is_null());
    cr_expect(nodes["ip:93.184.216.34"]["external"] == true);
    cr_expect(curl["external"] == false && curl["kind"] == "process" && curl["cloud"].is_null());

    cr_expect_eq(map["edges"].size(), 4u);
    int sum = 0;
    for (const auto& edge : map["edges"]) {
        cr_expect(nodes.contains(edge["source"]) && nodes.contains(edge["target"]));
        sum += edge["measures"]["bytes_written"].get<int>();
    }
    cr_expect_eq(sum, 607 * kBatches);
    cr_expect_eq(map["other"]["edges"], 0);
    cr_expect_eq(map["other"]["measures"]["bytes_written"], 0);
    expect_json(answer["nodes"], map["nodes"]);
    expect_json(answer["edges"], map["edges"]);
    expect_json(answer["totals"]["bytes_written"], 607 * kBatches);
}

Test(map, own_addresses_are_not_external) {
    const json answer = get("/api/v1/map?view=ip&" + kAll);
    std::map<std::string, bool> external;
    for (const auto& node : answer["data"]["nodes"]) external[node["name"]] = node["external"];
    const std::map<std::string, bool> expected = {{"127.0.0.1", false},
                                                  {"10.0.0.5", false},
                                                  {"10.0.0.7", true},
                                                  {"10.0.0.53", true},
                                                  {"93.184.216.34", true}};
    cr_expect(external == expected);
}

Test(map, an_edge_to_itself_counts_once) {
    const json answer = get("/api/v1/map?view=host&q=server%3Anginx%20client%3Acurl&" + kAll);
    const json& node = answer["data"]["nodes"][0];
    cr_expect_eq(answer["data"]["nodes"].size(), 1u);
    cr_expect(node["id"] == "host:web-1");
    for (const std::string part : {"measures", "in", "out"}) {
        cr_expect_eq(node[part]["bytes_written"], 100 * kBatches, "%s", part.c_str());
    }
}

Test(map, what_is_not_drawn_is_in_other_and_in_the_nodes) {
    const json answer = get("/api/v1/map?view=process&limit=1&fields=bytes_written&" + kAll);
    const json& map = answer["data"];
    cr_expect_eq(map["edges"].size(), 1u);
    cr_expect(map["edges"][0]["source"] == "ip:10.0.0.7");
    expect_json(map["other"], {{"edges", 3}, {"measures", {{"bytes_written", 307 * kBatches}}}});
    cr_expect_eq(map["nodes"].size(), 2u);
    cr_expect_eq(map["nodes"][1]["measures"]["bytes_written"], 400 * kBatches, "undrawn edges included");
}

Test(map, the_fill_has_five_intervals) {
    const json fill = get("/api/v1/map?view=process&fill=bytes_written&" + kAll)["data"]["fill"];
    expect_json(fill["metric"], "bytes_written");
    expect_json(fill["min"], 7 * kBatches);
    expect_json(fill["max"], 400 * kBatches);
    cr_expect_eq(fill["intervals"].size(), 5u);
    cr_expect_eq(fill["intervals"][0]["from"], 140);
    cr_expect_eq(fill["intervals"][0]["to"], 1712);
    cr_expect_eq(fill["intervals"][4]["to"], 8000);
    const json empty = get("/api/v1/map?view=process&fill=rtt_var&" + kAll)["data"]["fill"];
    expect_json(empty,
                {{"metric", "rtt_var"}, {"min", nullptr}, {"max", nullptr}, {"intervals", json::array()}});
}

Test(map, focus_keeps_neighbours) {
    const auto ids = [](const std::string& query) {
        std::string out;
        const json answer = get("/api/v1/map?view=process&" + kAll + query);
        for (const auto& node : answer["data"]["nodes"]) out += node["id"].get<std::string>() + " ";
        return out;
    };
    cr_expect(ids("focus=ip:10.0.0.7") == "ip:10.0.0.7 process:nginx ");
    cr_expect(ids("focus=ip:10.0.0.7&depth=2") == "ip:10.0.0.7 process:curl process:nginx ");
    cr_expect(ids("focus=ip:10.0.0.7&depth=3") == "ip:10.0.0.7 ip:93.184.216.34 process:curl process:nginx ");
    cr_expect(ids("focus=ip:192.0.2.1").empty());
}

Test(map, the_default_range_is_two_days_for_hosts) {
    const auto length = [](const std::string& target) {
        const json answer = get(target);
        return answer["to"].get<std::int64_t>() - answer["from"].get<std::int64_t>();
    };
    cr_expect_eq(length("/api/v1/map"), 48 * 3600 * 1000);
    cr_expect_eq(length("/api/v1/map?view=process"), 900 * 1000);
    cr_expect_eq(length("/api/v1/summary"), 900 * 1000);
}

Test(map, as_csv) {
    const std::string csv =
        get_text("/api/v1/map?view=ip&fields=bytes_read&limit=1&sort=-bytes_read&format=csv&" + kAll);
    cr_expect(csv == "source,target,bytes_read\r\n\"ip:10.0.0.5\",\"ip:93.184.216.34\",40000\r\n", "%s",
              csv.c_str());
}
