// Bad requests, access and what all answers have in common.
#include <criterion/criterion.h>

#include <set>
#include <string>

#include "tests/unit/http/fixture.h"

using namespace weir;
using namespace weir::test;
using nlohmann::json;

namespace {

struct Mistake {
    const char* target;
    const char* field;
};

constexpr Mistake kMistakes[] = {
    {"/api/v1/summary?veiw=host", "veiw"},
    {"/api/v1/summary?view=pod", "view"},
    {"/api/v1/summary?view=HOST", "view"},
    {"/api/v1/summary?view=host&view=ip", "view"},
    {"/api/v1/summary?layer=l3", "layer"},
    {"/api/v1/summary?direction=sideways", "direction"},
    {"/api/v1/summary?transport=sctp", "transport"},
    {"/api/v1/summary?format=xml", "format"},
    {"/api/v1/summary?from=yesterday", "from"},
    {"/api/v1/summary?to=-0m", "to"},
    {"/api/v1/summary?from=now&to=-1m", "from"},
    {"/api/v1/summary?from=now&to=now", "from"},
    {"/api/v1/summary?q=foo:bar", "q"},
    {"/api/v1/summary?q=%28", "q"},
    {"/api/v1/summary?limit=0", "limit"},
    {"/api/v1/summary?limit=-1", "limit"},
    {"/api/v1/summary?limit=10001", "limit"},
    {"/api/v1/summary?limit=1e2", "limit"},
    {"/api/v1/summary?sort=count", "sort"},
    {"/api/v1/summary?layer=l7&sort=rtt", "sort"},
    {"/api/v1/summary?sort=--rtt", "sort"},
    {"/api/v1/summary?fields=rtt,nothing", "fields"},
    {"/api/v1/summary?fields=rtt,rtt", "fields"},
    {"/api/v1/summary?fields=rtt,,rtt_p95", "fields"},
    {"/api/v1/summary?cursor=1", "cursor"},
    {"/api/v1/series?metrics=count", "metrics"},
    {"/api/v1/series?step=60", "step"},
    {"/api/v1/series?step=500ms", "step"},
    {"/api/v1/series?step=1s&from=-48h", "step"},
    {"/api/v1/series?by=rtt", "by"},
    {"/api/v1/series?by=method", "by"},
    {"/api/v1/series?by=host,service,family,direction,transport", "by"},
    {"/api/v1/series?limit=101", "limit"},
    {"/api/v1/series?step=1s&from=-1h&by=host&limit=100", "step"},
    {"/api/v1/facets?fields=bytes_read", "fields"},
    {"/api/v1/facets?fields=path", "fields"},
    {"/api/v1/facets?limit=1001", "limit"},
    {"/api/v1/connections?by=port", "by"},
    {"/api/v1/connections?by=ip,nothing", "by"},
    {"/api/v1/connections?by=ip,client_ip", "by"},
    {"/api/v1/connections?limit=101", "limit"},
    {"/api/v1/flows?fields=latency", "fields"},
    {"/api/v1/flows?cursor=1-2-3", "cursor"},
    {"/api/v1/flows?layer=l7&slow=yes", "slow"},
    {"/api/v1/flows?layer=l4&slow=1", "slow"},
    {"/api/v1/flows?layer=l7&slow=1&fields=count", "fields"},
    {"/api/v1/flows?limit=1001", "limit"},
    {"/api/v1/flows?sort=time", "sort"},
    {"/api/v1/map?fill=latency", "fill"},
    {"/api/v1/map?fields=client", "fields"},
    {"/api/v1/map?depth=0", "depth"},
    {"/api/v1/map?limit=2001", "limit"},
    {"/api/v1/status?verbose=1", "verbose"},
};

httplib::Result get_from(const ServerUnderTest& under_test, const std::string& target,
                         const httplib::Headers& headers = {}) {
    auto client = under_test.client();
    auto answer = client.Get(target, headers);
    cr_assert(answer, "no answer to %s", target.c_str());
    return answer;
}

}  // namespace

Test(parameters, mistakes_name_the_field) {
    ServerUnderTest under_test;
    under_test.start();
    for (const Mistake& mistake : kMistakes) {
        const auto answer = get_from(under_test, mistake.target);
        cr_expect_eq(answer->status, 400, "%s: %d", mistake.target, answer->status);
        const json error = json::parse(answer->body)["error"];
        cr_expect(error["code"] == "bad_parameter", "%s: %s", mistake.target, error.dump().c_str());
        cr_expect(error["field"] == mistake.field, "%s: %s", mistake.target, error.dump().c_str());
        cr_expect(!error["message"].get<std::string>().empty());
    }
}

