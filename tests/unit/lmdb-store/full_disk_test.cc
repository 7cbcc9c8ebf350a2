// A disk that becomes full, and has space again: appends fail and are counted, what was stored stays
// readable, a store on a full disk can be opened, and history goes on when there is space.
//
// Mounts a small tmpfs in a mount namespace of its own; without the right to do so it skips (exit code 77).
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/lmdb-store/support.h"

namespace {

using namespace weir;
using namespace weir::store::test;

constexpr int kSkipped = 77;

void check(bool ok, const std::string& what) {
    if (ok) return;
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::exit(1);
}

// Takes what space there is, but for `left` bytes.
void fill_disk(const std::string& path, std::size_t left) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(file >= 0, "cannot make the file that fills the disk");
    const std::vector<char> page(4096, 'x');
    off_t size = 0;
    while (write(file, page.data(), page.size()) == static_cast<ssize_t>(page.size())) size += 4096;
    check(ftruncate(file, size > static_cast<off_t>(left) ? size - static_cast<off_t>(left) : 0) == 0,
          "truncate");
    close(file);
}

void check_history(Fixture& fixture, const Oracle& oracle, const std::string& when) {
    query::AggregateQuery query;
    query.range = {0, fixture.clock.now};
    query.each_flow_once = false;
    query.by = {query::Dimension::of(Field::dst_ip)};
    const auto result = fixture.store().aggregate(query);
    check(result.has_value(), when + ": " + (result ? "" : result.error().message));
    auto expected = oracle.aggregate(query, false);
    expected.losses = result->losses;
    const std::string found = difference(*result, expected, false);
    check(found.empty(), when + ": " + found);
}

// Appends one interval; notes it when it was stored.
bool append(Fixture& fixture, Oracle& oracle, Random& random) {
    fixture.clock.now += 10 * kSecond;
    const BatchPtr batch =
        make_batch(random, fixture.clock.now, {.l4_rows = 500, .l7_rows = 300, .hosts = 1000});
    const Status stored = fixture.store().append(batch);
    if (stored) {
        oracle.add(batch);
        return true;
    }
    check(stored.error().code == ErrorCode::storage, stored.error().message);
    check(stored.error().message.find("free space") != std::string::npos,
          "not clear: " + stored.error().message);
    return false;
}

std::uint64_t failures(const Fixture& fixture) {
    return fixture.ledger.totals()[static_cast<std::size_t>(Loss::store_failed)];
}

void run(const std::string& disk) {
    Fixture fixture({.path = disk + "/store", .max_bytes = 64 << 20});
    fixture.open();
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 10; i++) check(append(fixture, oracle, random), "there is space at first");
    for (const std::size_t left : {0u, 4096u, 20'000u, 60'000u, 200'000u}) {
        const std::string when = std::to_string(left) + " bytes left";
        fill_disk(disk + "/filler", left);
        const std::uint64_t before = failures(fixture);
        std::uint64_t failed = 0;
        for (int i = 0; i < 12 || failed == 0; i++) failed += append(fixture, oracle, random) ? 0 : 1;
        check(failures(fixture) == before + failed, when + ": each failure is counted");
        check(!fixture.store().status().healthy, when + ": the status says so");
        check_history(fixture, oracle, when);

        fixture.close();
        fixture.open();
        check_history(fixture, oracle, when + ", opened again");
        check(!append(fixture, oracle, random) || left > 0, when + ": still full");

        check(unlink((disk + "/filler").c_str()) == 0, "unlink");
        for (int i = 0; i < 8; i++) check(append(fixture, oracle, random), when + ", and space again");
        check(fixture.store().status().healthy, when + ", and healthy again");
        check_history(fixture, oracle, when + ", and space again");
    }
}

}  // namespace

int main() {
    const TempDirectory directory;
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("weir-test", directory.path().c_str(), "tmpfs", 0, "size=6m") != 0) {
        std::printf("SKIPPED: cannot mount a small disk: %s; run as root\n", std::strerror(errno));
        return kSkipped;
    }
    run(directory.path());
    umount(directory.path().c_str());
    std::printf("ok\n");
    return 0;
}
