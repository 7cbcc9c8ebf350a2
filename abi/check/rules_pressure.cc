// A host that does not take points at once.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "abi/check/process_state.h"
#include "abi/check/rule.h"
#include "abi/host/split_points.h"

namespace weir::check {
namespace {

using host::split_points;

struct Fate {
    std::size_t offered = 0;  // first, as a number among all points
    unsigned refused = 0;     // times
    unsigned taken = 0;
    std::size_t taken_at = 0;
};

// What became of each point, by its text. A plugin may put points into other batches while they wait.
std::map<std::string, Fate> fates(const std::vector<Offer>& offers) {
    std::map<std::string, Fate> all;
    std::size_t number = 0;
    for (const Offer& offer : offers) {
        for (const host::Batch& point :
             split_points(host::Batch::of(offer.bytes, UINT64_MAX), offer.format, 1)) {
            Fate& fate = all[std::string(point.bytes)];
            ++number;
            if (fate.refused + fate.taken == 0) fate.offered = number;
            (offer.answer == WEIR_EMIT_OK ? fate.taken : fate.refused) += 1;
            if (offer.answer == WEIR_EMIT_OK) fate.taken_at = number;
        }
    }
    return all;
}

void check_fates(Bench& bench, const std::vector<Offer>& offers) {
    const auto all = fates(offers);
    std::size_t lost = 0;
    std::size_t doubled = 0;
    std::vector<const Fate*> refused;
    for (const auto& [text, fate] : all) {
        lost += fate.taken == 0 ? 1 : 0;
        doubled += fate.taken > 1 ? 1 : 0;
        if (fate.refused > 0) refused.push_back(&fate);
    }
    bench.check(!refused.empty(), "no points were offered while the host took none");
    bench.check(lost == 0, std::to_string(lost) + " points that the host did not take never came again");
    bench.check(doubled == 0, std::to_string(doubled) + " points came again after the host took them");
    std::sort(refused.begin(), refused.end(),
              [](const Fate* a, const Fate* b) { return a->offered < b->offered; });
    const bool in_order = std::is_sorted(refused.begin(), refused.end(), [](const Fate* a, const Fate* b) {
        return a->taken_at < b->taken_at;
    });
    bench.check(in_order, "points that waited came in another order");
}

// A while in which the host takes nothing, between two in which it does.
void refuse_for_a_while(Bench& bench, weir_emit_result answer) {
    bench.load();
    Subject subject(bench);
    Recorder& host = subject.host();
    subject.start();
    subject.await_batches(1);
    host.answer(answer);
    const std::size_t before = host.offer_count();
    subject.await_batches(1);
    const auto begun = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(1500ms);
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const double rate = static_cast<double>(host.offer_count() - before) / seconds;
    bench.check(rate < 1000,
                "it offers " + std::to_string(static_cast<int>(rate)) + " batches a second meanwhile");
    host.answer(WEIR_EMIT_OK);
    const std::size_t taken = host.taken();
    bench.verdict().step("waiting for points after the host takes them again");
    const bool again = wait_for([&] { return host.taken() > taken; }, bench.settings().patience);
    bench.check(again, "no points come after the host takes them again");
    subject.stop(10'000ms);
    check_fates(bench, host.offers());
}

void stop_when_closed(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.host().answer(WEIR_EMIT_CLOSED);
    subject.start();
    subject.await_batches(1);
    bench.verdict().step("stop while the host is closed");
    const auto begun = std::chrono::steady_clock::now();
    const weir_code code = bench.plugin().stop(subject.get(), 60'000'000'000U);
    const auto took = std::chrono::steady_clock::now() - begun;
    bench.check(took < 5s, "stop waits for a host that is closed");
    bench.check(code == WEIR_OK || code == WEIR_E_TIMEOUT, "stop answers " + name_of(code));
}

void stop_when_busy(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.host().answer(WEIR_EMIT_BUSY);
    subject.start();
    subject.await_batches(1);
    bench.verdict().step("stop while the host is busy");
    const auto begun = std::chrono::steady_clock::now();
    const weir_code code = bench.plugin().stop(subject.get(), 500'000'000U);
    const auto took = std::chrono::steady_clock::now() - begun;
    bench.check(took < 3s, "stop with 500 ms takes longer than 3 s when the host is busy");
    bench.check(code == WEIR_OK || code == WEIR_E_TIMEOUT, "stop answers " + name_of(code));
}

void slow_host(Bench& bench) {
    bench.load();
    Subject subject(bench);
    std::atomic<bool> inside{false};
    subject.host().on_emit([&] {
        if (inside.exchange(true)) return;
        std::this_thread::sleep_for(800ms);
    });
    subject.start();
    bench.verdict().step("waiting for points");
    if (!wait_for([&] { return inside.load(); }, bench.settings().patience)) {
        bench.verdict().skip("no points came");
        return;
    }
    bench.verdict().step("calls while emit_points does not return");
    const auto begun = std::chrono::steady_clock::now();
    bench.last_error(subject.get());
    bench.plugin().get_extension(subject.get(), WEIR_EXT_METRICS, sizeof WEIR_EXT_METRICS - 1);
    bench.expect(bench.plugin().pause(subject.get()), WEIR_OK, "pause");
    bench.expect(bench.plugin().resume(subject.get()), WEIR_OK, "resume");
    const auto took = std::chrono::steady_clock::now() - begun;
    bench.check(took < 400ms, "calls wait for the host's callback");
    subject.stop();
}

void hanging_host(Bench& bench) {
    bench.load();
    process_state before{};
    process_state after{};
    process_state_take(&before, 1);
    Subject subject(bench);
    std::atomic<bool> inside{false};
    std::atomic<bool> released{false};
    subject.host().on_emit([&] {
        inside = true;
        while (!released) std::this_thread::sleep_for(5ms);
    });
    subject.start();
    bench.verdict().step("waiting for points");
    if (!wait_for([&] { return inside.load(); }, bench.settings().patience)) {
        bench.verdict().skip("no points came");
        end_rule();
    }
    bench.verdict().step("stop while emit_points does not return");
    const auto begun = std::chrono::steady_clock::now();
    const weir_code code = bench.plugin().stop(subject.get(), 300'000'000U);
    bench.check(std::chrono::steady_clock::now() - begun < 5s,
                "stop waits for a callback that does not return");
    bench.expect(code, WEIR_E_TIMEOUT, "stop while emit_points does not return");
    subject.host().close();
    subject.destroy();
    released = true;
    bench.verdict().step("after the callback returned");
    std::this_thread::sleep_for(300ms);
    bench.check(subject.host().stray_calls() == 0,
                "the thread that was left in a callback calls the host again");
    process_state_take(&after, before.threads);
    bench.check(after.threads == before.threads, "the thread that was left in a callback does not end");
}

constexpr Rule kRules[] = {
    {"busy", "what a busy host did not take comes again, once and in order",
     [](Bench& bench) { refuse_for_a_while(bench, WEIR_EMIT_BUSY); }},
    {"closed", "what a closed host did not take comes again, once and in order",
     [](Bench& bench) { refuse_for_a_while(bench, WEIR_EMIT_CLOSED); }},
    {"stop-when-closed", "stop does not wait for a host that is closed", stop_when_closed},
    {"stop-when-busy", "stop keeps to its time when the host is busy", stop_when_busy},
    {"hanging-host", "stop leaves a callback that does not return to the host", hanging_host},
    {"slow-host", "a callback that takes long holds no other call up", slow_host},
};

}  // namespace

std::span<const Rule> pressure_rules() { return kRules; }

}  // namespace weir::check
