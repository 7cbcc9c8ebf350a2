// Kills a process that appends, at any moment, again and again: after each kill the store opens, is not set
// aside, and holds every interval whose append had returned, in detail and in minutes.
//
// A plain executable: the child must not share Criterion's process.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/unit/lmdb-store/support.h"

namespace {

using namespace weir;
using namespace weir::store::test;

constexpr int kRounds = 200;
constexpr int kCompareAllEvery = 40;  // rounds: comparing the whole history takes long
constexpr std::int64_t kInterval = 10 * kSecond;

// The interval with this number; the same in every process.
BatchPtr interval(std::uint32_t number) {
    Random random(number);
    return make_batch(random, kStart + (number + 1) * kInterval, {.l4_rows = 30, .l7_rows = 20}, kInterval);
}

store::Options options(const TempDirectory& directory) {
    return {.path = directory.path(), .detail_ns = 5 * 60 * kSecond};
}

void check(bool ok, const std::string& what) {
    if (ok) return;
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::exit(1);
}

// Appends from `first` on for ever; says so after each.
[[noreturn]] void append_until_killed(const TempDirectory& directory, std::uint32_t first, int report) {
    Fixture fixture(options(directory));
    fixture.clock.now = kStart + first * kInterval;
    fixture.open();
    for (std::uint32_t number = first;; number++) {
        fixture.clock.now = interval(number)->end_ns;
        if (!fixture.store().append(interval(number))) _exit(1);
        if (write(report, &number, sizeof(number)) != sizeof(number)) _exit(2);
    }
}

bool read_report(int from, std::uint32_t& next) {
    std::uint32_t number = 0;
    if (read(from, &number, sizeof(number)) != sizeof(number)) return false;
    next = number + 1;
    return true;
}

// Kills the child some time after so many appends. Returns the number after the last interval whose append
// had returned.
std::uint32_t run_and_kill(const TempDirectory& directory, std::uint32_t first, Random& random) {
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        close(ends[0]);
        append_until_killed(directory, first, ends[1]);
    }
    close(ends[1]);
    std::uint32_t next = first;
    for (std::uint64_t n = random() % 25; n > 0; n--)
        check(read_report(ends[0], next), "the child ended by itself");
    usleep(static_cast<unsigned>(random() % 4000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child failed: " + std::to_string(status));
    while (read_report(ends[0], next)) continue;
    close(ends[0]);
    return next;
}

query::AggregateQuery ask(query::Layer layer, std::int64_t from, std::int64_t to) {
    query::AggregateQuery query;
    query.layer = layer;
    query.range = {from, to};
    query.by = {query::Dimension::of(Field::dst_ip)};
    query.step_ns = 60 * kSecond;
    query.each_flow_once = false;
    return query;
}

// What the first `count` intervals say, against the store. Empty when it is the same.
std::string compare(Fixture& fixture, const Oracle& oracle, bool all) {
    const std::int64_t now = fixture.clock.now;
    for (const query::Layer layer : kLayers) {
        // Of minutes, and of intervals.
        for (const std::int64_t back : {20 * 60 * kSecond, 5 * 60 * kSecond}) {
            const std::int64_t from =
                all && back > 5 * 60 * kSecond ? 0 : (now - back) / (60 * kSecond) * 60 * kSecond;
            const auto query = ask(layer, std::max(from, kStart), now);
            const auto result = fixture.store().aggregate(query);
            if (!result) return result.error().message;
            const std::string found = difference(*result, oracle.aggregate(query, false), false);
            if (!found.empty()) return found;
        }
    }
    return {};
}

}  // namespace

int main() {
    const TempDirectory directory;
    Random random(1);
    Oracle oracle;
    std::uint32_t next = 0;
    for (int round = 0; round < kRounds; round++) {
        const std::uint32_t returned = run_and_kill(directory, next, random);
        for (; next < returned; next++) oracle.add(interval(next));

        Fixture fixture(options(directory));
        fixture.clock.now = kStart + (next + 1) * kInterval;
        fixture.open();
        check(directory.names("data.mdb.damaged-").empty(), "round " + std::to_string(round) + ": set aside");
        const bool all = round % kCompareAllEvery == kCompareAllEvery - 1;
        std::string found = compare(fixture, oracle, all);
        if (!found.empty()) {
            // The kill came after the commit and before the append returned.
            oracle.add(interval(next++));
            found = compare(fixture, oracle, all);
        }
        check(found.empty(),
              "round " + std::to_string(round) + " with " + std::to_string(next) + " intervals: " + found);
    }
    std::printf("%d kills, %u intervals\n", kRounds, next);
    return 0;
}
