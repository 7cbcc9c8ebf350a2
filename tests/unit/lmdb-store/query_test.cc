// Answers of the store against the plain ones of the oracle.
#include <criterion/criterion.h>

#include "plugin/flow/batch_builder.h"
#include "plugin/query/filter.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
using query::AggregateQuery;
using query::Dimension;
using query::Filter;
using query::Layer;
using query::Measure;
using query::Resolution;

namespace {

constexpr std::int64_t kMinutes = 60 * kSecond;

// Some minutes of traffic, in the store and in the oracle. The clock is at the end of it.
class History {
public:
    explicit History(std::size_t intervals, std::int64_t interval = 10 * kSecond, const Shape& shape = {},
                     std::uint64_t seed = 1)
        : fixture({.path = directory_.path()}), random(seed) {
        fixture.open();
        for (std::size_t i = 0; i < intervals; i++) append(interval, shape);
    }

    void append(std::int64_t interval = 10 * kSecond, const Shape& shape = {}) {
        fixture.clock.now += interval;
        const BatchPtr batch = make_batch(random, fixture.clock.now, shape, interval);
        const Status ok = fixture.store().append(batch);
        cr_assert(ok.has_value(), "%s", ok ? "" : ok.error().message.c_str());
        oracle.add(batch);
    }

    std::string compare(const AggregateQuery& query, Resolution resolution) {
        const auto result = fixture.store().aggregate(query);
        if (!result) return result.error().message;
        if (result->resolution != resolution) return "the other resolution";
        const bool minutes = resolution == Resolution::minute;
        return difference(*result, oracle.aggregate(query, minutes), !minutes);
    }

private:
    TempDirectory directory_;

public:
    Fixture fixture;
    Oracle oracle;
    Random random;
};

AggregateQuery all(Layer layer, std::int64_t from, std::int64_t to) {
    AggregateQuery query;
    query.layer = layer;
    query.range = {from, to};
    query.each_flow_once = false;
    return query;
}

std::vector<Dimension> every_dimension() {
    std::vector<Dimension> out;
    for (std::size_t i = 0; i < kFieldCount; i++) out.push_back(Dimension::of(static_cast<Field>(i)));
    for (const query::View view : {query::View::host, query::View::process, query::View::ip}) {
        out.push_back(Dimension::client(view));
        out.push_back(Dimension::server(view));
    }
    return out;
}

Filter term(Random& random) {
    Filter out;
    const char* const patterns[] = {
        "*",  "",         "nginx", "10.0.0.*", "*3*", "host-a",      "443",    "get",
        "5*", "outgoing", "true",  "tcp",      "-1",  "container-2", "*.test", "172.16*"};
    out.pattern = patterns[random() % std::size(patterns)];
    switch (random() % 6) {
        case 0: out.kind = Filter::Kind::any_field; break;
        case 1: out.kind = Filter::Kind::client; break;
        case 2: out.kind = Filter::Kind::server; break;
        default:
            out.kind = Filter::Kind::field;
            out.field = static_cast<Field>(random() % kFieldCount);
            out.comparison = static_cast<query::Comparison>(random() % 5);
            out.number = static_cast<double>(random() % 1000);
    }
    return out;
}

Filter expression(Random& random, int depth) {
    if (depth == 0 || random() % 3 == 0) return random() % 8 == 0 ? Filter::everything() : term(random);
    Filter out;
    const Filter::Kind kinds[] = {Filter::Kind::conjunction, Filter::Kind::disjunction,
                                  Filter::Kind::negation};
    out.kind = kinds[random() % 3];
    const std::size_t operands = out.kind == Filter::Kind::negation ? 1 : random() % 4;
    for (std::size_t i = 0; i < operands; i++) out.operands.push_back(expression(random, depth - 1));
    return out;
}

void expect_none(const std::string& difference) { cr_assert(difference.empty(), "%s", difference.c_str()); }

}  // namespace

Test(query, totals_of_detail) {
    History history(20);
    for (const Layer layer : kLayers) {
        expect_none(history.compare(all(layer, kStart, history.fixture.clock.now), Resolution::detail));
    }
}

Test(query, by_every_dimension) {
    History history(12);
    for (const Layer layer : kLayers) {
        for (const Dimension& dimension : every_dimension()) {
            AggregateQuery query = all(layer, kStart, history.fixture.clock.now);
            query.by = {dimension};
            const std::string found = history.compare(query, Resolution::detail);
            cr_assert(found.empty(), "by %d %s: %s", static_cast<int>(dimension.kind),
                      info(dimension.field).name.data(), found.c_str());
        }
    }
}

