#include "plugin/entry/delivery.h"

#include <criterion/criterion.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "tests/unit/plugin/entry/fake_host.h"

using namespace weir;
using namespace weir::entry;
using weir::test::FakeHost;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Steady = std::chrono::steady_clock;

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds within = 5s) {
    for (const auto end = Steady::now() + within; Steady::now() < end; std::this_thread::sleep_for(5ms)) {
        if (condition()) return true;
    }
    return condition();
}

// A delivery with what it needs, as the pipeline has it.
struct Running {
    std::shared_ptr<FakeHost> host = std::make_shared<FakeHost>();
    std::shared_ptr<Ledger> ledger = std::make_shared<Ledger>();
    fs::path directory;
    std::shared_ptr<Reporter> reporter;
    std::shared_ptr<Delivery> delivery;

    explicit Running(std::uint64_t spool_bytes = 64 << 20) : spool_bytes_(spool_bytes) {
        std::string name = (fs::temp_directory_path() / "weir-delivery-XXXXXX").string();
        directory = mkdtemp(name.data());
        start();
    }
    ~Running() {
        stop(0ms);
        fs::remove_all(directory);
    }

    std::string spool() const {
        return spool_directory.empty() ? (directory / "spool").string() : spool_directory;
    }
    void start() {
        reporter = Reporter::make(host->table(), *ledger);
        reporter->start();
        delivery = Delivery::make(host->table(), reporter, *ledger, {spool(), spool_bytes_});
        delivery->start();
    }
    Delivery::End stop(std::chrono::milliseconds timeout) {
        if (!delivery) return {};
        delivery->stop_at(Steady::now() + timeout);
        const auto end = delivery->stop();
        reporter->stop(Steady::now());
        delivery.reset();
        return end;
    }
    void put(int first, int count, std::size_t size = 10) {
        for (int i = first; i < first + count; i++) delivery->put(batch(i, size), 10);
    }
    static std::string batch(int number, std::size_t size = 10) {
        std::string out = std::to_string(number);
        out.resize(std::max(size, out.size()), '.');
        return out;
    }
    // Whether the host has taken 0 to count - 1, in order, each once.
    bool has_all(int count, std::size_t size = 10) {
        const auto taken = host->all_taken();
        if (taken.size() != static_cast<std::size_t>(count)) return false;
        for (int i = 0; i < count; i++) {
            if (taken[static_cast<std::size_t>(i)] != batch(i, size)) return false;
        }
        return true;
    }
    std::uint64_t lost(Loss loss) const { return ledger->totals()[static_cast<std::size_t>(loss)]; }

    std::string spool_directory;

private:
    const std::uint64_t spool_bytes_;
};

}  // namespace

Test(delivery, hands_over_in_order_without_a_spool) {
    Running running;
    running.put(0, 100);
    cr_assert(eventually([&] { return running.has_all(100); }));
    cr_assert_not(fs::exists(running.spool()));
    cr_assert_eq(running.delivery->delivered_points(), 1000u);
    cr_assert_eq(running.delivery->pending().batches, 0u);
}

Test(delivery, a_short_busy_stays_in_memory) {
    Running running;
    running.host->answers(WEIR_EMIT_BUSY);
    running.put(0, 3);
    cr_assert(eventually([&] { return running.host->call_count() > 1; }));
    running.host->answers(WEIR_EMIT_OK);
    cr_assert(eventually([&] { return running.has_all(3); }));
    cr_assert_not(fs::exists(running.spool()));
}

Test(delivery, busy_for_long_spools_and_loses_nothing) {
    Running running;
    running.host->answers(WEIR_EMIT_BUSY);
    const auto started = Steady::now();
    running.put(0, 200, 2000);
    cr_assert_lt((Steady::now() - started).count(), std::chrono::nanoseconds(4s).count());
    cr_assert(eventually([&] { return fs::exists(running.spool()); }));
    cr_assert_eq(running.delivery->pending().points, 2000u);
    cr_assert(eventually([&] { return running.host->has_said("status -8: the host has not taken points"); }));
    running.host->answers(WEIR_EMIT_OK);
    cr_assert(eventually([&] { return running.has_all(200, 2000); }));
    cr_assert(eventually([&] { return running.host->has_said("status 0: the host takes points again"); }));
    running.put(200, 10, 2000);
    cr_assert(eventually([&] { return running.has_all(210, 2000); }));
}

