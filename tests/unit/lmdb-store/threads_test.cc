// Readers beside the writer, in a store that is so small that it is always dropping, runs full, and makes
// room: answers are whole and no thread waits for ever. Meant for ThreadSanitizer, too, which does not start
// under Criterion.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/lmdb-store/support.h"

namespace {

using namespace weir;
using namespace weir::store::test;

constexpr int kReaders = 4;
constexpr int kIntervals = 160;

// The clock moves while readers look at it.
class MovingClock final : public Clock {
public:
    std::atomic<std::int64_t> now{kStart};
    std::int64_t wall_ns() const override { return now; }
    std::int64_t boot_ns() const override { return now; }
};

void check(bool ok, const std::string& what) {
    if (ok) return;
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::exit(1);
}

std::uint64_t bytes_of(const query::RecordPage& page) {
    std::uint64_t out = 0;
    for (const auto& record : page.order) out += page.rows.l4[record.row].bytes_written;
    return out;
}

void read(const store::Store& store, const MovingClock& clock, unsigned seed, const std::atomic<bool>& done) {
    Random random(seed);
    while (!done) {
        query::AggregateQuery query;
        query.range = {random() % 2 == 0 ? 0 : clock.now - 60 * kSecond, clock.now};
        query.by = {query::Dimension::of(Field::dst_ip)};
        query.limit = 3;
        const auto result = store.aggregate(query);
        check(result.has_value(), result ? "" : result.error().message);
        query::Measures sum = result->rest;
        for (const auto& group : result->groups) sum.merge(group.measures);
        check(same_measures(sum, result->totals), "the groups do not add up");
        check(result->losses[static_cast<std::size_t>(Loss::store_unreadable)] == 0, "unreadable rows");

        query::RecordQuery records;
        records.range = query.range;
        records.limit = 50 + random() % 200;
        const auto page = store.records(records);
        check(page.has_value(), page ? "" : page.error().message);
        records.cursor = page->next_cursor;
        if (!records.cursor.empty()) {
            const auto next = store.records(records);
            check(next.has_value(), next ? "" : next.error().message);
            check(next->order.empty() || next->order[0].time_ns <= page->order.back().time_ns,
                  "pages out of order");
            static_cast<void>(bytes_of(*next));
        }
        static_cast<void>(store.status());
    }
}

}  // namespace

int main() {
    const TempDirectory directory;
    MovingClock clock;
    Ledger ledger;
    const store::Options options{.path = directory.path(), .detail_ns = 120 * kSecond, .max_bytes = 2 << 20};
    auto store = store::Store::open(options, clock, Logger(), ledger);
    check(store.has_value(), store ? "" : store.error().message);
    std::atomic<bool> done{false};
    std::vector<std::thread> readers;
    for (unsigned i = 0; i < kReaders; i++) {
        readers.emplace_back([&, i] { read(**store, clock, i, done); });
    }
    Random random(99);
    for (int i = 0; i < kIntervals; i++) {
        clock.now += 10 * kSecond;
        const Shape shape{.l4_rows = i % 40 == 0 ? 6000u : 300u, .l7_rows = 100, .hosts = 3000, .samples = 1};
        const Status stored = (*store)->append(make_batch(random, clock.now, shape));
        check(stored.has_value(), stored ? "" : stored.error().message);
    }
    done = true;
    for (std::thread& reader : readers) reader.join();
    check((*store)->close().has_value(), "close");
    std::printf("ok\n");
    return 0;
}