Test(query, by_several_dimensions_and_steps) {
    History history(12);
    const auto dimensions = every_dimension();
    for (int round = 0; round < 60; round++) {
        AggregateQuery query = all(kLayers[round % 3], kStart, history.fixture.clock.now);
        for (std::uint64_t n = history.random() % 4; n > 0; n--) {
            query.by.push_back(dimensions[history.random() % dimensions.size()]);
        }
        query.step_ns =
            history.random() % 2 == 0 ? 0 : static_cast<std::int64_t>(1 + history.random() % 40) * kSecond;
        query.each_flow_once = history.random() % 2 == 0;
        const std::string found = history.compare(query, Resolution::detail);
        cr_assert(found.empty(), "round %d: %s", round, found.c_str());
    }
}

Test(query, filtered) {
    History history(6);
    for (int round = 0; round < 400; round++) {
        AggregateQuery query = all(kLayers[round % 3], kStart, history.fixture.clock.now);
        query.filter = expression(history.random, 3);
        if (round % 3 == 0) query.by = {Dimension::of(Field::dst_ip)};
        query.each_flow_once = round % 4 > 1;
        const std::string found = history.compare(query, Resolution::detail);
        cr_assert(found.empty(), "round %d: %s", round, found.c_str());
    }
}

// Both rows of a flow from curl to nginx on this host.
BatchPtr local_pair(std::int64_t end_ns) {
    BatchBuilder builder;
    Flow flow;
    flow.local = flow.remote = Address::v4(127, 0, 0, 1);
    flow.remote_port = 80;
    flow.direction = Direction::outgoing;
    flow.peer_is_local = true;
    flow.pid = 10;
    flow.process = builder.intern("curl");
    flow.peer_process = builder.intern("nginx");
    builder.l4(builder.flow(flow)).bytes_written = 1000;
    std::swap(flow.local_port, flow.remote_port);
    flow.direction = Direction::incoming;
    flow.pid = 20;
    flow.process = std::exchange(flow.peer_process, 0);
    builder.l4(builder.flow(flow)).bytes_read = 1000;
    auto out = builder.take();
    out->begin_ns = end_ns - 10 * kSecond;
    out->end_ns = end_ns;
    out->host = "host-a";
    return out;
}

Test(query, the_servers_side_of_a_local_flow_can_be_asked_for) {
    History history(0);
    history.fixture.clock.now += 10 * kSecond;
    cr_assert(history.fixture.store().append(local_pair(history.fixture.clock.now)).has_value());
    struct Case {
        const char* filter;
        std::uint64_t written, read;
    };
    for (const Case& expected :
         {Case{"", 1000, 0}, Case{"direction:outgoing", 1000, 0}, Case{"direction:incoming", 0, 1000},
          Case{"process_name:nginx", 0, 1000}, Case{"pid:20", 0, 1000}, Case{"src_port:80", 0, 1000},
          Case{"nginx", 1000, 0}, Case{"server_port:80", 1000, 0}, Case{"pid:10 OR pid:20", 1000, 0},
          Case{"-process_name:curl", 0, 1000}, Case{"pid:30", 0, 0}}) {
        AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
        query.each_flow_once = true;
        query.filter = *query::parse_filter(expected.filter);
        const auto result = history.fixture.store().aggregate(query);
        cr_assert(result.has_value());
        cr_expect_eq(result->totals.bytes_written, expected.written, "%s: written", expected.filter);
        cr_expect_eq(result->totals.bytes_read, expected.read, "%s: read", expected.filter);
    }
}

Test(query, filtered_by_each_field) {
    History history(3);
    for (const Layer layer : kLayers) {
        for (std::size_t field = 0; field < kFieldCount; field++) {
            for (const char* pattern : {"*", "", "*1*", "host-a", "N/A"}) {
                AggregateQuery query = all(layer, kStart, history.fixture.clock.now);
                query.filter.kind = Filter::Kind::field;
                query.filter.field = static_cast<Field>(field);
                query.filter.pattern = pattern;
                const std::string found = history.compare(query, Resolution::detail);
                cr_assert(found.empty(), "%s:%s: %s", kPointSchema[field].name.data(), pattern,
                          found.c_str());
            }
        }
    }
}

Test(query, only_the_measures_asked_for) {
    History history(6);
    for (const Layer layer : kLayers) {
        for (std::size_t i = 0; i < query::kMeasureCount; i++) {
            const auto measure = static_cast<Measure>(i);
            if (!query::in_layer(measure, layer)) continue;
            AggregateQuery query = all(layer, kStart, history.fixture.clock.now);
            query.by = {Dimension::of(Field::dst_ip)};
            query.sort = measure;
            query.measures = query::set_of(measure);
            const auto result = history.fixture.store().aggregate(query);
            cr_assert(result.has_value());
            const auto expected = history.oracle.aggregate(query, false);
            const double seconds = 60;
            cr_assert(query::value(result->totals, measure, seconds) ==
                          query::value(expected.totals, measure, seconds),
                      "%s", query::info(measure).name.data());
            for (const auto& group : result->groups) {
                for (const auto& other : expected.groups) {
                    if (other.key != group.key) continue;
                    cr_assert(query::value(group.measures, measure, seconds) ==
                              query::value(other.measures, measure, seconds));
                }
            }
        }
    }
}

