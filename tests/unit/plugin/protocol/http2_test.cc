#include "plugin/protocol/http2.h"

#include <criterion/criterion.h>

#include "tests/unit/plugin/protocol/http2_wire.h"

using namespace weir::protocol;
using namespace weir::test;

namespace {

void expect(const Log& log, const std::vector<std::string>& wanted) {
    const auto texts = log.texts();
    cr_assert_eq(texts.size(), wanted.size(), "%zu requests, not %zu", texts.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); i++) {
        cr_assert_str_eq(texts[i].c_str(), wanted[i].c_str());
    }
}

void begin(Watched& w) {
    w.client(client_begin());
    w.server(settings());
}

}  // namespace

Test(http2, a_request_and_its_response) {
    Watched w;
    Peer client, server;
    begin(w);
    w.time = 99;
    w.client(client.get(1, "/a?secret=1"));
    w.time = 199;
    w.server(server.headers(1, {{":status", "200"}}, false));
    w.time = 299;
    w.server(data(1, std::string(1000, 'x'), true));
    expect(w.log, {"GET /a 200 -1"});
    const Http2Request& request = w.log.entries[0].request;
    cr_assert_eq(request.begin_ns, 100u);
    cr_assert_eq(request.response_ns, 200u);
    cr_assert_eq(request.end_ns, 300u);
    cr_assert_gt(request.response_bytes, 1000u + 2 * kFrameHeaderSize);
    cr_assert_eq(w.connection.stream_count(), 0u);
}

Test(http2, bytes_of_all_requests_are_those_of_the_connection) {
    Watched w;
    Peer client, server;
    std::size_t bytes = 0;
    const auto pass = [&](bool from_client, const std::string& piece) {
        w.feed(from_client, piece);
        bytes += piece.size();
    };
    pass(true, client_begin());
    pass(false, settings() + frame(FrameType::window_update, 0, 0, std::string("\0\0\1\0", 4)));
    pass(true, frame(FrameType::ping, 0, 0, "12345678"));
    pass(true, in_order({client.get(1, "/a"), client.get(3, "/b")}));
    pass(true, frame(FrameType::window_update, 0, 3, std::string("\0\0\1\0", 4)));
    pass(false, server.headers(3, {{":status", "200"}}, false) + data(3, "0123456789", false));
    pass(false, data(3, "", true) + server.answer(1, "404"));
    expect(w.log, {"GET /b 200 -1", "GET /a 404 -1"});
    cr_assert_eq(w.log.bytes, bytes);
}

Test(http2, grpc_has_its_status_from_the_trailers) {
    Watched w;
    Peer client, server;
    begin(w);
    const HeaderList call = {
        {":method", "POST"}, {":path", "/s/M"}, {"content-type", "application/grpc"}, {"te", "trailers"}};
    w.client(client.headers(1, call, false) + data(1, "ask", true));
    w.server(server.headers(1, {{":status", "200"}, {"content-type", "application/grpc"}}, false));
    w.server(in_order({data(1, "tell", false), server.headers(1, {{"grpc-status", "0"}}, true)}));
    w.client(client.headers(3, call, false));
    w.server(server.headers(3, {{":status", "200"}, {"grpc-status", "12"}, {"grpc-message", "no"}}, true));
    expect(w.log, {"POST /s/M 200 0", "POST /s/M 200 12"});
}

Test(http2, a_stream_goes_on_after_an_interim_response) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.headers(1, {{":method", "PUT"}, {":path", "/up"}, {"expect", "100-continue"}}, false));
    w.server(server.headers(1, {{":status", "100"}}, false));
    w.client(data(1, "body", false));
    w.server(server.headers(1, {{":status", "103"}}, false));
    w.time = 500;
    w.server(server.headers(1, {{":status", "201"}}, false) + data(1, "", true));
    w.client(data(1, "late", true));
    w.client(client.headers(1, {{"x-trailer", "late"}}, true));
    expect(w.log, {"PUT /up 201 -1"});
    cr_assert_eq(w.log.entries[0].request.response_ns, 501u);
}

Test(http2, padding_priority_and_continuation) {
    Watched w;
    Peer client, server;
    begin(w);
    const std::string block = client.block({{":method", "GET"}, {":path", "/padded"}, {"x", "0123456789"}});
    const std::string priority = std::string("\x03\0\0\0\0\x10", 6);
    w.client(frame(FrameType::headers, kPadded | kHasPriority | kEndStream, 1,
                   priority + block.substr(0, 5) + std::string(3, '\0')));
    w.client(frame(FrameType::continuation, 0, 1, block.substr(5, 1)));
    w.client(frame(FrameType::continuation, 0, 1, ""));
    w.client(frame(FrameType::continuation, kEndHeaders, 1, block.substr(6)));
    w.client(frame(FrameType::priority, 0, 3, std::string(5, '\0')));
    w.server(server.answer(1, "204"));
    expect(w.log, {"GET /padded 204 -1"});
}

