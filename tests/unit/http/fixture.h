// A server on a free port over known rows, and clients for it.
#pragma once

#include <httplib.h>

#include <memory>
#include <string>
#include <vector>

#include "http/server.h"
#include "nlohmann/json.hpp"
#include "tests/unit/http/memory_engine.h"

namespace weir::test {

inline constexpr std::int64_t kSecond = 1'000'000'000;
// The server's clock: 2024-05-01 10:00:00 UTC.
inline constexpr std::int64_t kNow = 1'714'557'600 * kSecond;

// A process name and a path such as nobody sends who means well.
inline const std::string kHostileProcess = "=cmd|'/C calc'!A0\x1b[31m\xff\"<script>\n\xc2\x9b";
inline const std::string kHostilePath = "/a\",\r\nSet-Cookie: x=1\t<img src=x onerror=alert(1)>\xf0\x9f";

class FixedClock : public Clock {
public:
    std::int64_t wall_ns() const override { return now; }
    std::int64_t boot_ns() const override { return now - kNow; }
    std::int64_t now = kNow;
};

class TestStatus : public http::StatusProvider {
public:
    http::Health health() const override { return {reason.empty(), reason}; }
    http::Facts facts() const override;
    LossCounts losses() const override;
    std::vector<http::Metric> metrics() const override;

    std::string reason;
};

// 20 batches of 10 s that end at kNow, 10 s before, and so on. Each has five flows, with the ends and
// the bytes (written, read) of:
//   curl -> nginx on this host, 127.0.0.1:80, seen from both sides: 100, 1000 for curl
//   curl -> 93.184.216.34:443: 200, 2000; rtt of 150 us in every batch
//   10.0.0.7 -> nginx, 10.0.0.5:80: 300, 30 for nginx
//   kHostileProcess -> 10.0.0.53:53 over UDP: 7, 70
// and three HTTP rows: GET /users/1 200 (4 requests of 2 ms) and GET kHostilePath 404 (1 of 9 ms) by curl
// to nginx from curl's side, and GET /users/1 200 (4) from nginx's.
MemoryEngine& fill(MemoryEngine& engine);

struct ServerUnderTest {
    ServerUnderTest() : ServerUnderTest(local("")) {}
    explicit ServerUnderTest(http::ServerOptions options);
    static http::ServerOptions local() { return local(""); }
    static http::ServerOptions local(std::string token);

    http::Server& start();  // and fails the test when that fails
    httplib::Client client() const;
    std::string address() const { return "127.0.0.1:" + std::to_string(server.port()); }

    FixedClock clock;
    TestStatus status;
    MemoryEngine engine;
    http::Server server;
};

// The answer to a GET of a server of its own over fill(), which must have the status.
nlohmann::json get(const std::string& target, int expected_status = 200);
std::string get_text(const std::string& target, int expected_status = 200);

// A plain TCP connection, for what a proper client would never send.
class RawConnection {
public:
    // A receive buffer of 0 is left to the system, which makes it as large as tens of MB.
    explicit RawConnection(std::uint16_t port, int receive_buffer = 0);
    ~RawConnection();
    RawConnection(const RawConnection&) = delete;
    RawConnection& operator=(const RawConnection&) = delete;

    void send(std::string_view bytes);
    void finish();  // nothing more will be sent
    void reset();   // ends it without a farewell
    // What comes until the peer closes or the time is over.
    std::string read(int milliseconds);

private:
    int fd_;
};

}  // namespace weir::test
