#include "http/net/message.h"

#include <criterion/criterion.h>

#include <random>
#include <string>

using namespace weir::http;

namespace {

using State = ParsedHead::State;

ParsedHead parse(const std::string& text) { return parse_head(text); }

void expect_refused(const std::string& text, int status) {
    const ParsedHead head = parse(text);
    cr_expect_eq(head.state, State::refused, "taken: %s", text.c_str());
    cr_expect_eq(head.status, status, "%d instead of %d: %s", head.status, status,
                 text.substr(0, 80).c_str());
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

}  // namespace

Test(message, a_request_is_taken_apart) {
    const std::string head = "GET /a%20b/c?x=1&y=a+b%2B&z HTTP/1.1\r\nHost: h:1\r\nX-Odd:\t v w \t\r\n\r\n";
    const ParsedHead parsed = parse(head + "rest");
    cr_assert_eq(parsed.state, State::complete);
    cr_expect_eq(parsed.length, head.size());
    const Request& request = parsed.request;
    cr_expect(request.method == "GET");
    cr_expect(request.path == "/a b/c");
    cr_expect(request.query == Pairs({{"x", "1"}, {"y", "a b+"}, {"z", ""}}));
    cr_expect(request.header("host") == "h:1");
    cr_expect(request.header("x-odd") == "v w");
    cr_expect(request.header("missing").empty());
    cr_expect(request.keep_alive);
}

Test(message, an_incomplete_head_waits) {
    const std::string whole = get("/x");
    for (std::size_t n = 0; n < whole.size(); n++) {
        cr_assert_eq(parse(whole.substr(0, n)).state, State::incomplete, "after %zu bytes", n);
    }
    cr_expect_eq(parse(whole).state, State::complete);
}

Test(message, keep_alive) {
    const auto keeps = [](const std::string& version, const std::string& header) {
        return parse("GET / " + version + "\r\nHost: a\r\n" + header + "\r\n").request.keep_alive;
    };
    cr_expect(keeps("HTTP/1.1", ""));
    cr_expect_not(keeps("HTTP/1.1", "Connection: close\r\n"));
    cr_expect_not(keeps("HTTP/1.0", ""));
    cr_expect(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
}

Test(message, malformed_requests_are_refused) {
    expect_refused("GET / HTTP/1.1\nHost: a\n\n", 400);
    expect_refused("\nGET / HTTP/1.1\r\n\r\n", 400);
    expect_refused("GET /\r\n\r\n", 400);
    expect_refused("GET  / HTTP/1.1\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1 \r\n\r\n", 400);
    expect_refused("G\x01T / HTTP/1.1\r\n\r\n", 400);
    expect_refused("GET x HTTP/1.1\r\n\r\n", 400);
    expect_refused("GET http://a/ HTTP/1.1\r\n\r\n", 400);
    expect_refused(std::string("GET /\0 HTTP/1.1\r\n\r\n", 19), 400);
    expect_refused(get("/%zz"), 400);
    expect_refused(get("/%4"), 400);
    expect_refused(get("/?a=%"), 400);
    expect_refused("GET / HTTP/2.0\r\n\r\n", 505);
    expect_refused("GET / SPDY/1\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nNo colon\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n folded: a\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400);
    expect_refused(std::string("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 27), 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n", 400);
}

Test(message, sizes_are_bounded) {
    cr_expect_eq(parse(get("/" + std::string(8000, 'a'))).state, State::complete);
    expect_refused(get("/" + std::string(9000, 'a')), 414);
    expect_refused("GET /" + std::string(20000, 'a'), 414);  // before it has come to its end
    expect_refused("GET / HTTP/1.1\r\nA: " + std::string(20000, 'a'), 431);
    std::string many = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 101; i++) many += "A: b\r\n";
    expect_refused(many + "\r\n", 431);
}

Test(message, answers) {
    Response response;
    response.headers = {{"Content-Type", "text/plain"}};
    response.body = "hello";
    const std::string whole = serialize(response, false, true);
    cr_expect(whole.starts_with("HTTP/1.1 200 OK\r\nDate: "));
    cr_expect(whole.find("\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello") !=
              std::string::npos);
    const std::string head = serialize(response, true, false);
    cr_expect(head.ends_with("\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"));
    response.status = 204;
    cr_expect(serialize(response, false, true).find("Content-Length") == std::string::npos);
}

Test(message, random_bytes_never_break_the_parser) {
    std::mt19937 random(3);
    const std::string seed = "POST /a?b=%20 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
    for (int round = 0; round < 50000; round++) {
        std::string text = seed;
        for (auto n = random() % 6; n > 0; n--) {
            text[random() % text.size()] = static_cast<char>(random());
        }
        const ParsedHead head = parse(text);
        cr_assert(head.state != State::refused || (head.status >= 400 && !head.why.empty()));
    }
}