Test(query, minutes_add_up_to_the_same) {
    History history(6 * 60, 10 * kSecond, {.l4_rows = 8, .l7_rows = 6});
    const std::int64_t now = history.fixture.clock.now;
    const std::vector<std::vector<Dimension>> groupings = {
        {},
        {Dimension::of(Field::dst_ip)},
        {Dimension::of(Field::route), Dimension::of(Field::status_code)},
        {Dimension::client(query::View::process), Dimension::server(query::View::ip)}};
    for (const Layer layer : kLayers) {
        for (const auto& by : groupings) {
            AggregateQuery query = all(layer, kStart, now);
            query.by = by;
            query.step_ns = by.empty() ? kMinutes : 0;
            const std::string found = history.compare(query, Resolution::minute);
            cr_assert(found.empty(), "%s", found.c_str());
        }
    }
}

// The minute in work has no rollup yet, and the range cuts a minute that has one.
Test(query, minutes_hold_what_is_not_rolled_up_yet) {
    History history(6 * 60 + 3, 10 * kSecond, {.l4_rows = 4, .l7_rows = 2});
    const std::int64_t now = history.fixture.clock.now;
    for (const std::int64_t to :
         {now, now - 20 * kSecond, now - 70 * kSecond, now - 5 * kMinutes - 30 * kSecond}) {
        const AggregateQuery query = all(Layer::l4, kStart, to);
        const auto result = history.fixture.store().aggregate(query);
        cr_assert(result.has_value());
        cr_assert(result->resolution == Resolution::minute);
        // The range begins on a minute, so the intervals say it exactly.
        const std::string found = difference(*result, history.oracle.aggregate(query, false), false);
        cr_assert(found.empty(), "%s", found.c_str());
    }
}

Test(query, ranges_that_touch_share_no_row) {
    History history(6 * 40, 10 * kSecond, {.l4_rows = 3, .l7_rows = 0});
    const std::int64_t now = history.fixture.clock.now;
    const auto whole = history.fixture.store().aggregate(all(Layer::l4, kStart, now));
    for (int round = 0; round < 50; round++) {
        const std::int64_t middle = kStart + static_cast<std::int64_t>(history.random() % (now - kStart));
        const auto before = history.fixture.store().aggregate(all(Layer::l4, kStart, middle));
        const auto after = history.fixture.store().aggregate(all(Layer::l4, middle, now));
        cr_assert(before.has_value() && after.has_value());
        cr_assert_eq(before->totals.bytes_written + after->totals.bytes_written, whole->totals.bytes_written,
                     "cut at %ld", (middle - kStart) / kSecond);
    }
}

Test(query, resolution_follows_from_where_the_range_begins) {
    History history(6 * 30, 10 * kSecond, {.l4_rows = 2, .l7_rows = 1});
    const std::int64_t now = history.fixture.clock.now;
    const auto resolution = [&](std::int64_t from) {
        return history.fixture.store().aggregate(all(Layer::l4, from, now))->resolution;
    };
    cr_assert(resolution(now - 60 * kMinutes) == Resolution::minute);
    cr_assert(resolution(now - 17 * kMinutes) == Resolution::minute);
    cr_assert(resolution(now - 15 * kMinutes) == Resolution::detail);
    cr_assert(resolution(now - kMinutes) == Resolution::detail);
    // Asked a moment after the range was worked out.
    history.fixture.clock.now += 2 * kSecond;
    cr_assert(resolution(now - 15 * kMinutes) == Resolution::detail);
}

Test(query, sorted_and_limited) {
    History history(10);
    for (const Layer layer : kLayers) {
        for (std::size_t i = 0; i < query::kMeasureCount; i++) {
            AggregateQuery query = all(layer, kStart, history.fixture.clock.now);
            query.by = {Dimension::of(Field::dst_ip), Dimension::of(Field::process_name)};
            query.sort = static_cast<Measure>(i);
            query.descending = i % 2 == 0;
            const auto whole = history.fixture.store().aggregate(query);
            query.limit = 7;
            const auto some = history.fixture.store().aggregate(query);
            cr_assert(whole.has_value() && some.has_value());
            cr_assert_eq(some->groups.size(), 7);
            cr_assert_eq(some->group_count, whole->groups.size());
            query::Measures rest;
            bool has_ended = false;
            std::optional<double> last;
            for (std::size_t k = 0; k < whole->groups.size(); k++) {
                const auto value = query::value(whole->groups[k].measures, query.sort, 100);
                cr_assert(!(has_ended && value), "a value after none");
                has_ended = !value;
                if (last && value) cr_assert(query.descending ? *value <= *last : *value >= *last);
                last = value;
                if (k < 7) {
                    cr_assert(some->groups[k].key == whole->groups[k].key);
                } else {
                    rest.merge(whole->groups[k].measures);
                }
            }
            cr_assert(same_measures(some->rest, rest));
            cr_assert(same_measures(some->totals, whole->totals));
        }
    }
}

