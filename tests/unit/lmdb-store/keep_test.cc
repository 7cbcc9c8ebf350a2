// What is kept, for how long, in how much space, and over restarts.
#include <criterion/criterion.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
using query::AggregateQuery;
using query::Layer;
using query::Resolution;

namespace {

constexpr std::int64_t kMinutes = 60 * kSecond;
constexpr std::uint64_t kMiB = 1 << 20;

void append(Fixture& fixture, Oracle& oracle, Random& random, std::int64_t interval = 10 * kSecond,
            const Shape& shape = {.l4_rows = 6, .l7_rows = 4}) {
    fixture.clock.now += interval;
    const BatchPtr batch = make_batch(random, fixture.clock.now, shape, interval);
    const Status ok = fixture.store().append(batch);
    cr_assert(ok.has_value(), "%s", ok ? "" : ok.error().message.c_str());
    oracle.add(batch);
}

AggregateQuery range(std::int64_t from, std::int64_t to, Layer layer = Layer::l4) {
    AggregateQuery query;
    query.layer = layer;
    query.range = {from, to};
    query.each_flow_once = false;
    return query;
}

query::AggregateResult ask(Fixture& fixture, const AggregateQuery& query) {
    auto result = fixture.store().aggregate(query);
    cr_assert(result.has_value(), "%s", result ? "" : result.error().message.c_str());
    return std::move(*result);
}

std::uint64_t disk_use(const TempDirectory& directory) {
    std::uint64_t out = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
        struct stat about {};
        if (stat(entry.path().c_str(), &about) == 0) out += static_cast<std::uint64_t>(about.st_size);
    }
    return out;
}

void expect_none(const std::string& difference) { cr_assert(difference.empty(), "%s", difference.c_str()); }

}  // namespace

Test(keep, detail_for_minutes_and_minutes_for_hours) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .detail_ns = 5 * kMinutes, .minute_ns = 60 * kMinutes});
    fixture.open();
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 6 * 60 * 2; i++)
        append(fixture, oracle, random, 10 * kSecond, {.l4_rows = 2, .l7_rows = 1});
    const std::int64_t now = fixture.clock.now;
    const auto status = fixture.store().status();
    cr_assert(status.healthy);
    cr_assert_gt(status.oldest_detail_ns, now - 7 * kMinutes);
    cr_assert_leq(status.oldest_detail_ns, now - 5 * kMinutes);
    cr_assert_gt(status.oldest_minute_ns, now - 62 * kMinutes);
    cr_assert_leq(status.oldest_minute_ns, now - 60 * kMinutes);
    cr_assert_gt(status.bytes_used, 0);
    cr_assert_lt(status.bytes_used, status.bytes_limit);
    const auto detail = ask(fixture, range(now - 5 * kMinutes, now));
    cr_assert(detail.resolution == Resolution::detail);
    expect_none(difference(detail, oracle.aggregate(range(now - 5 * kMinutes, now), false)));
    const auto minutes = ask(fixture, range(now - 60 * kMinutes, now));
    cr_assert(minutes.resolution == Resolution::minute);
    expect_none(difference(minutes, oracle.aggregate(range(now - 60 * kMinutes, now), true), false));
}

Test(keep, over_a_restart) {
    for (const bool crash : {false, true}) {
        TempDirectory directory;
        Fixture fixture({.path = directory.path()});
        fixture.open();
        Oracle oracle;
        Random random(1);
        for (int restart = 0; restart < 6; restart++) {
            for (int i = 0; i < 17 + restart; i++) append(fixture, oracle, random);
            if (crash) {
                // As after a kill: the file as it is now, without what close() writes.
                std::filesystem::copy(directory.file("data.mdb"), directory.file("copy"));
            }
            fixture.close();
            if (crash) std::filesystem::rename(directory.file("copy"), directory.file("data.mdb"));
            fixture.open();
        }
        const std::int64_t now = fixture.clock.now;
        for (const Layer layer : {Layer::l4, Layer::l7}) {
            AggregateQuery query = range(kStart, now, layer);
            query.by = {query::Dimension::of(Field::dst_ip)};
            query.step_ns = kMinutes;
            const auto result = ask(fixture, query);
            cr_assert(result.resolution == Resolution::minute);
            const std::string found = difference(result, oracle.aggregate(query, false), false);
            cr_assert(found.empty(), "crash %d: %s", crash, found.c_str());
        }
    }
}

