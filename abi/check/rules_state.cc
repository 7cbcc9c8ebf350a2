// The state machine, as the table in weir_abi.h has it.
#include <thread>

#include "abi/check/rule.h"

namespace weir::check {
namespace {

enum State : unsigned { kCreated = 1, kRunning = 2, kPaused = 4, kStopped = 8 };

struct Call {
    const char* name;
    unsigned legal;  // states
    weir_code (*make)(const weir_plugin_v1&, weir_instance*, const weir_borrowed&);
};

constexpr Call kCalls[] = {
    {"start", kCreated,
     [](const weir_plugin_v1& p, weir_instance* i, const weir_borrowed&) { return p.start(i); }},
    {"reconfigure", kCreated | kRunning | kPaused,
     [](const weir_plugin_v1& p, weir_instance* i, const weir_borrowed& c) { return p.reconfigure(i, &c); }},
    {"pause", kRunning,
     [](const weir_plugin_v1& p, weir_instance* i, const weir_borrowed&) { return p.pause(i); }},
    {"resume", kPaused,
     [](const weir_plugin_v1& p, weir_instance* i, const weir_borrowed&) { return p.resume(i); }},
};

// Every call that the state forbids: refused, explained, and without a consequence, which the caller sees
// from what it does next.
void check_illegal(Bench& bench, Subject& subject, State state, const char* name) {
    const weir_borrowed config = host::borrowed(subject.config());
    for (const Call& call : kCalls) {
        if ((call.legal & state) != 0) continue;
        const std::string what = std::string(call.name) + " when " + name;
        bench.verdict().step(what);
        bench.expect(call.make(bench.plugin(), subject.get(), config), WEIR_E_STATE, what);
        bench.check(!bench.last_error(subject.get()).text.empty(), what + " leaves no last_error");
    }
}

void states(Bench& bench) {
    bench.load();
    const weir_plugin_v1& plugin = bench.plugin();
    Subject subject(bench);
    const weir_borrowed config = host::borrowed(subject.config());
    check_illegal(bench, subject, kCreated, "created");
    bench.expect(plugin.reconfigure(subject.get(), &config), WEIR_OK, "reconfigure when created");
    subject.start();
    check_illegal(bench, subject, kRunning, "running");
    bench.expect(plugin.reconfigure(subject.get(), &config), WEIR_OK, "reconfigure when running");
    bench.expect(plugin.pause(subject.get()), WEIR_OK, "pause when running");
    check_illegal(bench, subject, kPaused, "paused");
    bench.expect(plugin.reconfigure(subject.get(), &config), WEIR_OK, "reconfigure when paused");
    bench.expect(plugin.resume(subject.get()), WEIR_OK, "resume when paused");
    bench.expect(plugin.pause(subject.get()), WEIR_OK, "pause when resumed");
    subject.stop();
    check_illegal(bench, subject, kStopped, "stopped");
    bench.expect(plugin.stop(subject.get(), 0), WEIR_OK, "stop when stopped");
    bench.expect(plugin.request_stop(subject.get()), WEIR_OK, "request_stop when stopped");
}

void stop_when_created(Bench& bench) {
    bench.load();
    Subject subject(bench);
    bench.expect(bench.plugin().stop(subject.get(), 0), WEIR_OK, "stop when created");
    check_illegal(bench, subject, kStopped, "stopped");
}

void null_arguments(Bench& bench) {
    bench.load();
    const weir_plugin_v1& plugin = bench.plugin();
    const std::string text = bench.config();
    const weir_borrowed config = host::borrowed(text);
    for (const Call& call : kCalls) {
        bench.verdict().step(std::string(call.name) + "(NULL)");
        bench.expect(call.make(plugin, nullptr, config), WEIR_E_INVALID_ARGUMENT,
                     std::string(call.name) + "(NULL)");
    }
    bench.verdict().step("calls with NULL");
    bench.expect(plugin.request_stop(nullptr), WEIR_E_INVALID_ARGUMENT, "request_stop(NULL)");
    bench.expect(plugin.stop(nullptr, 0), WEIR_E_INVALID_ARGUMENT, "stop(NULL)");
    bench.expect(plugin.last_error(nullptr, nullptr, 0, nullptr), WEIR_E_INVALID_ARGUMENT,
                 "last_error(NULL)");
    bench.expect(plugin.validate(nullptr, nullptr, 0, nullptr), WEIR_E_INVALID_ARGUMENT, "validate(NULL)");
    plugin.destroy(nullptr);
    const Subject subject(bench);
    bench.verdict().step("reconfigure without a configuration");
    bench.expect(plugin.reconfigure(subject.get(), nullptr), WEIR_E_INVALID_ARGUMENT,
                 "reconfigure without a configuration");
}

void last_error(Bench& bench) {
    bench.load();
    Subject subject(bench);
    const PluginText fresh = bench.last_error(subject.get());
    bench.expect(fresh.code, WEIR_OK, "last_error");
    bench.check(fresh.text.empty(), "a fresh instance has the last error \"" + fresh.text + '"');
    bench.plugin().resume(subject.get());
    const std::string state = bench.last_error(subject.get()).text;
    bench.check(!state.empty(), "an illegal call leaves no last_error");
    const std::string wrong = Bench::wrong_config();
    const weir_borrowed config = host::borrowed(wrong);
    bench.expect(bench.plugin().reconfigure(subject.get(), &config), WEIR_E_CONFIG,
                 "reconfigure with a wrong configuration");
    const std::string why = bench.last_error(subject.get()).text;
    bench.check(why.starts_with("line "), "after a wrong configuration last_error is \"" + why + '"');
}

void wrong_reconfigure(Bench& bench) {
    bench.load();
    Subject subject(bench);
    subject.start();
    subject.await_batches(1);
    const std::string wrong = Bench::wrong_config();
    const weir_borrowed config = host::borrowed(wrong);
    bench.verdict().step("reconfigure");
    bench.expect(bench.plugin().reconfigure(subject.get(), &config), WEIR_E_CONFIG,
                 "reconfigure with a wrong configuration");
    subject.await_batches(3);
    subject.stop();
}

void cancelled(Bench& bench) {
    bench.load();
    Subject subject(bench);
    bench.verdict().step("request_stop");
    bench.expect(bench.plugin().request_stop(subject.get()), WEIR_OK, "request_stop when created");
    bench.verdict().step("start after request_stop");
    const weir_code code = bench.plugin().start(subject.get());
    bench.expect(code, WEIR_E_CANCELLED, "start after request_stop");
    subject.stop();
}

void overlap(Bench& bench) {
    bench.load();
    for (int i = 0; i < 5; ++i) {
        Subject subject(bench);
        weir_code codes[2] = {};
        bench.verdict().step("two starts at once");
        std::thread other([&] { codes[1] = bench.plugin().start(subject.get()); });
        codes[0] = bench.plugin().start(subject.get());
        other.join();
        const weir_code first = std::max(codes[0], codes[1]);
        if (first == WEIR_E_PRIVILEGE || first == WEIR_E_UNSUPPORTED) {
            bench.verdict().skip("start answers " + name_of(first));
            return;
        }
        bench.expect(first, WEIR_OK, "the one of two starts at once");
        bench.expect(std::min(codes[0], codes[1]), WEIR_E_STATE, "the other of two starts at once");
        subject.stop();
    }
}

void destroy_anywhere(Bench& bench) {
    bench.load();
    const auto check_silent = [&](Subject& subject, const char* state) {
        subject.destroy();
        bench.verdict().step("after destroy");
        std::this_thread::sleep_for(100ms);
        bench.check(subject.host().stray_calls() == 0,
                    std::string("the host is called after destroy when ") + state);
    };
    {
        Subject subject(bench);
        check_silent(subject, "created");
    }
    Subject running(bench);
    running.start();
    check_silent(running, "running");
    Subject paused(bench);
    paused.start();
    bench.expect(bench.plugin().pause(paused.get()), WEIR_OK, "pause");
    check_silent(paused, "paused");
    Subject stopped(bench);
    stopped.start();
    stopped.stop();
    check_silent(stopped, "stopped");
}

constexpr Rule kRules[] = {
    {"states", "a call that the state forbids answers WEIR_E_STATE and changes nothing", states},
    {"stop-when-created", "an instance that never started can be stopped", stop_when_created},
    {"null-arguments", "NULL is refused with WEIR_E_INVALID_ARGUMENT", null_arguments},
    {"last-error", "last_error is empty at first, then says why the last call failed", last_error},
    {"wrong-reconfigure", "a wrong configuration is refused while running, which goes on", wrong_reconfigure},
    {"cancelled", "start after request_stop answers WEIR_E_CANCELLED", cancelled},
    {"overlap", "of two control calls at once one is refused", overlap},
    {"destroy-anywhere", "destroy works in every state, and nothing calls the host after it",
     destroy_anywhere},
};

}  // namespace

std::span<const Rule> state_rules() { return kRules; }

}  // namespace weir::check