Test(query, limit_keeps_all_steps_of_a_key) {
    History history(12);
    AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
    query.by = {Dimension::of(Field::transport)};
    query.step_ns = 10 * kSecond;
    query.limit = 1;
    const auto result = history.fixture.store().aggregate(query);
    cr_assert_eq(result->group_count, 2);
    cr_assert_eq(result->groups.size(), 12);
    for (std::size_t i = 0; i < result->groups.size(); i++) {
        cr_assert_str_eq(result->groups[i].key[0].text.c_str(), "tcp");
        cr_assert_eq(result->groups[i].time_ns, kStart + static_cast<std::int64_t>(i) * 10 * kSecond);
    }
}

Test(query, too_many_groups_stay_in_the_totals) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .max_groups = 10});
    fixture.open();
    Random random(1);
    Oracle oracle;
    fixture.clock.now += 10 * kSecond;
    oracle.add(make_batch(random, fixture.clock.now, {.hosts = 500}));
    cr_assert(fixture.store().append(oracle.batches()[0]).has_value());
    AggregateQuery query = all(Layer::l4, kStart, fixture.clock.now);
    query.by = {Dimension::of(Field::dst_ip)};
    const auto result = fixture.store().aggregate(query);
    cr_assert_eq(result->groups.size(), 10);
    query::Measures sum = result->rest;
    for (const auto& group : result->groups) sum.merge(group.measures);
    const auto expected = oracle.aggregate(query, false);
    cr_assert(same_measures(sum, expected.totals));
    cr_assert(same_measures(result->totals, expected.totals));
}

Test(query, memory_is_bounded) {
    TempDirectory directory;
    Fixture fixture({.path = directory.path(), .query_bytes = 20000});
    fixture.open();
    Random random(1);
    fixture.clock.now += 10 * kSecond;
    const BatchPtr batch = make_batch(random, fixture.clock.now, {.l4_rows = 3000, .hosts = 3000});
    cr_assert(fixture.store().append(batch).has_value());
    AggregateQuery query = all(Layer::l4, kStart, fixture.clock.now);
    query.by = {Dimension::of(Field::dst_ip)};
    std::uint64_t written = 0;
    for (const L4Row& row : batch->l4) written += row.bytes_written;
    for (const std::size_t limit : {1u, 0u, 1u, 1'000'000u}) {
        query.limit = limit;
        const auto result = fixture.store().aggregate(query);
        cr_assert(result.has_value());
        cr_assert_gt(result->groups.size(), 0);
        cr_assert_lt(result->group_count, 100, "%zu", result->group_count);
        cr_assert_eq(result->totals.bytes_written, written);
        std::uint64_t sum = result->rest.bytes_written;
        for (const auto& group : result->groups) sum += group.measures.bytes_written;
        cr_assert_eq(sum, written);
    }
}

Test(query, ends_with_its_budget) {
    History history(5);
    AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
    query.budget.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    const auto late = history.fixture.store().aggregate(query);
    cr_assert(!late && late.error().code == ErrorCode::timeout);
    const std::atomic<bool> cancelled{true};
    query.budget = {};
    query.budget.cancelled = &cancelled;
    const auto gone = history.fixture.store().aggregate(query);
    cr_assert(!gone && gone.error().code == ErrorCode::timeout);
    query::RecordQuery records;
    records.range = query.range;
    records.budget = query.budget;
    const auto page = history.fixture.store().records(records);
    cr_assert(!page && page.error().code == ErrorCode::timeout);
}

Test(query, of_an_empty_store_and_of_odd_ranges) {
    History history(0);
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const std::int64_t least = std::numeric_limits<std::int64_t>::min();
    const query::TimeRange ranges[] = {{0, most}, {least, most}, {most, least}, {kStart, kStart}, {-5, -3}};
    for (int round = 0; round < 2; round++) {
        for (const query::TimeRange& range : ranges) {
            const auto result = history.fixture.store().aggregate(all(Layer::l4, range.from_ns, range.to_ns));
            cr_assert(result.has_value());
            cr_assert_eq(result->groups.empty(), round == 0 || range.to_ns != most || range.from_ns == most);
            query::RecordQuery records;
            records.range = range;
            cr_assert(history.fixture.store().records(records).has_value());
        }
        history.append();
    }
}