Test(parameters, a_view_that_does_not_exist_says_which_do) {
    const json error = get("/api/v1/summary?view=pod", 400)["error"];
    cr_expect(error["message"] == "there is no view \"pod\"; use host, process or ip");
}

Test(parameters, a_bad_search_says_where) {
    const json error = get("/api/v1/summary?q=nginx%20AND%20foo:bar", 400)["error"];
    cr_expect(error["message"].get<std::string>().ends_with(" at 10"), "%s", error.dump().c_str());
}

Test(parameters, hostile_values_come_back_as_plain_json) {
    ServerUnderTest under_test;
    under_test.start();
    const std::string hostile = "%22%3Cscript%3E%0d%0aSet-Cookie:%20x%1b%ff%00";
    for (const std::string name : {"view", "from", "q", "sort", "fields", "limit", hostile.c_str()}) {
        const auto answer = get_from(under_test, "/api/v1/summary?" + name + "=" + hostile);
        cr_expect_eq(answer->status, 400);
        cr_expect_not(answer->has_header("Set-Cookie"));
        cr_expect(json::accept(answer->body));
        for (const char c : answer->body) cr_assert(c == '\n' || (c >= ' ' && c < 0x7f));
    }
}

Test(routes, what_does_not_exist) {
    ServerUnderTest under_test;
    under_test.start();
    for (const std::string target :
         {"/api/v1/objects/host/x", "/api/v1/snapshots", "/api/v1/map/diff", "/api/v1/", "/api", "/nothing",
          "/../etc/passwd", "/app.js/", "//", "/api/v1/summary/"}) {
        const auto answer = get_from(under_test, target);
        cr_expect_eq(answer->status, 404, "%s: %d", target.c_str(), answer->status);
        cr_expect(json::parse(answer->body)["error"]["code"] == "not_found");
    }
}

Test(routes, only_get_and_head) {
    ServerUnderTest under_test;
    under_test.start();
    auto client = under_test.client();
    for (const auto& answer : {client.Post("/api/v1/summary"), client.Put("/", "", "text/plain"),
                               client.Delete("/api/v1/status"), client.Options("/")}) {
        cr_assert(answer);
        cr_expect_eq(answer->status, 405);
        cr_expect(answer->get_header_value("Allow") == "GET, HEAD");
    }
    cr_expect(client.Get("/api/v1/session")->get_header_value("Allow") == "POST");
    const auto head = client.Head("/api/v1/status");
    cr_expect_eq(head->status, 200);
    cr_expect(head->body.empty());
}

Test(headers, restrict_browsers) {
    ServerUnderTest under_test;
    under_test.start();
    for (const std::string target :
         {"/", "/api/v1/status", "/api/v1/summary?view=pod", "/nothing", "/metrics"}) {
        const auto answer = get_from(under_test, target);
        const auto header = [&](const char* name) { return answer->get_header_value(name); };
        cr_expect(header("X-Content-Type-Options") == "nosniff", "%s", target.c_str());
        cr_expect(header("Content-Security-Policy").starts_with("default-src 'self';"));
        cr_expect(header("Content-Security-Policy").find("unsafe") == std::string::npos);
        cr_expect(header("Referrer-Policy") == "no-referrer");
        cr_expect(header("X-Frame-Options") == "DENY");
        cr_expect(header("Cache-Control") == (target == "/" ? "no-cache" : "no-store"), "%s", target.c_str());
    }
}

Test(access_over_http, foreign_hosts_and_origins_are_refused_everywhere) {
    ServerUnderTest under_test;
    under_test.start();
    for (const std::string target :
         {"/", "/healthz", "/metrics", "/api/v1/status", "/api/v1/summary", "/nothing"}) {
        const auto status = [&](const httplib::Headers& headers) {
            return get_from(under_test, target, headers)->status;
        };
        cr_expect_eq(status({{"Host", "evil.example"}}), 403, "%s", target.c_str());
        cr_expect_eq(status({{"Host", under_test.address()}, {"Origin", "http://evil.example"}}), 403);
        cr_expect_neq(status({{"Host", under_test.address()}, {"Origin", "http://" + under_test.address()}}),
                      403);
    }
}