// Answers are complete while it is on its way, and after a kill in the middle of it.
Test(keep, a_minute_of_many_flows_is_written_in_steps) {
    for (const int appends_before_kill : {0, 1, 2, 3}) {
        TempDirectory directory;
        Fixture fixture({.path = directory.path(), .detail_ns = kMinutes});
        fixture.open();
        Oracle oracle;
        Random random(1);
        fixture.clock.now += 40 * kSecond;
        append(fixture, oracle, random, 10 * kSecond, {.l4_rows = 70'000, .l7_rows = 10, .hosts = 60'000});
        append(fixture, oracle, random);
        const auto expect_all = [&] {
            const auto query = range(kStart, fixture.clock.now);
            expect_none(difference(ask(fixture, query), oracle.aggregate(query, false), false));
            return fixture.store().status().minute_rows;
        };
        for (int i = 0; i < 3; i++) {
            if (i == appends_before_kill) break;
            append(fixture, oracle, random);
            const std::uint64_t rows = expect_all();
            cr_assert(i < 2 ? rows == 0 : rows > 60'000, "%d: %zu rows", i, std::size_t{rows});
        }
        std::filesystem::copy(directory.file("data.mdb"), directory.file("copy"));
        fixture.close();
        std::filesystem::rename(directory.file("copy"), directory.file("data.mdb"));
        fixture.open();
        for (int i = 0; i < 14; i++) append(fixture, oracle, random);
        cr_assert_gt(expect_all(), 60'000);
    }
}

Test(keep, long_after_a_crash) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 100; i++) append(fixture, oracle, random);
    std::filesystem::copy(directory.file("data.mdb"), directory.file("copy"));
    fixture.close();
    std::filesystem::rename(directory.file("copy"), directory.file("data.mdb"));
    fixture.clock.now += 10 * 60 * kMinutes;
    fixture.open();
    for (int i = 0; i < 8; i++) append(fixture, oracle, random);
    const auto query = range(kStart, fixture.clock.now);
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, false), false));
    cr_assert_gt(fixture.store().status().oldest_detail_ns, fixture.clock.now - 20 * kMinutes);
}

Test(keep, intervals_of_many_lengths) {
    for (const std::int64_t interval : {kSecond, 7 * kSecond, 60 * kSecond, 5 * kMinutes}) {
        TempDirectory directory;
        Fixture fixture({.path = directory.path()});
        fixture.open();
        Oracle oracle;
        Random random(1);
        for (int i = 0; i < 150; i++) append(fixture, oracle, random, interval, {.l4_rows = 3, .l7_rows = 2});
        fixture.close();
        fixture.open();
        AggregateQuery query = range(fixture.clock.now - 50 * 60 * kMinutes, fixture.clock.now);
        query.step_ns = kMinutes;
        const std::string found = difference(ask(fixture, query), oracle.aggregate(query, false), false);
        cr_assert(found.empty(), "interval %ld: %s", interval / kSecond, found.c_str());
    }
}

// A clock that steps back: what comes has earlier times, and is found by them.
Test(keep, when_the_clock_steps_back) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 30; i++) append(fixture, oracle, random);
    fixture.clock.now -= 3 * kMinutes + 7 * kSecond;
    for (int i = 0; i < 30; i++) append(fixture, oracle, random);
    const std::int64_t now = fixture.clock.now;
    AggregateQuery query = range(now - 4 * kMinutes, now);
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, false)));
    query = range(kStart, now + 60 * kMinutes);
    query.step_ns = 10 * kSecond;
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, false)));

    query::RecordQuery records;
    records.range = query.range;
    records.limit = 100000;
    const auto page = fixture.store().records(records);
    cr_assert_eq(page->order.size(), oracle.records(records).size());
    for (std::size_t i = 1; i < page->order.size(); i++) {
        cr_assert_leq(page->order[i].time_ns, page->order[i - 1].time_ns);
    }
    fixture.close();
    fixture.open();
    fixture.clock.now += 30 * kMinutes;
    query = range(kStart, fixture.clock.now);
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, true), false));
}