Test(delivery, closed_spools_at_once) {
    Running running;
    running.host->answers(WEIR_EMIT_CLOSED);
    running.put(0, 2);
    cr_assert(eventually([&] { return fs::exists(running.spool() + "/data.mdb"); }));
    running.host->answers(WEIR_EMIT_OK);
    cr_assert(eventually([&] { return running.has_all(2); }));
}

Test(delivery, what_is_spooled_survives_a_restart) {
    Running running;
    running.host->answers(WEIR_EMIT_CLOSED);
    running.put(0, 20);
    const auto end = running.stop(5s);
    cr_assert_eq(end.lost_points, 0u);
    cr_assert_not(end.is_stuck);
    running.host->answers(WEIR_EMIT_OK);
    running.start();
    running.put(20, 5);
    cr_assert(eventually([&] { return running.has_all(25); }));
    running.stop(1s);
    running.start();
    cr_assert(running.has_all(25));
    cr_assert_eq(running.delivery->pending().batches, 0u);
}

Test(delivery, the_end_hands_over_until_its_deadline) {
    Running running;
    running.host->answers(WEIR_EMIT_BUSY);
    running.put(0, 5);
    std::thread later([&] {
        std::this_thread::sleep_for(300ms);
        running.host->answers(WEIR_EMIT_OK);
    });
    running.stop(5s);
    later.join();
    cr_assert(running.has_all(5));
}

Test(delivery, beyond_the_bound_is_counted) {
    Running running(4 << 20);
    running.host->answers(WEIR_EMIT_CLOSED);
    constexpr int kBatches = 100;
    constexpr std::size_t kSize = 100'000;
    running.put(0, kBatches, kSize);
    const auto pending = running.delivery->pending();
    const std::uint64_t lost = running.lost(Loss::spool_full);
    cr_assert_gt(lost, 0u);
    cr_assert_eq(pending.points + lost, kBatches * 10u);
    cr_assert_eq(running.delivery->lost_points(), lost);
    cr_assert_leq(fs::file_size(running.spool() + "/data.mdb"), 4u << 20);
    running.host->answers(WEIR_EMIT_OK);
    const auto kept = static_cast<int>(pending.batches);
    cr_assert(eventually([&] { return running.has_all(kept, kSize); }));
}

Test(delivery, drain_hands_over_what_waits) {
    Running running;
    running.host->answers(WEIR_EMIT_CLOSED);
    running.put(0, 10);
    Status drained = running.delivery->drain(Steady::now() + 200ms);
    cr_assert(!drained && drained.error().code == ErrorCode::timeout);
    std::thread later([&] {
        std::this_thread::sleep_for(200ms);
        running.delivery->interrupt(Steady::now() + 1s);
    });
    drained = running.delivery->drain(Steady::now() + 10s);
    later.join();
    cr_assert(!drained && drained.error().code == ErrorCode::cancelled);
    running.host->answers(WEIR_EMIT_OK);
    const auto started = Steady::now();
    cr_assert(running.delivery->drain(Steady::now() + 10s).has_value());
    cr_assert(running.has_all(10));
    cr_assert_lt((Steady::now() - started).count(), std::chrono::nanoseconds(2s).count());
}

Test(delivery, paused_keeps_what_waits) {
    Running running;
    running.delivery->set_paused(true);
    running.put(0, 3);
    std::this_thread::sleep_for(100ms);
    cr_assert_eq(running.host->call_count(), 0u);
    running.delivery->set_paused(false);
    cr_assert(eventually([&] { return running.has_all(3); }));
}