Test(access_over_http, a_token_opens_the_api) {
    ServerUnderTest under_test(ServerUnderTest::local("s3cret%41"));
    under_test.start();
    for (const std::string target :
         {"/metrics", "/api/v1/status", "/api/v1/summary", "/api/v1/openapi.yaml", "/api/v1/nothing"}) {
        const auto answer = get_from(under_test, target);
        cr_expect_eq(answer->status, 401, "%s", target.c_str());
        cr_expect(answer->get_header_value("WWW-Authenticate") == "Bearer");
        cr_expect(answer->body.find("s3cret") == std::string::npos);
        cr_expect_eq(get_from(under_test, target, {{"Authorization", "Bearer s3cretA"}})->status, 401);
        cr_expect_neq(get_from(under_test, target, {{"Authorization", "Bearer s3cret%41"}})->status, 401);
    }
    cr_expect_eq(get_from(under_test, "/")->status, 200, "the console asks for the token");
    cr_expect_eq(get_from(under_test, "/healthz")->status, 200);
}

Test(access_over_http, a_session_by_cookie) {
    ServerUnderTest under_test(ServerUnderTest::local("secret"));
    under_test.start();
    auto client = under_test.client();
    const auto post = [&](const std::string& body) {
        return client.Post("/api/v1/session", body, "application/json");
    };
    cr_expect_eq(post("{\"token\":\"wrong\"}")->status, 401);
    cr_expect_eq(post("{\"token\":\"\"}")->status, 401);
    cr_expect_eq(post("")->status, 401);
    for (const std::string body :
         {"{", "[]", "{\"token\":1}", "{\"tokem\":\"secret\"}", "{\"token\":\"secret\",\"x\":1}", "secret"}) {
        cr_expect_eq(post(body)->status, 400, "%s", body.c_str());
    }
    cr_expect_eq(client
                     .Post("/api/v1/session", {{"Origin", "http://evil.example"}}, "{\"token\":\"secret\"}",
                           "application/json")
                     ->status,
                 403);

    const auto opened = post("{\"token\":\"secret\"}");
    cr_assert_eq(opened->status, 204);
    const std::string cookie = opened->get_header_value("Set-Cookie");
    cr_expect(cookie.find("HttpOnly; SameSite=Strict") != std::string::npos);
    const std::string session = cookie.substr(0, cookie.find(';'));
    cr_expect_eq(get_from(under_test, "/api/v1/status", {{"Cookie", session}})->status, 200);
    cr_expect_eq(get_from(under_test, "/api/v1/status", {{"Cookie", session + "1"}})->status, 401);
    const auto by_header = client.Post("/api/v1/session", {{"Authorization", "Bearer secret"}}, "", "");
    cr_expect_eq(by_header->status, 204);
    cr_expect(by_header->has_header("Set-Cookie"));
}

Test(access_over_http, without_a_token_there_is_nothing_to_trade) {
    ServerUnderTest under_test;
    under_test.start();
    const auto answer = under_test.client().Post("/api/v1/session", "{\"token\":\"x\"}", "application/json");
    cr_expect_eq(answer->status, 204);
    cr_expect_not(answer->has_header("Set-Cookie"));
}

Test(faults, a_broken_store_is_said_to_be_broken) {
    ServerUnderTest under_test;
    under_test.engine.broken = true;
    under_test.start();
    for (const std::string name :
         {"summary", "series", "series?by=host", "facets", "connections", "flows", "map"}) {
        const auto answer = get_from(under_test, "/api/v1/" + name);
        cr_expect_eq(answer->status, 503, "%s", name.c_str());
        cr_expect(json::parse(answer->body)["error"]["code"] == "store_failed");
    }
    cr_expect_eq(get_from(under_test, "/api/v1/status")->status, 200);
}

Test(faults, a_disabled_store_is_said_to_be_disabled) {
    FixedClock clock;
    TestStatus status;
    http::Server server(ServerUnderTest::local(), nullptr, status, {}, clock, Logger());
    cr_assert(server.start().has_value());
    httplib::Client client("127.0.0.1", server.port());
    const auto answer = client.Get("/api/v1/summary");
    cr_expect_eq(answer->status, 503);
    cr_expect(json::parse(answer->body)["error"]["code"] == "store_disabled");
    cr_expect(json::parse(client.Get("/api/v1/status")->body)["store"].is_null());
    cr_expect_eq(client.Get("/metrics")->status, 200);
    cr_expect_eq(client.Get("/healthz")->status, 200);
}

