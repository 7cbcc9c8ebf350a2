// Threads, the host's and the plugin's, and several instances beside each other.
#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "abi/check/process_state.h"
#include "abi/check/rule.h"

namespace weir::check {
namespace {

void call_any_thread_functions(const weir_plugin_v1& plugin, weir_instance* instance) {
    plugin.last_error(instance, nullptr, 0, nullptr);
    for (const std::string_view id : {WEIR_EXT_METRICS, WEIR_EXT_HTTP_ADDRESS}) {
        const auto* found =
            static_cast<const weir_ext_metrics*>(plugin.get_extension(instance, id.data(), id.size()));
        if (found != nullptr) found->get(instance, nullptr, 0, nullptr);
    }
    weir_static text{};
    plugin.describe(&text);
    plugin.schema(&text);
}

void any_thread(Bench& bench) {
    bench.load();
    for (int i = 0; i < 3; ++i) {
        Subject subject(bench);
        std::atomic<bool> over{false};
        const auto hammer = [&] {
            while (!over) {
                call_any_thread_functions(bench.plugin(), subject.get());
                std::this_thread::sleep_for(1ms);
            }
        };
        std::thread first(hammer);
        std::thread second(hammer);
        subject.start();
        std::this_thread::sleep_for(50ms);
        bench.expect(bench.plugin().pause(subject.get()), WEIR_OK, "pause");
        bench.expect(bench.plugin().resume(subject.get()), WEIR_OK, "resume");
        bench.expect(bench.plugin().request_stop(subject.get()), WEIR_OK, "request_stop");
        subject.stop();
        over = true;
        first.join();
        second.join();
    }
}

void reentry(Bench& bench) {
    bench.load();
    Subject subject(bench);
    const auto call_back = [&] { call_any_thread_functions(bench.plugin(), subject.get()); };
    subject.host().on_emit(call_back);
    subject.host().on_log(call_back);
    bench.verdict().step("start, with calls from log");
    subject.start();
    subject.await_batches(2);
    bench.verdict().step("request_stop from a callback");
    subject.host().on_emit([&] { bench.plugin().request_stop(subject.get()); });
    std::this_thread::sleep_for(200ms);
    subject.stop();
}

// Each call on a thread that was not there before and is gone after it.
void moving_host(Bench& bench) {
    bench.load();
    const weir_plugin_v1& plugin = bench.plugin();
    for (int i = 0; i < 3; ++i) {
        Subject subject(bench);
        const auto elsewhere = [&](const char* name, auto call) {
            bench.verdict().step(std::string(name) + " on another thread");
            weir_code code = WEIR_OK;
            std::thread([&] { code = call(); }).join();
            bench.expect(code, WEIR_OK, std::string(name) + " on another thread");
        };
        weir_code started = WEIR_OK;
        std::thread([&] { started = plugin.start(subject.get()); }).join();
        if (started == WEIR_E_PRIVILEGE || started == WEIR_E_UNSUPPORTED) {
            bench.verdict().skip("start answers " + name_of(started));
            return;
        }
        bench.expect(started, WEIR_OK, "start on another thread");
        if (i == 0) subject.await_batches(1);
        elsewhere("pause", [&] { return plugin.pause(subject.get()); });
        elsewhere("resume", [&] { return plugin.resume(subject.get()); });
        elsewhere("stop", [&] { return plugin.stop(subject.get(), 5'000'000'000U); });
        bench.verdict().step("destroy on another thread");
        std::thread([&] { subject.destroy(); }).join();
    }
}

void instances(Bench& bench) {
    bench.load();
    Subject first(bench, 0);
    Subject second(bench, 1);
    first.start();
    second.start();
    first.await_batches(1);
    second.await_batches(1);
    bench.check(bench.last_error(first.get()).text.empty(), "the first one has an error");
    first.stop();
    const std::uint64_t calls = first.host().calls();
    second.await_batches(1);
    bench.check(first.host().calls() == calls, "the first one calls its host after it was stopped");
    first.destroy();
    second.await_batches(1);
    second.stop();
}

// A thread's mask of blocked signals, from /proc.
bool blocks_all(const std::string& task) {
    std::ifstream status("/proc/self/task/" + task + "/status");
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("SigBlk:")) continue;
        const std::uint64_t bits = std::stoull(line.substr(7), nullptr, 16);
        sigset_t mask;
        sigemptyset(&mask);
        for (int signal = 1; signal < SIGNAL_COUNT; ++signal) {
            if ((bits >> (signal - 1) & 1U) != 0) sigaddset(&mask, signal);
        }
        return blocks_all_signals(&mask) == 1;
    }
    return true;  // it has ended
}

void signals_blocked(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.start();
    subject.await_batches(1);
    DIR* tasks = opendir("/proc/self/task");
    const std::string own = std::to_string(gettid());
    int others = 0;
    while (const dirent* task = readdir(tasks)) {
        const std::string name = task->d_name;
        if (name.starts_with('.') || name == own) continue;
        ++others;
        std::ifstream comm("/proc/self/task/" + name + "/comm");
        std::string title;
        std::getline(comm, title);
        bench.check(blocks_all(name), "the thread \"" + title + "\" does not block all signals");
    }
    closedir(tasks);
    bench.check(others > 0, "points come, but from no thread");
    subject.stop();
}

void threads_after_stop(Bench& bench) {
    bench.load();
    { Subject warm(bench); }
    process_state before{};
    process_state after{};
    process_state_take(&before, 1);
    Subject subject(bench);
    subject.start();
    subject.await_batches(1);
    subject.stop();
    subject.host().close();
    process_state_take(&after, before.threads);
    bench.check(after.threads == before.threads,
                std::to_string(after.threads - before.threads) + " threads are left after stop");
    bench.verdict().step("after stop");
    std::this_thread::sleep_for(500ms);
    bench.check(subject.host().stray_calls() == 0, "the host is called after stop");
}

void stop_at_once(Bench& bench) {
    bench.load();
    process_state before{};
    process_state after{};
    process_state_take(&before, 1);
    Subject subject(bench);
    subject.start();
    bench.verdict().step("stop with no time");
    const auto begun = std::chrono::steady_clock::now();
    const weir_code code = bench.plugin().stop(subject.get(), 0);
    subject.host().close();
    bench.check(std::chrono::steady_clock::now() - begun < 2s, "stop with no time takes more than 2 s");
    bench.check(code == WEIR_OK || code == WEIR_E_TIMEOUT, "stop with no time answers " + name_of(code));
    process_state_take(&after, before.threads);
    bench.check(after.threads == before.threads, "threads are left after stop with no time");
    std::this_thread::sleep_for(200ms);
    bench.check(subject.host().stray_calls() == 0, "the host is called after stop with no time");
}

constexpr Rule kRules[] = {
    {"any-thread", "[any-thread] functions work beside control calls", any_thread},
    {"reentry", "[any-thread] functions work inside of callbacks: no lock is held there", reentry},
    {"moving-host", "a host may call from another thread each time", moving_host},
    {"instances", "several instances live beside each other", instances},
    {"signals-blocked", "every thread of the plugin blocks all signals", signals_blocked},
    {"threads-after-stop", "no thread is left after stop, and nothing calls the host", threads_after_stop},
    {"stop-at-once", "stop with no time stops all the same", stop_at_once},
};

}  // namespace

std::span<const Rule> thread_rules() { return kRules; }

}  // namespace weir::check
