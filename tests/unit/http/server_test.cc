// The server as its clients and its host see it: listening, limits, silence, restarts, signals.
#include "http/server.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <csignal>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/http/fixture.h"

using namespace weir;
using namespace weir::http;
using namespace weir::test;

namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kGet[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr char kGetAndClose[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

template <typename Action>
milliseconds duration_of(Action action) {
    const auto began = SteadyClock::now();
    action();
    return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
}

template <typename Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 500 && !condition(); i++) std::this_thread::sleep_for(milliseconds(10));
    return condition();
}

std::vector<std::string> entries_of(const char* directory) {
    std::vector<std::string> out;
    DIR* const open = opendir(directory);
    while (const dirent* entry = readdir(open)) {
        if (entry->d_name[0] != '.') out.emplace_back(entry->d_name);
    }
    closedir(open);
    return out;
}

std::string line_of(const std::string& file, const std::string& begin) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(begin)) return line;
    }
    return {};
}

std::size_t http_threads() {
    std::size_t out = 0;
    for (const auto& task : entries_of("/proc/self/task")) {
        if (line_of("/proc/self/task/" + task + "/comm", "http-") != "") out++;
    }
    return out;
}

void expect_answers_quickly(const ServerUnderTest& under_test) {
    int status = 0;
    const auto time = duration_of([&] {
        auto client = under_test.client();
        if (const auto answer = client.Get("/healthz")) status = answer->status;
    });
    cr_expect_eq(status, 200);
    cr_expect_lt(time.count(), 1000, "%ld ms", time.count());
}

std::string status_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

std::string answer_to(std::uint16_t port, const std::string& request) {
    RawConnection connection(port);
    connection.send(request);
    std::string out;
    for (int i = 0; i < 150 && out.empty(); i++) out = connection.read(20);
    return out;
}

void expect_status(std::uint16_t port, const std::string& request, const std::string& status) {
    const std::string line = status_line(answer_to(port, request));
    cr_expect(line.starts_with("HTTP/1.1 " + status + " "), "%s instead of %s", line.c_str(), status.c_str());
}

Error start_error(ServerOptions options) {
    ServerUnderTest under_test(std::move(options));
    const auto started = under_test.server.start();
    cr_assert(!started.has_value(), "it started");
    return started.error();
}

}  // namespace

Test(server, listens_on_a_free_port) {
    ServerUnderTest under_test;
    under_test.start();
    cr_expect_neq(under_test.server.port(), 0);
    cr_expect(under_test.server.url() == "http://" + under_test.address() + "/");
    expect_answers_quickly(under_test);
}

Test(server, says_when_the_port_is_taken) {
    ServerUnderTest first;
    first.start();
    ServerOptions options = ServerUnderTest::local();
    options.listen = first.address();
    const Error error = start_error(options);
    cr_expect_eq(error.code, ErrorCode::address_in_use);
    const std::string begin = "cannot listen on " + first.address() + ": address already in use; ";
    cr_expect(error.message.starts_with(begin), "%s", error.message.c_str());
}

Test(server, wants_a_token_beyond_loopback) {
    ServerOptions options = ServerUnderTest::local();
    options.listen = "0.0.0.0:0";
    cr_expect_eq(start_error(options).code, ErrorCode::bad_config);
    options.token = "secret";
    ServerUnderTest under_test(options);
    under_test.start();
    auto client = under_test.client();
    cr_expect_eq(client.Get("/api/v1/status")->status, 401);
    cr_expect_eq(client.Get("/api/v1/status", {{"Host", "evil.example"}})->status, 403);
    client.set_bearer_token_auth("secret");
    cr_expect_eq(client.Get("/api/v1/status")->status, 200);
}

Test(server, refuses_options_that_cannot_work) {
    ServerOptions options = ServerUnderTest::local();
    options.listen = "192.0.2.1:0";
    options.token = "secret";
    cr_expect_eq(start_error(options).code, ErrorCode::bad_config);
    options = ServerUnderTest::local("with blank");
    cr_expect_eq(start_error(options).code, ErrorCode::bad_config);
    options = ServerUnderTest::local();
    options.tls_cert = "/nonexistent.pem";
    cr_expect_eq(start_error(options).code, ErrorCode::bad_config);
    options.tls_key = "/nonexistent.pem";
    const Error error = start_error(options);
    cr_expect_eq(error.code, ErrorCode::bad_config);
    cr_expect(error.message.find("/nonexistent.pem") != std::string::npos);
}