namespace {

class ThrowingEngine : public MemoryEngine {
    query::StoreStatus status() const override { throw std::runtime_error("a secret of the inside"); }
};

}  // namespace

Test(faults, exceptions_do_not_leak) {
    FixedClock clock;
    TestStatus status;
    ThrowingEngine engine;
    std::string logged;
    http::Server server(ServerUnderTest::local(), &engine, status, {}, clock,
                        Logger([&](LogLevel, std::string_view line) { logged += line; }));
    cr_assert(server.start().has_value());
    httplib::Client client("127.0.0.1", server.port());
    const auto answer = client.Get("/api/v1/status");
    cr_expect_eq(answer->status, 500);
    cr_expect(answer->body.find("secret") == std::string::npos);
    for (const auto& [name, value] : answer->headers) cr_expect(value.find("secret") == std::string::npos);
    cr_expect_eq(client.Get("/healthz")->status, 200);
    server.stop();
    cr_expect(logged.find("a secret of the inside") != std::string::npos);
}

Test(own_state, health) {
    cr_expect(get("/healthz")["healthy"] == true);
    ServerUnderTest under_test;
    under_test.status.reason = "the kernel refused\x1b";
    under_test.start();
    const auto answer = get_from(under_test, "/healthz");
    cr_expect_eq(answer->status, 503);
    const json body = json::parse(answer->body);
    cr_expect(body["healthy"] == false && body["reason"] == "the kernel refused\x1b");
    cr_expect(body["error"]["code"] == "not_collecting");
}

Test(own_state, status) {
    const json status = get("/api/v1/status");
    cr_expect(status["version"] == "0.1.0" && status["tier"] == "tracepoint");
    cr_expect_eq(status["uptime_s"], 3600);
    cr_expect_eq(status["interval_ms"], 10'000);
    cr_expect_eq(status["coverage"]["lost"]["ring_full_http"], 12);
    cr_expect_eq(status["losses"].size(), kLossCount);
    cr_expect_eq(status["store"]["bytes_used"], 4096);
    cr_expect(status["store"]["oldest_minute"].is_null());
    cr_expect_eq(status["store"]["oldest_detail"], kNow / 1'000'000 - 200'000);
}

Test(own_state, metrics) {
    const std::string text = get_text("/metrics");
    for (const std::string line :
         {"# TYPE weir_lost_total counter\n", "weir_lost_total{reason=\"ring_full_http\"} 12\n",
          "weir_healthy 1\n",
          "weir_records_total{kind=\"tcp\"} 5\nweir_records_total{kind=\"a\\\"b\\\\c\\nd\"} 6\n",
          "weir_ring_share 0.25\n", "weir_store_used_bytes 4096\n",
          "weir_store_rows{resolution=\"detail\"} 160\n", "weir_http_responses_total{status=\"2xx\"} 0\n",
          "weir_uptime_seconds 3600\n"}) {
        cr_expect(text.find(line) != std::string::npos, "%s is missing in %s", line.c_str(), text.c_str());
    }
    // HELP and TYPE once for each name, before its samples
    std::set<std::string> typed;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
        const std::string line = text.substr(at, text.find('\n', at) - at);
        if (line.starts_with("# TYPE ")) {
            cr_expect(typed.insert(line.substr(7, line.rfind(' ') - 7)).second, "%s", line.c_str());
        } else if (line[0] != '#') {
            const std::string name = line.substr(0, line.find_first_of("{ "));
            cr_expect(name.starts_with("weir_") && typed.contains(name), "%s", line.c_str());
        }
    }
}

Test(console, files_and_their_validation) {
    ServerUnderTest under_test;
    under_test.start();
    const auto page = get_from(under_test, "/");
    cr_expect(page->get_header_value("Content-Type") == "text/html; charset=utf-8");
    cr_expect(page->body == get_from(under_test, "/index.html")->body);
    cr_expect(get_from(under_test, "/app.js?v=1")->body == "console.log(1)");
    const std::string tag = page->get_header_value("ETag");
    RawConnection connection(under_test.server.port());  // httplib's client waits for a body after 304
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIf-None-Match: " + tag +
                    "\r\n\r\n");
    const std::string again = connection.read(3000);
    cr_expect(again.starts_with("HTTP/1.1 304 Not Modified\r\n") && again.ends_with("\r\n\r\n"));
    cr_expect_eq(get_from(under_test, "/", {{"If-None-Match", "\"other\""}})->status, 200);
}
