// HTTP/1 as bytes, through the kernel side's own code: every split of what is common, and what is ambiguous,
// hostile or no HTTP at all. Each case says what its bytes mean (RFC 9112); both ends must come to that,
// however the bytes were cut.
#include <criterion/criterion.h>

#include <array>
#include <random>

#include "tests/unit/bpf/native_stream.h"

using namespace weir;
using namespace weir::test;

namespace {

struct Step {
    bool from_client;
    std::string bytes;
};

struct Exchange {
    std::vector<Step> steps;
    std::map<std::string, std::uint64_t> requests;

    Exchange& client(std::string bytes) {
        steps.push_back({true, std::move(bytes)});
        return *this;
    }
    Exchange& server(std::string bytes) {
        steps.push_back({false, std::move(bytes)});
        return *this;
    }
    Exchange& means(const std::string& request, std::uint64_t n = 1) {
        requests[request] += n;
        return *this;
    }
    std::size_t size() const {
        std::size_t out = 0;
        for (const Step& step : steps) out += step.bytes.size();
        return out;
    }
};

std::string get(const std::string& path, const std::string& fields = "") {
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}
std::string post(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string ok(const std::string& body, const std::string& fields = "") {
    return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
}
std::string status(int code, const std::string& fields = "Content-Length: 0\r\n") {
    return "HTTP/1.1 " + std::to_string(code) + " Whatever\r\n" + fields + "\r\n";
}
const std::string kChunked =
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nHTTP/\r\n1a;x=y\r\n1.1 500 No\r\nGET / HTTP/1.1\r\n\r\n0\r\nTrailer: 1\r\n\r\n";
const std::string kChunkedBody = "3\r\nabc\r\nA\r\nGET /x HTT\r\n000\r\n\r\n";

// Sums of what an end reports when the bytes are cut by `cut`: how many bytes of `left` the next call takes.
template <typename Cut>
Reported follow(const Exchange& exchange, bool is_server, Cut cut, bool walks = false) {
    Reported out;
    NativeEnd end(is_server, false, out);
    for (const Step& step : exchange.steps) {
        for (std::size_t at = 0; at < step.bytes.size();) {
            const std::size_t n =
                std::clamp<std::size_t>(cut(step.bytes.size() - at), 1, step.bytes.size() - at);
            end.call(step.from_client, std::string_view(step.bytes).substr(at, n));
            if (walks) end.walk();
            at += n;
        }
    }
    end.close();
    return out;
}

void expect(const Exchange& exchange, const Reported& reported, const char* name, std::size_t cut) {
    cr_assert(reported.is_sound, "%s cut at %zu", name, cut);
    if (reported.requests != exchange.requests) {
        for (const auto& [text, n] : reported.requests) cr_log_error("%s: %lu", text.c_str(), n);
    }
    cr_assert(reported.requests == exchange.requests, "%s cut at %zu", name, cut);
    cr_assert_eq(reported.bytes, exchange.size(), "%s cut at %zu: %lu bytes of %zu", name, cut,
                 reported.bytes, exchange.size());
}

// The call that a cut after `at` bytes of the whole exchange splits.
auto cut_at(std::size_t at) {
    return [at, passed = std::size_t{0}](std::size_t left) mutable {
        const std::size_t n = passed < at && at < passed + left ? at - passed : left;
        passed += n;
        return n;
    };
}

void every_cut(const Exchange& exchange, const char* name) {
    for (const bool is_server : {true, false}) {
        for (std::size_t at = 0; at < exchange.size(); at++) {
            expect(exchange, follow(exchange, is_server, cut_at(at)), name, at);
        }
        for (const std::size_t n : {1u, 2u, 3u, 7u, 16u}) {
            expect(exchange, follow(exchange, is_server, [&](std::size_t) { return n; }), name, 100000 + n);
            expect(exchange,
                   follow(
                       exchange, is_server, [&](std::size_t) { return n; }, true),
                   name, 200000 + n);
        }
    }
}

}  // namespace

Test(http1_streams, one_request) {
    every_cut(Exchange().client(get("/a")).server(ok("hello")).means("GET /a 200"), "get");
    every_cut(Exchange().client(post("/b", "0123456789")).server(status(404)).means("POST /b 404"), "post");
    every_cut(Exchange()
                  .client("GET /old HTTP/1.0\r\n\r\n")
                  .server("HTTP/1.0 200 OK\r\n\r\nuntil the end")
                  .means("GET /old 200"),
              "1.0");
    every_cut(Exchange().client(get("/chunks")).server(kChunked).means("GET /chunks 201"), "chunked");
}

Test(http1_streams, every_method) {
    for (const char* method : {"GET", "PUT", "POST", "HEAD", "PATCH", "TRACE", "DELETE", "OPTIONS"}) {
        const std::string text = method;
        every_cut(Exchange()
                      .client(text + " /m HTTP/1.1\r\nHost: x\r\n\r\n")
                      .server(status(204, ""))
                      .means(text + " /m 204"),
                  method);
    }
    every_cut(Exchange().client("OPTIONS * HTTP/1.1\r\n\r\n").server(status(200)).means("OPTIONS * 200"),
              "asterisk");
}

Test(http1_streams, one_after_the_other) {
    Exchange exchange;
    for (int i = 0; i < 4; i++) exchange.client(get("/same")).server(ok("hello")).means("GET /same 200");
    exchange.client(post("/p", "GET /in-a-body HTTP/1.1\r\n\r\n")).server(kChunked).means("POST /p 201");
    exchange.client(get("/same")).server(status(304, "Content-Length: 500\r\n")).means("GET /same 304");
    exchange.client("HEAD /h HTTP/1.1\r\n\r\n").server(ok("").replace(34, 1, "9")).means("HEAD /h 200");
    exchange.client(get("/last")).server(status(500)).means("GET /last 500");
    every_cut(exchange, "keep-alive");
}

// RFC 9112, section 2.2
Test(http1_streams, empty_lines_before_a_request) {
    Exchange exchange;
    exchange.client("\r\n" + get("/a")).server(ok("x")).client("\r\n\r\n" + get("/b")).server(ok("y"));
    exchange.means("GET /a 200").means("GET /b 200");
    every_cut(exchange, "empty lines");
}

Test(http1_streams, pipelines_are_answered_in_order) {
    Exchange exchange;
    exchange.client(get("/1") + post("/2", "body") + get("/3") + "HEAD /4 HTTP/1.1\r\n\r\n" + get("/5"));
    exchange.server(ok("first") + kChunked + status(204, "") + status(200, "Content-Length: 7\r\n") +
                    ok("last"));
    exchange.means("GET /1 200")
        .means("POST /2 201")
        .means("GET /3 204")
        .means("HEAD /4 200")
        .means("GET /5 200");
    every_cut(exchange, "pipeline");

    Exchange staggered;
    staggered.client(get("/1")).client(get("/2")).server(ok("one")).client(get("/3")).server(ok("two") +
                                                                                             status(404));
    staggered.means("GET /1 200").means("GET /2 200").means("GET /3 404");
    every_cut(staggered, "staggered");
}

Test(http1_streams, interim_responses) {
    Exchange exchange;
    exchange.client("PUT /up HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    exchange.server("HTTP/1.1 100 Continue\r\n\r\n")
        .client("body")
        .server("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + status(201));
    exchange.means("PUT /up 201");
    every_cut(exchange, "continue");

    Exchange early;
    early.client("PUT /up HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo").server(status(413)).client("dy");
    early.client(get("/next")).server(ok("x")).means("PUT /up 413").means("GET /next 200");
    every_cut(early, "answered before the request has ended");
}

Test(http1_streams, queries_are_never_kept) {
    every_cut(Exchange().client(get("/q?secret=1&b=?")).server(ok("")).means("GET /q 200"), "query");
    every_cut(
        Exchange().client(get("http://host.example:80/abs?secret")).server(ok("")).means("GET /abs 200"),
        "absolute");
    every_cut(Exchange()
                  .client(get("/" + std::string(120, 'p') + "?" + std::string(300, 's')))
                  .server(ok(""))
                  .means("GET /" + std::string(120, 'p') + " 200"),
              "long query");
}

Test(http1_streams, a_long_path_is_cut) {
    const std::string kept = "/" + std::string(WEIR_HTTP_HEAD_MAX - 5, 'p');
    every_cut(
        Exchange().client(get("/" + std::string(700, 'p'))).server(ok("x")).means("GET " + kept + " 200"),
        "long path");
}

Test(http1_streams, header_lines_of_64_kib) {
    const std::string fields = "X-Long: " + std::string(65536, 'x') + "\r\nContent-Length: 3\r\n";
    Exchange exchange;
    exchange.client("POST /long HTTP/1.1\r\n" + fields + "\r\nabc");
    exchange.server("HTTP/1.1 200 OK\r\n" + fields + "\r\nabc").means("POST /long 200");
    exchange.client(get("/next")).server(ok("x")).means("GET /next 200");
    for (const bool is_server : {true, false}) {
        for (const std::size_t n : {1u, 511u, 512u, 513u, 4096u, 65536u, 1u << 20}) {
            expect(exchange, follow(exchange, is_server, [&](std::size_t) { return n; }), "64 KiB", n);
        }
    }
}

Test(http1_streams, tunnels_and_upgrades_are_left) {
    Exchange upgrade;
    upgrade.client(get("/ws", "Upgrade: websocket\r\n")).server(status(101, "Upgrade: websocket\r\n"));
    upgrade.means("GET /ws 101");
    const std::size_t before = upgrade.size();
    upgrade.client("\x81\x05hello GET /not HTTP/1.1\r\n\r\n").server("HTTP/1.1 500 No\r\n\r\n");
    Exchange tunnel;
    tunnel.client("CONNECT b.example:443 HTTP/1.1\r\n\r\n")
        .server("HTTP/1.1 200 OK\r\n\r\n")
        .means("CONNECT b.example:443 200");
    tunnel.client(get("/not")).server(ok(""));
    for (const Exchange* exchange : {&upgrade, &tunnel}) {
        for (const bool is_server : {true, false}) {
            for (std::size_t at = 0; at < exchange->size(); at++) {
                const Reported reported = follow(*exchange, is_server, cut_at(at));
                cr_assert(reported.requests == exchange->requests, "cut at %zu", at);
            }
        }
    }
    cr_assert_geq(follow(upgrade, true, cut_at(0)).bytes, before);
}

// Where readers have disagreed, and requests were smuggled: section 6.3 says who is right.
Test(http1_streams, ambiguous_lengths) {
    const auto both = [](const std::string& fields, const std::string& body, const char* name) {
        Exchange exchange;
        exchange.client("POST /first HTTP/1.1\r\n" + fields + "\r\n" + body)
            .server(ok("x"))
            .means("POST /first 200");
        exchange.client(get("/second")).server(ok("y")).means("GET /second 200");
        every_cut(exchange, name);
    };
    both("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", kChunkedBody,
         "chunked wins over a length before");
    both("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", kChunkedBody, "and over one behind");
    both("transfer-encoding: gzip, chunked\r\n", kChunkedBody, "the last coding counts");
    both("TRANSFER-ENCODING:   Chunked  \r\n", kChunkedBody, "case and spaces");
    both("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", "abc", "a coding that ends like it");
    both("Transfer-Encoding: chchunked\r\nContent-Length: 3\r\n", "abc", "a coding that begins like it");
    both("X-Content-Length: 99\r\nContent-Length-X: 99\r\nContent-Length: 3\r\n", "abc", "other fields");
    both("Content-Length: 3\r\nContent-Length: 3\r\n", "abc", "the same length twice");
    both("Content-Length:3\n", "abc", "line feeds alone");
    both("Transfer-Encoding: chunked\r\n", "3;ext=\"0\"\r\nabc\r\n0;x\r\nTrailer: Content-Length: 9\r\n\r\n",
         "extensions");
}

Test(http1_streams, requests_without_an_answer) {
    Exchange exchange;
    exchange.client(get("/1")).server(ok("x")).client(get("/2") + get("/3"));
    exchange.means("GET /1 200").means("GET /2 0").means("GET /3 0");
    every_cut(exchange, "no answer");
}

Test(http1_streams, what_is_no_http_is_left) {
    for (const char* bytes : {"SSH-2.0-OpenSSH_9.2\r\n", "GETS /a HTTP/1.1\r\n\r\n",
                              "GET\t/a HTTP/1.1\r\n\r\n", "get /a HTTP/1.1\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n",
                              "\x16\x03\x01\x02GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n"}) {
        Exchange exchange;
        exchange.client(bytes).server("answer\r\n").client(get("/never")).server(ok("x"));
        for (const bool is_server : {true, false}) {
            cr_assert(follow(exchange, is_server, [](std::size_t left) { return left; }).requests.empty(),
                      "%s", bytes);
        }
    }
}

Test(http1_streams, empty_vectors) {
    for (const bool is_server : {true, false}) {
        Reported reported;
        NativeEnd end(is_server, false, reported);
        for (int i = 0; i < 3; i++) {
            const std::string request = get("/v"), response = ok("x");
            end.call(true, {std::string_view(), std::string_view(), request});
            end.call(false, {std::string_view(), response, std::string_view()});
        }
        end.close();
        cr_assert_eq(reported.requests["GET /v 200"], 3u, "%d", is_server);
    }
}

Test(http1_streams, vectors_of_one_call) {
    Exchange exchange;
    exchange.client(get("/v1") + post("/v2", "body")).server(ok("hello") + kChunked);
    exchange.means("GET /v1 200").means("POST /v2 201");
    for (const bool is_server : {true, false}) {
        for (std::size_t n = 1; n < 40; n++) {
            Reported reported;
            NativeEnd end(is_server, false, reported);
            for (const Step& step : exchange.steps) {
                std::vector<std::string_view> parts;
                for (std::size_t at = 0; at < step.bytes.size(); at += n) {
                    parts.push_back(std::string_view(step.bytes).substr(at, n));
                    parts.push_back({});
                }
                end.call(step.from_client, parts);
            }
            end.close();
            expect(exchange, reported, "vectors", n);
        }
    }
}

Test(http1_streams, bodies_that_nobody_can_read_are_counted) {
    Exchange exchange;
    exchange.client(get("/file")).means("GET /file 200").client(get("/next")).means("GET /next 404");
    for (const bool is_server : {true, false}) {
        Reported reported;
        NativeEnd end(is_server, false, reported);
        const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        end.call(true, exchange.steps[0].bytes);
        end.call(false, head);
        end.unreadable(false, 60000);
        end.unreadable(false, 40000);
        end.call(true, exchange.steps[1].bytes);
        end.call(false, status(404));
        end.close();
        cr_assert(reported.requests == exchange.requests);
        cr_assert_eq(reported.bytes, exchange.size() + head.size() + 100000 + status(404).size());
    }
}

// A proxy that splices reads heads only.
Test(http1_streams, bodies_that_are_received_unseen) {
    constexpr std::size_t kBody = 100'000;
    const std::string length = "Content-Length: 100000\r\n\r\n", chunk = "186a0\r\n";
    const std::string put = "PUT /a HTTP/1.1\r\n" + length;
    const std::string put_chunked = "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk;
    const std::string end_of_chunked = "0\r\n\r\n", head = "HTTP/1.1 200 OK\r\n" + length;
    {
        Reported reported;
        NativeEnd end(true, false, reported);
        end.call(true, put + "1234");
        end.unseen(kBody - 4);
        end.call(false, ok(""));
        end.call(true, put_chunked);
        end.unseen(kBody + 2);
        end.call(true, end_of_chunked);
        end.call(false, ok(""));
        for (int i = 0; i < 2; i++) {
            end.call(true, get("/c"));
            end.call(false, ok(""));
        }
        end.close();
        cr_assert(reported.requests == (std::map<std::string, std::uint64_t>{
                                           {"PUT /a 200", 1}, {"PUT /b 200", 1}, {"GET /c 200", 2}}));
        cr_assert_eq(reported.bytes, put.size() + put_chunked.size() + end_of_chunked.size() +
                                         2 * get("/c").size() + 4 * ok("").size() + 2 * kBody + 2);
    }
    Reported reported;
    NativeEnd end(false, false, reported);
    for (int i = 0; i < 3; i++) {
        end.call(true, get("/"));
        end.call(false, head);
        end.unseen(kBody);
    }
    // pipelined: responses are followed to their ends from here on
    end.call(true, get("/x") + get("/y"));
    for (int i = 0; i < 2; i++) {
        end.call(false, head + "12");
        end.unseen(kBody - 2);
    }
    end.call(true, get("/z"));
    end.call(false, status(404));
    end.close();
    cr_assert(reported.requests ==
              (std::map<std::string, std::uint64_t>{
                  {"GET / 200", 3}, {"GET /x 200", 1}, {"GET /y 200", 1}, {"GET /z 404", 1}}));
    cr_assert_eq(reported.bytes, 3 * get("/").size() + 3 * get("/x").size() + 5 * head.size() + 5 * kBody +
                                     status(404).size());
}

Test(http1_streams, who_is_passed_by_and_who_is_no_longer) {
    for (const bool is_server : {true, false}) {
        Reported reported;
        NativeEnd end(is_server, false, reported);
        native_pass_by(1);
        end.call(true, get("/unseen"));
        end.call(false, ok("x"));
        cr_assert(reported.requests.empty());
        native_pass_by(0);
        end.call(true, get("/at the change"));
        end.call(false, ok("x"));
        end.call(true, get("/seen"));
        end.call(false, ok("x"));
        native_pass_by(1);
        end.call(true, get("/followed"));
        end.call(false, ok("x"));
        end.close();
        cr_assert(reported.requests ==
                  (std::map<std::string, std::uint64_t>{{"GET /seen 200", 1}, {"GET /followed 200", 1}}));
        native_pass_by(0);
    }
}

Test(http1_streams, joined_midway) {
    const std::string body(3000, 'b');
    for (const bool is_server : {true, false}) {
        Reported reported;
        NativeEnd end(is_server, true, reported);
        end.call(false, body);
        end.call(true, "the end of a request");
        end.call(false, ok("of a request that was not seen"));
        end.call(true, get("/seen"));
        end.call(false, ok("x"));
        end.close();
        cr_assert(reported.requests == (std::map<std::string, std::uint64_t>{{"GET /seen 200", 1}}));
    }
}

// A stream of random requests, cut at random.
Test(http1_streams, random_exchanges_cut_at_random) {
    std::mt19937 random(1);
    const auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };
    for (int round = 0; round < 3000; round++) {
        Exchange exchange;
        std::string requests, responses;
        for (unsigned i = 0, n = 1 + below(12); i < n; i++) {
            const std::string path =
                "/" + std::string(below(3) == 0 ? below(150) : below(10), 'x') + std::to_string(below(4));
            const bool has_body = below(3) == 0;
            const std::string body(below(700), 'b');
            requests +=
                has_body ? post(path, body) : get(path, "X: " + std::string(below(600), 'h') + "\r\n");
            const unsigned kind = below(5);
            const char* const code = kind == 0 ? "201" : kind == 1 ? "204" : "200";
            responses += below(8) == 0 ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
            responses += kind == 0   ? kChunked
                         : kind == 1 ? status(204, "")
                                     : ok(std::string(below(900), 'r'));
            exchange.means((has_body ? "POST " : "GET ") + path + " " + code);
            if (below(3) != 0 || i + 1 == n) {
                exchange.client(std::exchange(requests, "")).server(std::exchange(responses, ""));
            }
        }
        const unsigned longest = 1 + below(below(2) == 0 ? 20 : 2000);
        const auto cut = [&](std::size_t) { return 1 + below(longest); };
        expect(exchange, follow(exchange, below(2) == 0, cut, below(2) == 0), "random",
               static_cast<std::size_t>(round));
    }
}
