// Writes a store until its standard input ends, an interval every few milliseconds: weir_store_live DIRECTORY
// Says "ready" after some minutes' worth; then, at the end, what the rows add up to.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/unit/lmdb-store/support.h"

int main(int argc, char** argv) {
    using namespace weir::store::test;
    if (argc != 2) return 2;
    Fixture fixture({.path = argv[1]});
    fixture.open();
    Random random(1);
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    for (int i = 0; i < 30 || poll(&input, 1, 5) == 0; i++) {
        fixture.clock.now += 10 * kSecond;
        const auto batch = make_batch(random, fixture.clock.now);
        if (!fixture.store().append(batch)) return 1;
        rows += batch->l4.size();
        for (const auto& row : batch->l4) bytes += row.bytes_written;
        if (i == 30) std::printf("ready\n");
        std::fflush(stdout);
    }
    fixture.close();
    std::printf("%llu %llu\n", static_cast<unsigned long long>(rows), static_cast<unsigned long long>(bytes));
    return 0;
}
