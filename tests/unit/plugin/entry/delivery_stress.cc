// Everything at once on one delivery: batches, a host that changes its mind, pauses, drains, restarts, lines
// to log. What the host took must be what was put, in order, each once. A program of its own, as
// ThreadSanitizer does not start under Criterion.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "plugin/entry/delivery.h"
#include "tests/unit/plugin/entry/fake_host.h"

using namespace weir;
using namespace weir::entry;
using namespace std::chrono_literals;

namespace {

constexpr int kRounds = 6;
constexpr int kBatches = 400;  // a round

std::chrono::steady_clock::time_point in(std::chrono::milliseconds time) {
    return std::chrono::steady_clock::now() + time;
}

void change_minds(test::FakeHost& host, Delivery& delivery, unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 25; i++) {
        const weir_emit_result answers[] = {WEIR_EMIT_OK, WEIR_EMIT_BUSY, WEIR_EMIT_CLOSED};
        host.answers(answers[random() % 3]);
        delivery.set_paused(random() % 4 == 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
        static_cast<void>(delivery.pending());
        static_cast<void>(delivery.drain(in(10ms)));
    }
    delivery.set_paused(false);
    host.answers(WEIR_EMIT_OK);
}

void round(test::FakeHost& host, Ledger& ledger, const std::string& spool, int number) {
    const auto reporter = Reporter::make(host.table(), ledger);
    reporter->start();
    const auto delivery = Delivery::make(host.table(), reporter, ledger, {spool, 256 << 20});
    delivery->start();
    std::thread minds([&] { change_minds(host, *delivery, static_cast<unsigned>(number)); });
    std::thread lines([&, log = reporter->logger()] {
        for (int i = 0; i < 2000; i++) log.info("a line");
    });
    for (int i = 0; i < kBatches; i++) {
        std::string batch = std::to_string(number * kBatches + i) + " ";
        batch.resize(static_cast<std::size_t>(100 + i % 7 * 3000), '.');
        delivery->put(batch, 1);
        if (i % 50 == 0) std::this_thread::sleep_for(20ms);
    }
    minds.join();
    lines.join();
    // one round ends with all handed over, the next in the middle of it
    delivery->stop_at(in(number % 2 == 0 ? 0ms : 20s));
    delivery->stop();
    reporter->stop(in(5s));
}

}  // namespace

int main() {
    std::string directory = (std::filesystem::temp_directory_path() / "weir-stress-XXXXXX").string();
    if (mkdtemp(directory.data()) == nullptr) return 1;
    test::FakeHost host;
    Ledger ledger;
    for (int i = 0; i < kRounds; i++) round(host, ledger, directory + "/spool", i);
    std::filesystem::remove_all(directory);

    const auto taken = host.all_taken();
    int wrong = taken.size() == std::size_t{kRounds} * kBatches ? 0 : 1;
    for (std::size_t i = 0; i < taken.size(); i++) wrong += std::strtoul(taken[i].c_str(), nullptr, 10) != i;
    std::printf("%zu of %d batches taken, %d wrong\n", taken.size(), kRounds * kBatches, wrong);
    return wrong == 0 ? 0 : 1;
}