Test(delivery, without_a_place_to_spool_memory_holds_some) {
    Running running;
    running.stop(1s);
    running.spool_directory = "/proc/weir-cannot-be-here";
    running.host->answers(WEIR_EMIT_CLOSED);
    running.start();
    running.put(0, 5);
    cr_assert(eventually([&] { return running.host->has_said("wait in memory only"); }));
    running.host->answers(WEIR_EMIT_OK);
    cr_assert(eventually([&] { return running.has_all(5); }));
    running.host->answers(WEIR_EMIT_CLOSED);
    running.put(5, 3);
    const auto end = running.stop(200ms);
    cr_assert_eq(end.lost_points, 30u);
    cr_assert_eq(running.lost(Loss::points_refused), 30u);
}

Test(delivery, a_hanging_host_is_reported_and_points_are_spooled) {
    Running running;
    running.host->set([](FakeHost& host) { host.hangs = true; });
    running.put(0, 30);
    cr_assert(eventually(
        [&] { return running.host->has_said("status -8: the host has not come back from emit_points"); }));
    cr_assert(running.host->has_said("log: the host has not come back from emit_points"));
    cr_assert_eq(running.lost(Loss::host_call_slow), 1u);
    cr_assert_eq(running.reporter->slow_calls(), 1u);
    cr_assert_gt(running.reporter->call_seconds(), 1.0);
    cr_assert_eq(running.delivery->pending().batches, 30u);
    cr_assert(fs::exists(running.spool()));
    running.host->set([](FakeHost& host) { host.hangs = false; });
    cr_assert(eventually([&] { return running.has_all(30); }));
}

Test(delivery, a_host_that_never_comes_back_does_not_keep_the_end) {
    Running running;
    running.host->set([](FakeHost& host) { host.hangs = true; });
    running.put(0, 3);
    cr_assert(eventually([&] { return running.host->call_count() == 1; }));
    const auto host = running.host;
    const auto started = Steady::now();
    const auto end = running.stop(100ms);
    cr_assert_lt((Steady::now() - started).count(), std::chrono::nanoseconds(3s).count());
    cr_assert(end.is_stuck);
    cr_assert_eq(end.lost_points, 0u);
    running.ledger.reset();  // what a destroyed instance takes with it
    host->set([](FakeHost& h) { h.hangs = false; });
    std::this_thread::sleep_for(300ms);
    cr_assert_eq(host->call_count(), 1u);  // it called nothing when it came back
    running.ledger = std::make_shared<Ledger>();
    running.host = std::make_shared<FakeHost>();
    running.start();
    cr_assert(eventually(
        [&] { return running.host->all_taken().size() == 3; }));  // the first one, too: nobody knows
}

Test(delivery, a_hanging_log_keeps_nobody) {
    Running running;
    running.host->set([](FakeHost& host) { host.log_hangs = true; });
    const Logger log = running.reporter->logger();
    for (int i = 0; i < 3000; i++) log.info("line");
    running.put(0, 10);
    cr_assert(eventually([&] { return running.has_all(10); }));
    cr_assert(eventually([&] { return running.lost(Loss::host_call_slow) == 1; }));
    for (int i = 0; i < 100; i++) log.info("line");
    cr_assert_gt(running.reporter->wall_ns(), 1'800'000'000'000'000'000);
    running.host->set([](FakeHost& host) { host.log_hangs = false; });
    cr_assert(eventually([&] { return running.host->has_said("lines are missing here"); }));
    cr_assert(eventually([&] { return running.host->has_said("has not come back from log"); }));
}

Test(delivery, the_hosts_tags_are_kept_up_with) {
    Running running;
    cr_assert_eq(running.delivery->global_tags().size(), 1u);
    running.host->set([](FakeHost& host) {
        host.tags = "zone=b\nenv=x\nbroken\n";
        host.tags_version = 2;
    });
    cr_assert(eventually([&] { return running.delivery->global_tags().size() == 2; }));
    cr_assert_eq(running.delivery->global_tags()[0].value, std::string("b"));
}
