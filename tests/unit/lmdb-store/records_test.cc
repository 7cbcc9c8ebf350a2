#include <criterion/criterion.h>

#include <map>
#include <set>

#include "plugin/query/filter.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
using query::Layer;
using query::RecordPage;
using query::RecordQuery;

namespace {

constexpr std::int64_t kMinutes = 60 * kSecond;

class History {
public:
    explicit History(Options options = {}) : fixture(with_path(std::move(options))) { fixture.open(); }

    void append(std::int64_t interval = 10 * kSecond, const Shape& shape = {}) {
        fixture.clock.now += interval;
        const BatchPtr batch = make_batch(random, fixture.clock.now, shape, interval);
        cr_assert(fixture.store().append(batch).has_value());
        oracle.add(batch);
    }

    RecordPage page(const RecordQuery& query) {
        auto result = fixture.store().records(query);
        cr_assert(result.has_value(), "%s", result ? "" : result.error().message.c_str());
        return std::move(*result);
    }

    // All pages, put together; between(page, query) is called after each and may change the next query.
    template <typename F>
    std::vector<std::string> read_all(RecordQuery query, F between) {
        std::vector<std::string> out;
        for (int pages = 0;; pages++) {
            cr_assert_lt(pages, 10000, "the pages have no end");
            const RecordPage got = page(query);
            cr_assert_leq(got.order.size(), query.limit);
            for (std::size_t i = 0; i < got.order.size(); i++)
                out.push_back(describe_record(got, i, query.layer));
            if (got.next_cursor.empty()) break;
            cr_assert_eq(got.order.size(), query.limit);
            query.cursor = got.next_cursor;
            between(pages, query);
        }
        sort_within_intervals(out);
        return out;
    }

private:
    Options with_path(Options options) {
        options.path = directory_.path();
        return options;
    }
    TempDirectory directory_;

public:
    Fixture fixture;
    Oracle oracle;
    Random random{1};
};

}  // namespace

Test(records, all_of_them_newest_first) {
    History history;
    for (int i = 0; i < 8; i++) history.append();
    for (const Layer layer : kLayers) {
        for (const std::size_t limit : {1000u, 100u, 7u, 40u, 1u}) {
            RecordQuery query;
            query.layer = layer;
            query.range = {kStart, history.fixture.clock.now};
            query.limit = limit;
            cr_assert(history.read_all(query, [](int, RecordQuery&) {}) == history.oracle.records(query),
                      "limit %zu", limit);
        }
    }
}

Test(records, filtered) {
    History history;
    for (int i = 0; i < 8; i++) history.append();
    RecordQuery query;
    query.layer = Layer::l7;
    query.range = {kStart + 25 * kSecond, history.fixture.clock.now - 5 * kSecond};
    query.filter = query::Filter::equals(Field::method, "POST");
    query.limit = 11;
    cr_assert(history.read_all(query, [](int, RecordQuery&) {}) == history.oracle.records(query));
}

// New intervals arrive between the pages, and "now" moves on.
Test(records, slow_requests) {
    History history;
    for (int i = 0; i < 8; i++) history.append();
    RecordQuery query;
    query.layer = Layer::l7;
    query.slow = true;
    query.range = {kStart, history.fixture.clock.now};
    for (const char* filter : {"", "status_code:5xx", "latency:>500", "method:GET src_ip:10.*", "nginx"}) {
        query.filter = *query::parse_filter(filter);
        for (const std::size_t limit : {1000u, 5u}) {
            query.limit = limit;
            cr_assert(history.read_all(query, [](int, RecordQuery&) {}) == history.oracle.records(query),
                      "%s", filter);
        }
    }
}

Test(records, nothing_twice_and_nothing_skipped_while_new_ones_arrive) {
    History history;
    for (int i = 0; i < 10; i++) history.append();
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 33;
    const auto expected = history.oracle.records(query);
    const auto got = history.read_all(query, [&](int, RecordQuery& next) {
        history.append();
        next.range.to_ns = history.fixture.clock.now;
    });
    cr_assert(got == expected);
}

// Minutes are completed between the pages, so that intervals of the first page are in a minute later, and
// the range of the requests moves.
Test(records, pages_of_minutes_are_of_one_piece) {
    History history;
    const Shape shape{.l4_rows = 5, .l7_rows = 1};
    for (int i = 0; i < 6 * 25 + 4; i++) history.append(10 * kSecond, shape);
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 100000;
    const RecordPage whole = history.page(query);
    cr_assert(whole.resolution == query::Resolution::minute);
    std::vector<std::string> expected;
    for (std::size_t i = 0; i < whole.order.size(); i++)
        expected.push_back(describe_record(whole, i, query.layer));
    sort_within_intervals(expected);
    query.limit = 9;
    const auto got = history.read_all(query, [&](int pages, RecordQuery& next) {
        if (pages < 30) history.append(10 * kSecond, shape);
        next.range.to_ns = history.fixture.clock.now;
        next.range.from_ns += kSecond;
    });
    cr_assert(got == expected);
}