Test(http2, resets_and_goaway_end_streams) {
    Watched w;
    Peer client, server;
    begin(w);
    for (const std::uint32_t id : {1u, 3u, 5u, 7u, 9u}) w.client(client.get(id, "/" + std::to_string(id)));
    w.client(frame(FrameType::rst_stream, 0, 1, std::string(4, '\0')));
    w.server(server.headers(3, {{":status", "500"}}, false));
    w.server(frame(FrameType::rst_stream, 0, 3, std::string(4, '\0')));
    w.server(frame(FrameType::goaway, 0, 0, std::string("\0\0\0\5\0\0\0\0", 8)));
    expect(w.log, {"GET /1 0 -1", "GET /3 500 -1", "GET /7 0 -1", "GET /9 0 -1"});
    w.server(server.headers(5, {{":status", "200"}}, false));
    w.connection.close();
    cr_assert_str_eq(w.log.entries.back().text.c_str(), "GET /5 200 -1");
    cr_assert_eq(w.log.count, 5u);
}

Test(http2, connect_has_its_authority_for_a_path) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.headers(1, {{":method", "CONNECT"}, {":authority", "b.example:443"}}, false));
    w.server(server.headers(1, {{":status", "200"}}, false));
    w.connection.close();
    expect(w.log, {"CONNECT b.example:443 200 -1"});
}

Test(http2, pushes_are_ignored_but_for_their_headers) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/a"));
    const HeaderList pushed = {{":method", "GET"}, {":path", "/pushed"}, {"x-a", "b"}};
    w.server(
        frame(FrameType::push_promise, kEndHeaders, 1, std::string("\0\0\0\2", 4) + server.block(pushed)));
    w.server(server.headers(1, {{":status", "302"}, {"x-a", "b"}}, true));
    w.server(server.headers(2, {{":status", "200"}}, false) + data(2, "x", true));
    w.client(client.get(3, "/c"));
    w.server(server.headers(3, {{":status", "302"}}, true));
    expect(w.log, {"GET /a 302 -1", "GET /c 302 -1"});
    cr_assert_eq(w.log.lost(Http2Loss::headers_unknown), 0u);
}

Test(http2, an_upgraded_connection_has_its_first_request_already) {
    Watched w;
    Peer client, server;
    Http2Request first;
    first.method = "GET";
    first.path = "/first";
    first.begin_ns = 1;
    w.connection.begin_upgraded(&first);
    w.miss(true, 200);
    w.miss(false, 80);
    w.server(settings());
    w.client(client_begin());
    w.server(server.answer(1, "200"));
    w.client(client.get(3, "/second"));
    w.server(server.answer(3, "200"));
    expect(w.log, {"GET /first 200 -1", "GET /second 200 -1"});
}

Test(http2, a_long_path_is_cut) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/" + std::string(5000, 'p') + "?q"));
    w.server(server.answer(1, "200"));
    cr_assert(w.log.entries[0].request.path_truncated);
    cr_assert_eq(w.log.entries[0].text.size(), std::string("GET  200 -1").size() + kMaxHttp2Path);
}

Test(http2, bytes_of_a_long_response_are_reported_on_the_way) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/stream"));
    w.connection.flush(1);
    cr_assert(w.log.entries.empty(), "no response yet");
    w.server(server.headers(1, {{":status", "200"}}, false));
    w.server(data(1, std::string(1000, 'x'), false));
    w.connection.flush(2);
    cr_assert_eq(w.log.count, 0u);
    cr_assert_gt(w.log.bytes, 1000u);
    const std::uint64_t before = w.log.bytes;
    w.connection.flush(3);
    cr_assert_eq(w.log.bytes, before);
    w.server(data(1, "", true));
    cr_assert_eq(w.log.count, 1u);
    cr_assert_eq(w.log.bytes, before + kFrameHeaderSize);
}

Test(http2, a_response_may_be_seen_before_its_request) {
    Watched w;
    Peer client, server;
    begin(w);
    w.server(server.answer(1, "200"));
    cr_assert(w.log.entries.empty());
    w.client(client.get(1, "/a"));
    expect(w.log, {"GET /a 200 -1"});
    const Http2Request& request = w.log.entries[0].request;
    cr_assert_eq(request.response_ns, request.begin_ns, "never negative");
}

