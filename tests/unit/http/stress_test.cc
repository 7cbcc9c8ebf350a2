// Clients of every kind at once while the server stops and starts: for the thread sanitizer, which does
// not run under Criterion, so a program of its own.
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/http/fixture.h"

namespace {

using namespace weir::test;

constexpr int kClients = 8;
constexpr int kRounds = 8;
constexpr std::chrono::milliseconds kRound{250};

const std::string kTargets[] = {"/healthz",
                                "/metrics",
                                "/api/v1/status",
                                "/api/v1/summary?view=process",
                                "/api/v1/series?by=server",
                                "/api/v1/facets?fields=transport,client",
                                "/api/v1/connections",
                                "/api/v1/flows?limit=100",
                                "/api/v1/map?view=ip",
                                "/app.js",
                                "/api/v1/summary?view=pod"};

struct Tally {
    std::atomic<std::uint16_t> port = 0;
    std::atomic<bool> stop = false;
    std::atomic<int> good = 0;
    std::atomic<int> odd = 0;
};

void ask(Tally& tally, unsigned seed) {
    std::mt19937 random(seed);
    while (!tally.stop) {
        httplib::Client client("127.0.0.1", tally.port);
        client.set_read_timeout(5);
        client.set_keep_alive(random() % 2 == 0);
        for (int i = 0; i < 5 && !tally.stop; i++) {
            const std::string& target = kTargets[random() % std::size(kTargets)];
            const auto answer = client.Get(target);
            if (!answer) continue;  // the server was stopped under it
            const int expected = target.ends_with("=pod") ? 400 : 200;
            (answer->status == expected ? tally.good : tally.odd)++;
        }
    }
}

// Connections that come to nothing.
void disturb(Tally& tally) {
    for (unsigned i = 0; !tally.stop; i++) {
        httplib::Client client("127.0.0.1", tally.port);
        client.set_read_timeout(0, 1000);
        client.Get(kTargets[i % std::size(kTargets)]);  // often gives up before the answer
    }
}

}  // namespace

int main() {
    ServerUnderTest under_test;
    Tally tally;
    if (!under_test.server.start()) return 1;
    tally.port = under_test.server.port();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kClients; i++) threads.emplace_back([&tally, i] { ask(tally, i); });
    threads.emplace_back([&tally] { disturb(tally); });
    for (int i = 0; i < kRounds; i++) {
        std::this_thread::sleep_for(kRound);
        under_test.server.stop();
        if (!under_test.server.start()) return 1;
        tally.port = under_test.server.port();
    }
    std::this_thread::sleep_for(kRound);
    tally.stop = true;
    for (auto& thread : threads) thread.join();
    std::printf("%d good answers, %d odd ones\n", tally.good.load(), tally.odd.load());
    return tally.good > 100 && tally.odd == 0 ? 0 : 1;
}