Test(records, sum_up_to_the_aggregate) {
    History history;
    for (int i = 0; i < 6 * 30; i++) history.append(10 * kSecond, {.l4_rows = 6, .l7_rows = 4});
    for (const std::int64_t back :
         {10 * kMinutes, 30 * kMinutes, 7 * kMinutes + 3 * kSecond, 21 * kMinutes + kSecond}) {
        RecordQuery query;
        query.range = {history.fixture.clock.now - back, history.fixture.clock.now - 13 * kSecond};
        query.limit = 100000;
        query.histogram_step_ns = 60 * kSecond;
        const RecordPage page = history.page(query);
        query::Measures sum;
        for (const auto& record : page.order) {
            const L4Row& row = page.rows.l4[record.row];
            sum.add(page.rows.flows[row.flow], row);
        }
        query::AggregateQuery aggregate;
        aggregate.range = query.range;
        aggregate.each_flow_once = false;
        aggregate.step_ns = query.histogram_step_ns;
        const auto result = history.fixture.store().aggregate(aggregate);
        cr_assert(result.has_value());
        cr_assert(result->resolution == page.resolution);
        cr_assert(same_measures(sum, result->totals));
        cr_assert(result->losses == page.losses);
        std::map<std::int64_t, std::uint64_t> bars, rows;
        for (const auto& bar : page.histogram) bars[bar.time_ns] = bar.count;
        for (const auto& group : result->groups) rows[group.time_ns] = group.rows;
        cr_assert(bars == rows);
    }
}

Test(records, histogram_is_of_the_range_on_every_page) {
    History history;
    for (int i = 0; i < 6; i++) history.append();
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 50;
    query.histogram_step_ns = 20 * kSecond;
    const RecordPage first = history.page(query);
    cr_assert_eq(first.histogram.size(), 3);
    std::uint64_t count = 0;
    for (const auto& bar : first.histogram) count += bar.count;
    cr_assert_eq(count, history.oracle.records(query).size());
    query.cursor = first.next_cursor;
    const RecordPage second = history.page(query);
    cr_assert_eq(second.histogram.size(), 3);
    query.cursor.clear();
    query.limit = 0;
    const RecordPage bars = history.page(query);
    cr_assert(bars.order.empty() && bars.next_cursor.empty());
    cr_assert_eq(bars.histogram.size(), 3);
}

Test(records, a_cursor_that_is_none_is_refused) {
    History history;
    for (int i = 0; i < 4; i++) history.append();
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 10;
    const std::string good = history.page(query).next_cursor;
    const auto refused = [&](const std::string& cursor) {
        query.cursor = cursor;
        const auto result = history.fixture.store().records(query);
        return !result && result.error().code == ErrorCode::invalid_argument;
    };
    cr_assert(!refused(good));
    for (const char* text : {"x", "0", "../../etc/passwd", "%00", "ffffffffffffffff"})
        cr_assert(refused(text));
    cr_assert(refused(good + "00"));
    cr_assert(refused(std::string(good.size(), '0')));
    for (std::size_t i = 0; i < good.size(); i++) {
        std::string bad = good;
        bad[i] = bad[i] == '0' ? '1' : '0';
        cr_assert(refused(bad), "digit %zu", i);
    }
    query.layer = Layer::l7;
    cr_assert(refused(good), "a cursor of the other layer");
    History other;
    other.fixture.clock.now += 1;
    other.append();
    query.layer = Layer::l4;
    query.cursor = good;
    other.fixture.close();
    cr_assert(!refused(good));
}

Test(records, of_another_store_are_refused) {
    History history;
    for (int i = 0; i < 4; i++) history.append();
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 10;
    query.cursor = history.page(query).next_cursor;

    TempDirectory directory;
    Fixture other({.path = directory.path()});
    other.clock.now += 5;
    other.open();
    const auto result = other.store().records(query);
    cr_assert(!result && result.error().code == ErrorCode::invalid_argument);
}

Test(records, a_page_has_one_host) {
    History history;
    for (int i = 0; i < 4; i++) {
        history.fixture.clock.now += 10 * kSecond;
        auto batch = std::make_shared<Batch>(*make_batch(history.random, history.fixture.clock.now));
        batch->host = i < 2 ? "old-name" : "new-name";
        cr_assert(history.fixture.store().append(batch).has_value());
        history.oracle.add(batch);
    }
    RecordQuery query;
    query.range = {kStart, history.fixture.clock.now};
    query.limit = 1000;
    std::vector<std::string> got;
    std::set<std::string> hosts;
    do {
        const RecordPage page = history.page(query);
        hosts.insert(page.rows.host);
        for (std::size_t i = 0; i < page.order.size(); i++)
            got.push_back(describe_record(page, i, query.layer));
        query.cursor = page.next_cursor;
    } while (!query.cursor.empty());
    cr_assert_eq(hosts.size(), 2);
    sort_within_intervals(got);
    cr_assert(got == history.oracle.records(query));
}