Test(server, starts_again_and_leaves_nothing_behind) {
    ServerUnderTest under_test;
    under_test.start();
    expect_answers_quickly(under_test);
    under_test.server.stop();
    const std::size_t descriptors = entries_of("/proc/self/fd").size();
    for (int i = 0; i < 20; i++) {
        under_test.start();
        cr_expect_eq(under_test.server.start().error().code, ErrorCode::bad_state);
        cr_expect(comes_true([] { return http_threads() == 5; }));  // each names itself
        expect_answers_quickly(under_test);
        under_test.server.stop();
        cr_expect(
            comes_true([] { return http_threads() == 0; }));  // a joined thread leaves /proc a little later
    }
    under_test.server.stop();
    cr_expect_eq(entries_of("/proc/self/fd").size(), descriptors);
}

Test(server, its_threads_block_all_signals_and_dispositions_stay) {
    std::signal(SIGPIPE, SIG_DFL);
    ServerUnderTest under_test;
    under_test.start();
    expect_answers_quickly(under_test);
    cr_assert(comes_true([] { return http_threads() == 5; }));
    std::size_t checked = 0;
    for (const auto& task : entries_of("/proc/self/task")) {
        const std::string directory = "/proc/self/task/" + task;
        if (line_of(directory + "/comm", "http-").empty()) continue;
        checked++;
        // all but SIGKILL, SIGSTOP and the two that the C library keeps for itself
        const std::string blocked = line_of(directory + "/status", "SigBlk:");
        const auto mask = std::stoull(blocked.substr(blocked.find_first_not_of("\t :SigBlk")), nullptr, 16);
        for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPROF, SIGALRM}) {
            cr_expect((mask >> (signal - 1) & 1) == 1, "signal %d is not blocked", signal);
        }
    }
    cr_expect_eq(checked, 5u);
    struct sigaction now {};
    sigaction(SIGPIPE, nullptr, &now);
    cr_expect_eq(now.sa_handler, SIG_DFL);
}