Test(http2, joined_midway_headers_are_unknown_until_they_are_spelled_out) {
    Watched w;
    IndexingPeer client, server;
    // before the start: fills both tables, and leaves a request without an answer
    const std::string before =
        in_order({client_begin(), client.get(1, "/old"), client.get(3, "/unanswered")});
    server.answer(1, "418");
    w.miss(true, before.size());
    w.miss(false, 200);

    w.server(server.answer(3, "200"));
    w.client(client.get(5, "/old"));
    w.server(server.answer(5, "418"));
    w.client(client.get(7, "/new"));
    w.server(server.answer(7, "500"));
    w.client(client.get(9, "/old"));
    w.client(client.get(11, "/new"));
    w.server(in_order({server.answer(9, "200"), server.answer(11, "503")}));
    w.client(client.get(13, "/"));
    w.server(server.answer(13, "503"));
    expect(w.log,
           {"GET unknown 0 -1", "GET /new 500 -1", "GET unknown 200 -1", "GET /new 503 -1", "GET / 503 -1"});
    cr_assert_eq(w.log.lost(Http2Loss::headers_unknown), 2u);
}

Test(http2, joined_midway_with_a_table_larger_than_usual) {
    Watched w;
    IndexingPeer client, server;
    for (std::uint32_t i = 0; i < 200; i++) client.get(2 * i + 1, "/old/" + std::to_string(i));
    w.miss(true, 20000);
    w.client(client.get(401, "/old/0"));
    w.server(server.answer(401, "200"));
    w.client(client.get(403, "/old/150"));
    w.client(client.get(405, "/new"));
    w.client(client.get(407, "/new"));
    w.server(in_order({server.answer(403, "200"), server.answer(405, "200"), server.answer(407, "200")}));
    expect(w.log, {"GET unknown 200 -1", "GET unknown 200 -1", "GET /new 200 -1", "GET /new 200 -1"});
}

Test(http2, a_table_may_change_its_size) {
    Watched w;
    Peer client, server;
    begin(w);
    std::uint32_t id = 1;
    for (const std::size_t size : {0u, 4096u, 65536u, 100u, 8192u}) {
        client.set_table_size(size);
        server.set_table_size(size);
        for (int i = 0; i < 100; i++, id += 2) {
            w.client(client.get(id, "/a"));
            w.server(server.headers(id, {{":status", "302"}, {"x", std::to_string(i % 9)}}, true));
        }
    }
    cr_assert_eq(w.log.lost(Http2Loss::headers_unknown), 0u);
    cr_assert_eq(w.log.count, 500u);
}

Test(http2, bytes_missing_from_a_body_do_no_harm) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/a"));
    const std::string body = data(1, std::string(10000, 'x'), true);
    w.server(server.headers(1, {{":status", "200"}}, false) + body.substr(0, 500));
    w.miss(false, body.size() - 600);
    w.server(body.substr(body.size() - 100));
    expect(w.log, {"GET /a 200 -1"});
    cr_assert_eq(w.log.lost(Http2Loss::bytes_missing), 0u);
    cr_assert_gt(w.log.entries[0].request.response_bytes, 10000u, "bytes are the socket's");
    // missing up to a body's very end
    w.client(client.get(3, "/b"));
    w.server(server.headers(3, {{":status", "200"}}, false) + body.substr(0, kFrameHeaderSize - 1) + "\x03");
    w.miss(false, 10000);
    w.server(frame(FrameType::ping, 0, 0, "12345678"));
    cr_assert_eq(w.log.count, 2u);
    cr_assert_eq(w.log.lost(Http2Loss::bytes_missing), 0u);
}

Test(http2, a_response_is_over_with_its_last_frames_header) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/a"));
    const std::string last = data(1, std::string(10000, 'x'), true);
    w.server(in_order({server.headers(1, {{":status", "200"}}, false), last.substr(0, kFrameHeaderSize)}));
    expect(w.log, {"GET /a 200 -1"});
    cr_assert_gt(w.log.bytes, 10000u, "its payload is left out and counted");
    const std::uint64_t before = w.log.bytes;
    w.server(last.substr(kFrameHeaderSize, 5000));
    w.miss(false, 5000);
    w.client(client.get(3, "/b"));
    w.server(server.answer(3, "200"));
    expect(w.log, {"GET /a 200 -1", "GET /b 200 -1"});
    cr_assert_lt(w.log.bytes, before + 200, "once");
}

Test(http2, requests_in_lost_bytes_are_counted) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/a"));
    std::string hidden;
    for (std::uint32_t id = 3; id < 23; id += 2) hidden += client.get(id, "/hidden");
    w.miss(true, hidden.size());
    for (std::uint32_t id = 1; id < 23; id += 2) w.server(server.answer(id, "200"));
    w.client(client.get(23, "/hidden"));
    w.client(client.get(25, "/b"));
    w.server(in_order({server.answer(23, "200"), server.answer(25, "200")}));
    w.connection.close();
    cr_assert_eq(w.log.count, 13u);
    cr_assert_eq(w.log.lost(Http2Loss::bytes_missing), 1u);
    cr_assert_str_eq(w.log.entries.back().text.c_str(), "GET /b 200 -1");
}