// A clock that was far ahead, and is set right: nothing of the wrong time stays for ever.
Test(keep, when_the_clock_was_years_ahead) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.clock.now += 1'000'000'000 * kSecond;
    fixture.open();
    Oracle ignored;
    Random random(1);
    for (int i = 0; i < 60; i++) append(fixture, ignored, random);
    fixture.clock.now = kStart;
    Oracle oracle;
    for (int i = 0; i < 300; i++) append(fixture, oracle, random);
    const auto status = fixture.store().status();
    cr_assert_leq(status.oldest_detail_ns, fixture.clock.now);
    cr_assert_leq(status.oldest_minute_ns, fixture.clock.now + kMinutes);
    const auto query = range(fixture.clock.now - 10 * kMinutes, fixture.clock.now);
    const auto result = ask(fixture, query);
    cr_assert(result.resolution == Resolution::detail);
    expect_none(difference(result, oracle.aggregate(query, false)));
}

Test(keep, under_the_cap) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .max_bytes = 2 * kMiB});
    fixture.open();
    Oracle oracle;
    Random random(1);
    const Shape shape{.l4_rows = 300, .l7_rows = 200, .hosts = 2000, .paths = 300};
    for (int i = 0; i < 300; i++) {
        append(fixture, oracle, random, 10 * kSecond, shape);
        cr_assert_leq(fixture.store().status().bytes_used, 2 * kMiB / 8 * 7, "there must be room to work in");
        if (i % 25 == 0) cr_assert_leq(disk_use(directory), 2 * kMiB);
    }
    cr_assert_leq(disk_use(directory), 2 * kMiB, "%lu", disk_use(directory));
    const std::int64_t now = fixture.clock.now;
    const auto status = fixture.store().status();
    cr_assert(status.healthy, "%s", status.problem.c_str());
    cr_assert_leq(status.bytes_used, 2 * kMiB);
    cr_assert_gt(status.bytes_used, kMiB / 4 * 3, "much of it is not used: %lu", status.bytes_used);
    // The newest is there, whole; where detail went, minutes answer.
    AggregateQuery query = range(now - 20 * kSecond, now);
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, false)));
    query = range(status.oldest_minute_ns - kMinutes, now);
    const auto result = ask(fixture, query);
    cr_assert(result.resolution == Resolution::minute);
    expect_none(difference(result, oracle.aggregate(query, true), false));
}

Test(keep, an_interval_that_is_large_for_the_cap) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .max_bytes = 2 * kMiB});
    fixture.open();
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 10; i++) append(fixture, oracle, random, 10 * kSecond, {.l4_rows = 1000});
    for (int i = 0; i < 3; i++) {
        append(fixture, oracle, random, 10 * kSecond,
               {.l4_rows = 25000, .l7_rows = 0, .hosts = 50000, .samples = 1});
        const auto query = range(fixture.clock.now - 10 * kSecond, fixture.clock.now);
        expect_none(difference(ask(fixture, query), oracle.aggregate(query, false)));
        cr_assert_leq(disk_use(directory), 2 * kMiB);
    }
    // One that cannot fit at all costs nothing of what is there.
    fixture.clock.now += 10 * kSecond;
    const BatchPtr giant = make_batch(random, fixture.clock.now,
                                      {.l4_rows = 120000, .l7_rows = 0, .hosts = 500000, .samples = 2});
    const std::uint64_t rows = fixture.store().status().detail_rows;
    const Status refused = fixture.store().append(giant);
    cr_assert(!refused && refused.error().code == ErrorCode::storage);
    cr_assert(refused.error().message.find("does not fit") != std::string::npos, "%s",
              refused.error().message.c_str());
    cr_assert_eq(fixture.ledger.totals()[static_cast<std::size_t>(Loss::store_failed)], 1);
    cr_assert(!fixture.store().status().healthy);
    cr_assert_eq(fixture.store().status().detail_rows, rows);
    append(fixture, oracle, random);
    cr_assert(fixture.store().status().healthy);
}

