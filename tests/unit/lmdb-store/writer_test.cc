// What only the writer sees: an environment that fails under it.
#include "lmdb-store/writer.h"

#include <criterion/criterion.h>

#include <filesystem>

#include "lmdb-store/plan.h"
#include "lmdb-store/recovery.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;

namespace {

struct Parts {
    TempDirectory directory;
    Options options{.path = directory.path() + "/store"};
    std::uint64_t map_bytes = map_bytes_for(options.max_bytes);
    ManualClock clock;
    Ledger ledger;
    Logger logger;
    Environment environment;
    Writer writer{environment, options, map_bytes, clock, logger, ledger};
    Random random{1};

    Parts() {
        std::filesystem::create_directory(options.path);
        cr_assert(open_environment(options.path, map_bytes, clock, logger, environment).has_value());
        cr_assert(writer.start().has_value());
    }
    Status append() {
        clock.now += 10 * kSecond;
        return writer.append(make_batch(random, clock.now));
    }
    std::size_t intervals() {
        const auto snapshot = environment.read();
        cr_assert(snapshot.has_value());
        const auto plan =
            make_plan(snapshot->transaction(), {kStart, clock.now}, clock.now, options.detail_ns);
        cr_assert(plan.has_value());
        return plan->entries.size();
    }
};

}  // namespace

// After a failed write of its meta page LMDB refuses everything until it is opened again; closing it has the
// same effect on the writer.
Test(writer, opens_an_environment_that_failed_again) {
    Parts parts;
    for (int i = 0; i < 8; i++) cr_assert(parts.append().has_value());
    parts.environment.close();
    cr_assert(!parts.environment.read().has_value());
    cr_assert(parts.append().has_value());
    cr_assert_eq(parts.intervals(), 9);
    cr_assert(parts.writer.published().problem.empty());
}

Test(writer, goes_on_when_it_can_be_opened_later) {
    Parts parts;
    cr_assert(parts.append().has_value());
    parts.environment.close();
    const std::string away = parts.options.path + "-away";
    std::filesystem::rename(parts.options.path, away);
    for (std::uint64_t failed = 1; failed < 4; failed++) {
        const Status lost = parts.append();
        cr_assert(!lost && lost.error().code == ErrorCode::storage);
        cr_assert_eq(parts.ledger.totals()[static_cast<std::size_t>(Loss::store_failed)], failed);
        cr_assert(!parts.writer.published().problem.empty());
    }
    std::filesystem::rename(away, parts.options.path);
    cr_assert(parts.append().has_value());
    cr_assert_eq(parts.intervals(), 2);
    cr_assert(parts.writer.published().problem.empty());
}