Test(http2, lost_requests_and_lost_responses_are_counted_too) {
    Watched w;
    Peer client, server;
    begin(w);
    std::string hidden;
    for (std::uint32_t id = 1; id < 2001; id += 2) hidden += client.get(id, "/hidden/" + std::to_string(id));
    w.client(client.get(2001, "/a"));
    w.server(server.answer(2001, "200"));
    w.miss(true, hidden.size());
    w.miss(false, 30000);
    w.client(client.get(4001, "/b"));
    w.server(server.answer(4001, "200"));
    w.connection.flush(1);
    w.connection.flush(60'000'000'000);
    cr_assert_eq(w.log.count, 1001u);
}

Test(http2, a_hole_is_no_larger_than_the_lost_bytes_can_explain) {
    Watched w;
    Peer client;
    begin(w);
    w.client(client.get(1, "/a"));
    w.miss(true, 100);
    w.client(client.get(0x7ffffff1, "/b"));
    w.connection.close();
    cr_assert_leq(w.log.count, 2u + 10u);
}

Test(http2, streams_are_bounded_and_none_is_lost) {
    Watched w({.streams = 10, .damaged_ns = 1});
    Peer client, server;
    begin(w);
    for (std::uint32_t id = 1; id < 201; id += 2) w.client(client.get(id, "/a"));
    cr_assert_eq(w.connection.stream_count(), 10u);
    for (std::uint32_t id = 1; id < 201; id += 2) w.server(server.answer(id, "200"));
    cr_assert_eq(w.log.count, 100u);
    cr_assert_eq(w.log.lost(Http2Loss::streams_full), 90u);
}

Test(http2, memory_is_bounded_and_none_is_lost) {
    Watched w({}, 12000);
    Peer client, server;
    begin(w);
    for (std::uint32_t id = 1; id < 2001; id += 2)
        w.client(client.get(id, "/" + std::string(100, 'a') + std::to_string(id)));
    for (std::uint32_t id = 1; id < 2001; id += 2) w.server(server.answer(id, "200"));
    w.connection.close();
    cr_assert_eq(w.log.count, 1000u);
    cr_assert_gt(w.log.lost(Http2Loss::streams_full), 0u);
}

Test(http2, what_is_taken_from_the_budget_comes_back) {
    MemoryBudget budget(1 << 20);
    {
        Log log;
        Http2Connection connection(budget, log);
        Peer client;
        const std::string begin = client_begin() + client.get(1, "/a");
        connection.feed({true, 1, 0, begin});
        cr_assert_gt(budget.used(), 0u);
        // a response, and the loss of its request: the same stream twice
        Peer server;
        connection.feed({false, 2, 0, in_order({settings(), server.answer(3, "200")})});
        connection.feed({true, 3, begin.size() + 100, client.get(5, "/b")});
        cr_assert_eq(log.count, 1u);
    }
    cr_assert_eq(budget.used(), 0u);
}

Test(http2, what_is_no_http2_is_searched_and_left) {
    Watched w;
    w.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    w.server("HTTP/1.1 200 OK\r\n\r\n");
    w.server(std::string(5000, '\0'));
    w.connection.close();
    cr_assert_eq(w.log.count, 0u);
    Peer client, server;
    w.client(client_begin() + client.get(1, "/late"));
    w.server(settings() + server.answer(1, "200"));
    expect(w.log, {"GET /late 200 -1"});
}

Test(http2, nonsense_is_counted_and_left_behind) {
    Watched w;
    Peer client, server;
    begin(w);
    w.client(client.get(1, "/a"));
    w.client(frame(FrameType::window_update, 0, 0, "bad"));
    cr_assert_eq(w.log.lost(Http2Loss::bytes_missing), 1u);
    w.client(client.get(3, "/b"));
    w.server(in_order({server.answer(1, "200"), server.answer(3, "200")}));
    expect(w.log, {"GET /a 200 -1", "GET /b 200 -1"});
    // headers that cannot be decompressed
    w.client(frame(FrameType::headers, kEndHeaders | kEndStream, 5, "\xff\xff\xff\xff\xff\xff\xff"));
    w.server(server.answer(5, "200"));
    w.client(client.get(7, "/a"));
    w.server(server.answer(7, "200"));
    cr_assert_eq(w.log.count, 4u);
    cr_assert_str_eq(w.log.entries[2].text.c_str(), "unknown unknown 200 -1");
}