Test(keep, when_the_cap_is_lowered) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .max_bytes = 6 * kMiB});
    fixture.open();
    Oracle oracle;
    Random random(1);
    const Shape shape{.l4_rows = 800, .l7_rows = 400, .hosts = 5000, .paths = 1000};
    for (int i = 0; i < 60; i++) append(fixture, oracle, random, 10 * kSecond, shape);
    cr_assert_gt(disk_use(directory), 3 * kMiB, "%lu", disk_use(directory));
    fixture.close();
    fixture.options.max_bytes = 2 * kMiB;
    fixture.open();
    cr_assert_leq(disk_use(directory), 2 * kMiB, "%lu", disk_use(directory));
    append(fixture, oracle, random, 10 * kSecond, shape);
    cr_assert_leq(disk_use(directory), 2 * kMiB);
    cr_assert_gt(fixture.store().status().oldest_minute_ns, 0, "nothing is left");
    const auto query = range(fixture.store().status().oldest_minute_ns - kMinutes, fixture.clock.now);
    expect_none(difference(ask(fixture, query), oracle.aggregate(query, false), false));
}

// What was refused is counted, and what it had lost is not forgotten.
Test(keep, losses_of_an_interval_that_was_not_stored) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    fixture.clock.now += 10 * kSecond;
    auto bad = std::make_shared<Batch>();
    bad->end_ns = fixture.clock.now;
    bad->l4.emplace_back().flow = 7;
    bad->losses[static_cast<std::size_t>(Loss::ring_full_tcp)] = 5;
    const Status refused = fixture.store().append(bad);
    cr_assert(!refused && refused.error().code == ErrorCode::invalid_argument);
    cr_assert(!fixture.store().append(nullptr).has_value());
    cr_assert_eq(fixture.ledger.totals()[static_cast<std::size_t>(Loss::store_failed)], 2);
    auto good = std::make_shared<Batch>();
    good->end_ns = fixture.clock.now;
    good->losses[static_cast<std::size_t>(Loss::ring_full_tcp)] = 2;
    cr_assert(fixture.store().append(good).has_value());
    const auto result = ask(fixture, range(kStart, fixture.clock.now));
    cr_assert_eq(result.losses[static_cast<std::size_t>(Loss::ring_full_tcp)], 7);
}

Test(keep, status_counts_rows) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path()});
    fixture.open();
    cr_assert_eq(fixture.store().status().oldest_detail_ns, 0);
    Oracle oracle;
    Random random(1);
    for (int i = 0; i < 7; i++) append(fixture, oracle, random);
    std::uint64_t rows = 0;
    for (const BatchPtr& batch : oracle.batches())
        rows += batch->l4.size() + batch->l7.size() + batch->dns.size() + batch->slow.size();
    auto status = fixture.store().status();
    cr_assert_eq(status.detail_rows, rows);
    cr_assert_eq(status.oldest_detail_ns, kStart + 10 * kSecond);
    cr_assert_eq(status.oldest_minute_ns, kStart + kMinutes);
    cr_assert_gt(status.minute_rows, 0);
    cr_assert_str_eq(status.path.c_str(), directory.path().c_str());
    const std::uint64_t minute_rows = status.minute_rows;
    fixture.close();
    fixture.open();
    status = fixture.store().status();
    cr_assert_eq(status.detail_rows, rows);
    cr_assert_gt(status.minute_rows, minute_rows, "closing writes the minute in work");
}
