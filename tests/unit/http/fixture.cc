#include "tests/unit/http/fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string_view>

namespace weir::test {
namespace {

// More than the buffers of a connection's two sockets take together.
const std::string kLarge(16 << 20, 'x');

const http::Asset kAssets[] = {
    {"/index.html", "text/html; charset=utf-8", "<!doctype html><title>Weir</title>"},
    {"/app.js", "text/javascript; charset=utf-8", "console.log(1)"},
    {"/large.txt", "text/plain; charset=utf-8", kLarge},
};

Flow flow(Direction direction, Address local, Address remote, std::uint16_t server_port, StringId process) {
    Flow out;
    out.direction = direction;
    out.local = local;
    out.remote = remote;
    out.process = process;
    out.pid = 10 + process;
    (direction == Direction::outgoing ? out.remote_port : out.local_port) = server_port;
    return out;
}

void add_l4(Batch& batch, std::uint32_t index, std::uint64_t written, std::uint64_t read, std::uint64_t rtt) {
    L4Row row;
    row.flow = index;
    row.bytes_written = written;
    row.bytes_read = read;
    row.tcp_established = batch.flows[index].transport == Transport::tcp ? 1 : 0;
    if (rtt != 0) row.rtt.add(rtt);
    batch.l4.push_back(row);
}

void add_l7(Batch& batch, std::uint32_t index, std::string_view path, std::uint16_t status,
            std::uint64_t count, std::uint64_t latency_ms) {
    L7Row row;
    row.flow = index;
    row.method = batch.strings.append("GET");
    row.path = row.route = batch.strings.append(path);
    row.status = status;
    row.version = HttpVersion::http11;
    row.count = count;
    row.latency.add(latency_ms * 1'000'000, count);
    batch.l7.push_back(row);
}

// The slowest of the requests to the hostile path: all that the network explains is one retransmission.
void add_slow(Batch& batch, std::uint32_t index, std::string_view path) {
    SlowRow row;
    row.flow = index;
    row.method = batch.strings.append("GET");
    row.path = row.route = batch.strings.append(path);
    row.status = 404;
    row.version = HttpVersion::http11;
    row.time_ns = batch.end_ns - 3 * kSecond;
    row.latency = 409'000'000;
    row.network_stall = 205'000'000;
    row.retransmits = 1;
    row.rtt = 5000;
    row.unsent_bytes = 78;
    batch.slow.push_back(row);
}

Batch make_batch(std::int64_t end_ns) {
    Batch out;
    out.host = "web-1";
    out.service = "ebpf";
    out.begin_ns = end_ns - 10 * kSecond;
    out.end_ns = end_ns;
    const StringId curl = out.strings.append("curl"), nginx = out.strings.append("nginx");
    const StringId hostile = out.strings.append(kHostileProcess);
    const auto loopback = Address::v4(127, 0, 0, 1), own = Address::v4(10, 0, 0, 5);
    out.flows = {flow(Direction::outgoing, loopback, loopback, 80, curl),
                 flow(Direction::incoming, loopback, loopback, 80, nginx),
                 flow(Direction::outgoing, own, Address::v4(93, 184, 216, 34), 443, curl),
                 flow(Direction::incoming, own, Address::v4(10, 0, 0, 7), 80, nginx),
                 flow(Direction::outgoing, own, Address::v4(10, 0, 0, 53), 53, hostile)};
    out.flows[0].peer_is_local = out.flows[1].peer_is_local = true;
    out.flows[0].peer_process = nginx;
    out.flows[4].transport = Transport::udp;
    add_l4(out, 0, 100, 1000, 40);
    add_l4(out, 1, 1000, 100, 45);
    add_l4(out, 2, 200, 2000, 150);
    add_l4(out, 3, 300, 30, 0);
    add_l4(out, 4, 7, 70, 0);
    add_l7(out, 0, "/users/1", 200, 4, 2);
    add_l7(out, 0, kHostilePath, 404, 1, 9);
    add_l7(out, 1, "/users/1", 200, 4, 2);
    add_slow(out, 0, kHostilePath);
    return out;
}

}  // namespace

http::Facts TestStatus::facts() const {
    http::Facts out;
    out.version = "0.1.0";
    out.abi = "1.0";
    out.host = "web-1";
    out.kernel = "6.18.0";
    out.tier = "tracepoint";
    out.tier_reason = "BTF and the tracepoints are there";
    out.started_ns = kNow - 3600 * kSecond;
    out.interval_ns = 10 * kSecond;
    return out;
}

LossCounts TestStatus::losses() const {
    LossCounts out{};
    out[static_cast<std::size_t>(Loss::ring_full_http)] = 12;
    return out;
}

std::vector<http::Metric> TestStatus::metrics() const {
    using Kind = http::Metric::Kind;
    return {{"weir_records_total", "Records from the kernel.", Kind::counter, 5, {{"kind", "tcp"}}},
            {"weir_records_total", "Records from the kernel.", Kind::counter, 6, {{"kind", "a\"b\\c\nd"}}},
            {"weir_ring_share", "How full the ring is.", Kind::gauge, 0.25, {}}};
}

MemoryEngine& fill(MemoryEngine& engine) {
    for (std::int64_t i = 19; i >= 0; i--) engine.batches.push_back(make_batch(kNow - i * 10 * kSecond));
    engine.store.healthy = true;
    engine.store.path = "/var/lib/weir";
    engine.store.bytes_used = 4096;
    engine.store.bytes_limit = 1 << 20;
    engine.store.oldest_detail_ns = kNow - 200 * kSecond;
    engine.store.detail_rows = 160;
    return engine;
}

http::ServerOptions ServerUnderTest::local(std::string token) {
    http::ServerOptions out;
    out.listen = "127.0.0.1:0";
    out.token = std::move(token);
    return out;
}

ServerUnderTest::ServerUnderTest(http::ServerOptions options)
    : server(std::move(options), &fill(engine), status, kAssets, clock, Logger()) {}

http::Server& ServerUnderTest::start() {
    const auto started = server.start();
    cr_assert(started.has_value(), "%s", started ? "" : started.error().message.c_str());
    return server;
}

httplib::Client ServerUnderTest::client() const {
    httplib::Client out("127.0.0.1", server.port());
    out.set_read_timeout(10);
    out.set_keep_alive(true);
    return out;
}

std::string get_text(const std::string& target, int expected_status) {
    ServerUnderTest under_test;
    under_test.start();
    auto client = under_test.client();
    const auto answer = client.Get(target);
    cr_assert(answer, "no answer to %s", target.c_str());
    cr_assert_eq(answer->status, expected_status, "%s: %d %s", target.c_str(), answer->status,
                 answer->body.c_str());
    return answer->body;
}

nlohmann::json get(const std::string& target, int expected_status) {
    return nlohmann::json::parse(get_text(target, expected_status));
}

RawConnection::RawConnection(std::uint16_t port, int receive_buffer)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where));
    cr_assert_eq(connected, 0, "cannot connect");
}

RawConnection::~RawConnection() {
    if (fd_ >= 0) ::close(fd_);
}

void RawConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void RawConnection::finish() { ::shutdown(fd_, SHUT_WR); }

void RawConnection::reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    ::close(fd_);
    fd_ = -1;
}

std::string RawConnection::read(int milliseconds) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
    std::string out;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd ready{fd_, POLLIN, 0};
        if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) return out;
        std::array<char, 65536> bytes;
        const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), 0);
        if (n <= 0) return out;
        out.append(bytes.data(), static_cast<std::size_t>(n));
    }
}

}  // namespace weir::test