Test(server, a_peer_that_goes_away_raises_no_signal) {
    std::signal(SIGPIPE, SIG_DFL);
    ServerUnderTest under_test;
    under_test.start();
    for (int i = 0; i < 50; i++) {
        RawConnection connection(under_test.server.port());
        connection.send("GET /api/v1/flows?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                        std::string(kGet));
        connection.reset();
    }
    expect_answers_quickly(under_test);
}

Test(server, silent_connections_do_not_stop_others) {
    ServerUnderTest under_test;
    under_test.start();
    std::vector<std::unique_ptr<RawConnection>> silent;
    for (int i = 0; i < 50; i++) silent.push_back(std::make_unique<RawConnection>(under_test.server.port()));
    expect_answers_quickly(under_test);
    // many more than there is room for, some in the middle of a request
    for (int i = 0; i < 400; i++) {
        silent.push_back(std::make_unique<RawConnection>(under_test.server.port()));
        if (i % 2 == 0) silent.back()->send("GET / HTTP/1.1\r\nHost: lo");
    }
    expect_answers_quickly(under_test);
    const auto time = duration_of([&] { under_test.server.stop(); });
    cr_expect_lt(time.count(), 1000, "%ld ms", time.count());
}

Test(server, idle_connections_do_not_stop_others) {
    ServerUnderTest under_test;
    under_test.start();
    std::vector<std::unique_ptr<RawConnection>> idle;
    for (int i = 0; i < 128; i++) {
        idle.push_back(std::make_unique<RawConnection>(under_test.server.port()));
        idle.back()->send(kGet);
    }
    expect_answers_quickly(under_test);
}

Test(server, trickled_requests_end_in_time) {
    ServerOptions options = ServerUnderTest::local();
    options.sockets.connection.first_request = milliseconds(300);
    ServerUnderTest under_test(options);
    under_test.start();
    RawConnection silent(under_test.server.port()), trickling(under_test.server.port());
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(100, 'x');
    std::string answer;
    const auto time = duration_of([&] {
        for (std::size_t i = 0; i < request.size() && answer.empty(); i++) {
            trickling.send(request.substr(i, 1));
            answer = trickling.read(20);
        }
    });
    cr_expect(status_line(answer) == "HTTP/1.1 408 Request Timeout", "%s", answer.c_str());
    cr_expect_lt(time.count(), 1000, "%ld ms", time.count());
    cr_expect(silent.read(1000).empty());
    cr_expect(comes_true([&] { return answer_to(under_test.server.port(), kGetAndClose).size() > 0; }));
}

namespace {

void expect_greedy_peers_are_dropped(const ServerOptions& options) {
    ServerUnderTest under_test(options);
    under_test.start();
    const std::size_t descriptors = entries_of("/proc/self/fd").size();
    std::vector<std::unique_ptr<RawConnection>> greedy;
    for (int i = 0; i < 3; i++) {
        greedy.push_back(std::make_unique<RawConnection>(under_test.server.port(), 16 << 10));
        greedy.back()->send("GET /large.txt HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    expect_answers_quickly(under_test);
    const std::size_t left = descriptors + greedy.size();  // only our own ends
    cr_expect(comes_true([&] { return entries_of("/proc/self/fd").size() == left; }));
}

}  // namespace

Test(server, peers_that_take_no_answer_are_dropped) {
    ServerOptions options = ServerUnderTest::local();
    options.sockets.connection.stall = milliseconds(300);
    expect_greedy_peers_are_dropped(options);
}

Test(server, answers_that_nobody_takes_have_a_bound) {
    ServerOptions options = ServerUnderTest::local();
    options.sockets.buffered_bytes = 1 << 20;  // less than one of them
    expect_greedy_peers_are_dropped(options);
}

Test(server, connections_that_are_done_make_room) {
    ServerOptions options = ServerUnderTest::local();
    options.sockets.connections = 4;
    options.sockets.connection.drain = std::chrono::minutes(1);
    ServerUnderTest under_test(options);
    under_test.start();
    std::vector<std::unique_ptr<RawConnection>> refused;
    for (int i = 0; i < 4; i++) {
        refused.push_back(std::make_unique<RawConnection>(under_test.server.port()));
        refused.back()->send("nonsense\r\n\r\n");
        cr_expect(status_line(refused.back()->read(200)) == "HTTP/1.1 400 Bad Request");
    }
    for (int i = 0; i < 6; i++) expect_answers_quickly(under_test);
}

namespace {

// Queries, none of which comes to an end by itself, on all threads that take such.
std::vector<std::unique_ptr<RawConnection>> keep_busy(ServerUnderTest& under_test, int queries = 20) {
    under_test.engine.slow = true;
    under_test.start();
    std::vector<std::unique_ptr<RawConnection>> out;
    for (int i = 0; i < queries; i++) {
        out.push_back(std::make_unique<RawConnection>(under_test.server.port()));
        out.back()->send("GET /api/v1/summary HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    cr_assert(comes_true([&] { return under_test.engine.running == 3; }));
    return out;
}

}  // namespace

// It was the newest one that went, when no other was waiting for a request.
Test(server, the_newest_connection_keeps_its_place) {
    ServerOptions options = ServerUnderTest::local();
    options.sockets.connections = 4;
    ServerUnderTest under_test(options);
    const auto busy = keep_busy(under_test, 3);
    RawConnection silent(under_test.server.port());
    for (int i = 0; i < 3; i++) expect_answers_quickly(under_test);
}

Test(server, stops_in_time_with_everything_under_way) {
    ServerUnderTest under_test;
    const auto busy = keep_busy(under_test);
    const auto time = duration_of([&] { under_test.server.stop(); });
    cr_expect_lt(time.count(), 1000, "%ld ms", time.count());
    cr_expect_eq(http_threads(), 0u);
}

Test(server, slow_queries_do_not_delay_quick_answers) {
    ServerUnderTest under_test;
    const auto busy = keep_busy(under_test);
    expect_answers_quickly(under_test);
    cr_expect_eq(under_test.engine.running, 3);
}

Test(server, queries_end_when_nobody_waits_for_them) {
    ServerUnderTest under_test;
    under_test.engine.slow = true;
    under_test.start();
    RawConnection connection(under_test.server.port());
    connection.send("GET /api/v1/summary HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(comes_true([&] { return under_test.engine.running == 1; }));
    connection.reset();
    cr_expect(comes_true([&] { return under_test.engine.running == 0; }));
}

Test(server, queries_have_a_time_limit) {
    ServerOptions options = ServerUnderTest::local();
    options.query_time = milliseconds(200);
    ServerUnderTest under_test(options);
    under_test.engine.slow = true;
    under_test.start();
    auto client = under_test.client();
    const auto answer = client.Get("/api/v1/summary");
    cr_assert(answer);
    cr_expect_eq(answer->status, 503);
    cr_expect(answer->body.find("\"code\":\"timeout\"") != std::string::npos, "%s", answer->body.c_str());
}

Test(server, half_closed_clients_get_their_answer) {
    ServerUnderTest under_test;
    under_test.start();
    RawConnection connection(under_test.server.port());
    connection.send("GET /api/v1/summary HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.finish();
    cr_expect(status_line(connection.read(3000)) == "HTTP/1.1 200 OK");
}

Test(server, requests_in_one_go_are_answered_in_order) {
    ServerUnderTest under_test;
    under_test.start();
    RawConnection connection(under_test.server.port());
    connection.send(
        "GET /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "HEAD /app.js HTTP/1.1\r\nHost: localhost\r\n\r\n" +
        std::string(kGetAndClose));
    const std::string answer = connection.read(3000);
    const auto first = answer.find("console.log(1)"), second = answer.find("HTTP/1.1 200", 20),
               last = answer.find("{\"healthy\":true");
    cr_expect(first < second && second < last && last != std::string::npos, "%s", answer.c_str());
    cr_expect(answer.find("console.log(1)", second) == std::string::npos, "HEAD has no body");
}

Test(server, bodies_and_encodings_are_refused) {
    ServerUnderTest under_test;
    under_test.start();
    const auto port = under_test.server.port();
    const std::string get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    expect_status(port, get + "Content-Length: 5\r\n\r\nhello", "413");
    expect_status(port, get + "Content-Length: 0\r\n\r\n", "200");
    expect_status(port, get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400");
    expect_status(port, get + "X: " + std::string(20000, 'x') + "\r\n\r\n", "431");
    expect_status(port, "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", "414");
    expect_status(port, "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n",
                  "413");
    expect_status(port, "\x16\x03\x01\x02 hello\r\n\r\n", "400");
    expect_status(port, "GET / HTTP/1.1\r\n\r\n", "400");
}

Test(server, descriptors_above_1023_work) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_geq(limit.rlim_max, 1200u, "the system allows too few descriptors for this test");
    limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, 1200);
    setrlimit(RLIMIT_NOFILE, &limit);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) < 1100) {
    }
    ServerUnderTest under_test;
    under_test.start();
    expect_answers_quickly(under_test);
}

Test(server, runs_on_when_the_process_is_out_of_descriptors) {
    ServerUnderTest under_test;
    under_test.start();
    // One before the shortage, too: the sanitizer needs a descriptor when it meets a type for the first time.
    cr_expect(status_line(answer_to(under_test.server.port(), kGetAndClose)) == "HTTP/1.1 200 OK");
    std::vector<int> taken;
    for (int fd = 0; fd >= 0;) {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd >= 0) taken.push_back(fd);
    }
    close(taken.back());
    taken.pop_back();
    RawConnection late(under_test.server.port());  // takes the last one: the server has none for it
    late.send(kGetAndClose);
    std::this_thread::sleep_for(milliseconds(50));
    for (const int fd : taken) close(fd);
    cr_expect(status_line(late.read(3000)) == "HTTP/1.1 200 OK");
}
