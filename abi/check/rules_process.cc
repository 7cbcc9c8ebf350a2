// The process is the host's: it is as it was after a plugin lived in it, once or a hundred times.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "abi/check/bpf_objects.h"
#include "abi/check/process_state.h"
#include "abi/check/rule.h"

namespace weir::check {
namespace {

// A whole life, from what is asked before the first instance to the end of that.
template <typename Check>
void live(Bench& bench, Check check_while_running) {
    weir_static text{};
    bench.plugin().describe(&text);
    bench.validate(Bench::wrong_config());
    Subject subject(bench);
    subject.start();
    subject.await_batches(1);
    check_while_running();
    subject.stop();
}

void unchanged(Bench& bench, process_aspect aspect, const std::string& what) {
    process_state before{};
    process_state during{};
    process_state after{};
    bench.load();
    bench.config();  // sets the environment
    process_state_take(&before, 1);
    live(bench, [&] { process_state_take(&during, 1000); });
    process_state_take(&after, 1);
    int detail = 0;
    const auto number = [&] { return detail == 0 ? "" : " (" + std::to_string(detail) + ")"; };
    const bool differs_while_running = process_state_differs(&before, &during, aspect, &detail) != 0;
    bench.check(!differs_while_running, what + number() + " is another one while it runs");
    const bool differs = process_state_differs(&before, &after, aspect, &detail) != 0;
    bench.check(!differs, what + number() + " is another one afterwards");
}

void no_child(Bench& bench) {
    bench.load();
    live(bench, [&] {
        std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
        std::string child;
        bench.check(!(children >> child), "it has a child process");
    });
    const pid_t child = waitpid(-1, nullptr, WNOHANG);
    bench.check(child == -1 && errno == ECHILD, "it leaves a child process");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// One short life; every second one ends without a stop, every third one without a start.
void live_briefly(Bench& bench, int number) {
    Subject subject(bench);
    if (number % 3 != 2) subject.start();
    if (number % 2 == 0) subject.stop();
    subject.destroy();
    bench.check(subject.host().stray_calls() == 0, "the host is called after destroy");
}

// What the allocator keeps of memory that was freed is no leak, and depends on what the host saw meanwhile.
void take_trimmed(process_state& state, long expected_threads) {
    malloc_trim(0);
    process_state_take(&state, expected_threads);
}

void leaks(Bench& bench) {
    constexpr int kWarmUp = 6;
    constexpr long kMappingsTolerated = 8;        // arenas of the allocator come and go with threads
    constexpr long kResidentTolerated = 8 << 10;  // KiB: what cannot be given back
    bench.load();
    process_state first{};
    process_state warm{};
    process_state last{};
    process_state_take(&first, 1);
    for (int number = 0; number < kWarmUp + bench.settings().cycles; ++number) {
        if (number == kWarmUp) take_trimmed(warm, first.threads);
        live_briefly(bench, number);
    }
    take_trimmed(last, first.threads);
    const auto grown = [&](const char* what, long before, long after, long tolerated) {
        bench.check(after <= before + tolerated, std::to_string(after - before) + ' ' + what +
                                                     " more after " +
                                                     std::to_string(bench.settings().cycles) + " lives");
    };
    grown("threads", first.threads, last.threads, 0);
    grown("descriptors", warm.descriptors, last.descriptors, 0);
    if (kSanitized) return;  // which keep memory that was freed
    grown("mappings", warm.mappings, last.mappings, kMappingsTolerated);
    grown("KiB of memory", warm.resident_kib, last.resident_kib, kResidentTolerated);
}

void bpf(Bench& bench) {
    if (geteuid() != 0) {
        bench.verdict().skip("only root can look for BPF objects by their ids");
        return;
    }
    bench.load();
    BpfObjects during;
    for (int i = 0; i < 3; ++i) {
        live(bench, [&] { during.merge(own_bpf_objects()); });
    }
    bench.verdict().step("looking for BPF objects");
    BpfObjects left;
    const bool gone =
        wait_for([&] { return (left = still_there(during)).empty(); }, bench.settings().patience);
    bench.check(gone, std::to_string(left.size()) + " of " + std::to_string(during.size()) +
                          " BPF programs, maps and links are left");
}

constexpr Rule kRules[] = {
    {"signal-dispositions", "no signal's disposition is changed",
     [](Bench& bench) { unchanged(bench, ASPECT_SIGNAL_ACTIONS, "the disposition of a signal"); }},
    {"signal-mask", "the signal mask of the host's thread is not changed",
     [](Bench& bench) { unchanged(bench, ASPECT_SIGNAL_MASK, "the mask of a signal"); }},
    {"directory", "the working directory is not changed",
     [](Bench& bench) { unchanged(bench, ASPECT_DIRECTORY, "the working directory"); }},
    {"umask", "the umask is not changed", [](Bench& bench) { unchanged(bench, ASPECT_UMASK, "the umask"); }},
    {"limits", "no resource limit is changed",
     [](Bench& bench) { unchanged(bench, ASPECT_LIMITS, "a resource limit"); }},
    {"environment", "the environment is not changed",
     [](Bench& bench) { unchanged(bench, ASPECT_ENVIRONMENT, "the environment"); }},
    {"locale", "the locale is not changed",
     [](Bench& bench) { unchanged(bench, ASPECT_LOCALE, "the locale"); }},
    {"no-child", "it makes no child process", no_child},
    {"bpf-objects", "no BPF program, map or link is left", bpf},
    {"leaks", "a hundred lives leave no thread, descriptor, mapping or memory behind", leaks},
};

}  // namespace

std::span<const Rule> process_rules() { return kRules; }

}  // namespace weir::check
