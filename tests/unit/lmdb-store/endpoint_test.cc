// The endpoint table: it must never say anything else than the minutes.
#include <criterion/criterion.h>
#include <lmdb.h>
#include <xxhash.h>

#include <cstring>
#include <functional>
#include <optional>

#include "lmdb-store/archive.h"
#include "lmdb-store/plan.h"
#include "plugin/query/filter.h"
#include "tests/unit/lmdb-store/mend_block.h"
#include "tests/unit/lmdb-store/support.h"

using namespace weir;
using namespace weir::store;
using namespace weir::store::test;
using query::AggregateQuery;
using query::Dimension;
using query::Layer;
using query::Resolution;

namespace {

constexpr std::int64_t kMinutes = 60 * kSecond;
// Few rows a minute, and some hours of them in a moment.
const Shape kShape{.l4_rows = 6, .l7_rows = 5, .dns_rows = 3, .slow_rows = 1};

class History {
public:
    explicit History(Options options = {}) : fixture(with_path(std::move(options))) { fixture.open(); }

    void append(int intervals, const Shape& shape = kShape, std::int64_t length = 30 * kSecond) {
        for (int i = 0; i < intervals; i++) {
            fixture.clock.now += length;
            const BatchPtr batch = make_batch(random, fixture.clock.now, shape, length);
            const Status ok = fixture.store().append(batch);
            cr_assert(ok.has_value(), "%s", ok ? "" : ok.error().message.c_str());
            oracle.add(batch);
        }
    }

    query::AggregateResult ask(const AggregateQuery& query) {
        auto result = fixture.store().aggregate(query);
        cr_assert(result.has_value(), "%s", result ? "" : result.error().message.c_str());
        return std::move(*result);
    }

    Archive::Summary summary() {
        const auto archive = Archive::open(directory.path(), fixture.clock);
        cr_assert(archive.has_value(), "%s", archive ? "" : archive.error().message.c_str());
        return *(*archive)->summary();
    }

    TempDirectory directory;
    Fixture fixture;
    Oracle oracle;
    Random random{1};

private:
    Options with_path(Options options) {
        options.path = directory.path();
        return options;
    }
};

AggregateQuery all(Layer layer, std::int64_t from, std::int64_t to) {
    AggregateQuery query;
    query.layer = layer;
    query.range = {from, to};
    query.each_flow_once = false;
    return query;
}

// One that endpoints may answer.
AggregateQuery random_query(Random& random, std::int64_t from, std::int64_t to) {
    const Layer layer = kLayers[random() % 3];
    AggregateQuery query = all(layer, from, to);
    std::vector<Field> fields = {Field::src_ip, Field::direction, Field::transport, Field::family,
                                 Field::host};
    if (layer == Layer::l7) fields.push_back(Field::status_code);
    if (layer == Layer::dns) fields.push_back(Field::rcode);
    for (std::uint64_t n = random() % 3; n > 0; n--)
        query.by.push_back(Dimension::of(fields[random() % fields.size()]));
    const char* const filters[] = {"",
                                   "direction:outgoing",
                                   "transport:tcp",
                                   "src_ip:10.*",
                                   "src_ip:*3*",
                                   "-family:IPv6",
                                   "src_ip:*1 OR direction:incoming"};
    query.filter = *query::parse_filter(filters[random() % std::size(filters)]);
    query.each_flow_once = random() % 2 == 0;
    if (random() % 2 == 0) query.step_ns = static_cast<std::int64_t>(1 + random() % 20) * kMinutes;
    return query;
}

// The same question in words that only minutes understand. The added term holds for all rows, from both ends.
AggregateQuery of_minutes(AggregateQuery query) {
    const query::Filter any = *query::parse_filter("server_port:*");
    query::Filter both;
    both.kind = query::Filter::Kind::conjunction;
    both.operands = {query.filter, any};
    query.filter = both;
    return query;
}

void change_store(const std::string& path, const std::function<void(MDB_txn*)>& change) {
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    mdb_env_create(&env);
    mdb_env_set_maxdbs(env, 5);
    cr_assert_eq(mdb_env_open(env, path.c_str(), 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, nullptr, 0, &txn), 0);
    change(txn);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

// Replaces values of a database: f(key, value) gives the new one, nothing to erase it.
using Rewrite = std::function<std::optional<std::vector<std::uint8_t>>(Bytes, Bytes)>;
void rewrite(MDB_txn* txn, const char* name, const Rewrite& f) {
    MDB_dbi dbi = 0;
    cr_assert_eq(mdb_dbi_open(txn, name, 0, &dbi), 0);
    std::vector<std::pair<std::vector<std::uint8_t>, std::vector<std::uint8_t>>> old;
    MDB_cursor* cursor = nullptr;
    mdb_cursor_open(txn, dbi, &cursor);
    MDB_val key{}, value{};
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        const Bytes k = bytes_of(key), v = bytes_of(value);
        old.emplace_back(std::vector(k.begin(), k.end()), std::vector(v.begin(), v.end()));
    }
    mdb_cursor_close(cursor);
    for (auto& [k, v] : old) {
        auto fresh = f(k, v);
        MDB_val at{k.size(), k.data()};
        if (!fresh) {
            cr_assert_eq(mdb_del(txn, dbi, &at, nullptr), 0);
            continue;
        }
        MDB_val to{fresh->size(), fresh->data()};
        cr_assert_eq(mdb_put(txn, dbi, &at, &to, 0), 0);
    }
}

// The header of format 2: without first subjects, of which there are none.
std::vector<std::uint8_t> as_before(Bytes header) {
    std::vector<std::uint8_t> out(header.begin(), header.end() - 9);
    out[0] = 2;
    const std::uint64_t checksum = XXH3_64bits(out.data(), out.size());
    out.resize(out.size() + sizeof(checksum));
    std::memcpy(out.data() + out.size() - sizeof(checksum), &checksum, sizeof(checksum));
    return out;
}

// As the version before has left it.
void turn_into_format_2(const std::string& path) {
    change_store(path, [](MDB_txn* txn) {
        for (const char* const table : {"detail", "minute"}) {
            rewrite(txn, table, [](Bytes key, Bytes value) -> std::optional<std::vector<std::uint8_t>> {
                if (decode_key(key)->part == Part::header) return as_before(value);
                return std::vector(value.begin(), value.end());
            });
        }
        rewrite(txn, "segment", [](Bytes key, Bytes value) -> std::optional<std::vector<std::uint8_t>> {
            if (decode_segment_key(key)->part == Part::endpoints) return std::nullopt;
            return std::vector(value.begin(), value.end());
        });
        rewrite(txn, "meta", [](Bytes key, Bytes value) -> std::optional<std::vector<std::uint8_t>> {
            const auto format = encode_format(2);
            const std::string_view name(reinterpret_cast<const char*>(key.data()), key.size());
            if (name == "format") return std::vector(format.begin(), format.end());
            return std::vector(value.begin(), value.end());
        });
        MDB_dbi endpoint = 0;
        cr_assert_eq(mdb_dbi_open(txn, "endpoint", 0, &endpoint), 0);
        cr_assert_eq(mdb_drop(txn, endpoint, 1), 0);
    });
}

}  // namespace

Test(endpoint, says_what_the_minutes_say) {
    History history;
    history.append(2 * 60 * 4 + 6);
    cr_assert_geq(history.summary().endpoint.entries, 3);
    const std::int64_t now = history.fixture.clock.now;
    for (int round = 0; round < 300; round++) {
        // Ends that cut a minute cut intervals, too, and their oldest ones are gone.
        const auto minutes = [&](std::uint64_t most) {
            return static_cast<std::int64_t>(history.random() % most) * kMinutes;
        };
        const AggregateQuery query = random_query(history.random, kStart + minutes(90), now - minutes(20));
        const auto result = history.ask(query);
        cr_assert(result.resolution == Resolution::minute);
        const std::string other = difference(result, history.ask(of_minutes(query)));
        cr_assert(other.empty(), "round %d, against minutes: %s", round, other.c_str());
        const std::string found = difference(result, history.oracle.aggregate(query, true), false);
        cr_assert(found.empty(), "round %d: %s", round, found.c_str());
    }
}

Test(endpoint, stands_for_the_minutes_it_holds) {
    TempDirectory directory;
    {
        History history;
        history.append(2 * 60 * 3);
        cr_assert(history.fixture.store().flush().has_value());
        Environment environment;
        cr_assert_eq(environment.open_read_only(history.directory.path()), 0);
        const auto snapshot = environment.read();
        cr_assert(snapshot.has_value());
        const query::TimeRange range{kStart, history.fixture.clock.now};
        const auto plan = [&](bool by_endpoint) {
            return *make_plan(snapshot->transaction(), range, range.to_ns, 15 * kMinutes, std::nullopt,
                              by_endpoint);
        };
        cr_assert_eq(plan(false).entries.size(), 180);
        cr_assert_eq(plan(true).entries.size(), 3);
        cr_assert(plan(true).losses == plan(false).losses);
    }
}

Test(endpoint, a_damaged_one_is_not_asked) {
    History history;
    history.append(2 * 60 * 2);
    cr_assert(history.fixture.store().flush().has_value());
    const AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
    const auto right = history.ask(query);
    // A block's bytes; a header's; a block that is gone; a minute that cannot be, with a right checksum.
    const Rewrite harms[] = {[](Bytes key, Bytes value) {
                                 std::vector out(value.begin(), value.end());
                                 if (decode_key(key)->part == Part::l4) out[out.size() / 2] ^= 1;
                                 return std::optional(out);
                             },
                             [](Bytes key, Bytes value) {
                                 std::vector out(value.begin(), value.end());
                                 if (decode_key(key)->part == Part::header) out[5] ^= 1;
                                 return std::optional(out);
                             },
                             [](Bytes key, Bytes value) {
                                 return decode_key(key)->part == Part::l4
                                            ? std::nullopt
                                            : std::optional(std::vector(value.begin(), value.end()));
                             }};
    for (const Rewrite& harm : harms) {
        history.fixture.close();
        change_store(history.directory.path(), [&](MDB_txn* txn) { rewrite(txn, "endpoint", harm); });
        history.fixture.open();
        const std::string found = difference(history.ask(query), right);
        cr_assert(found.empty(), "%s", found.c_str());
    }
    // In the segment.
    history.fixture.close();
    change_store(history.directory.path(), [&](MDB_txn* txn) {
        rewrite(txn, "segment", [](Bytes key, Bytes value) {
            std::vector out(value.begin(), value.end());
            if (decode_segment_key(key)->part == Part::endpoints) out[out.size() - 3] ^= 1;
            return std::optional(out);
        });
    });
    history.fixture.open();
    cr_assert(difference(history.ask(query), right).empty());
}

Test(endpoint, goes_on_after_restarts_and_steps_of_the_clock) {
    History history;
    for (int round = 0; round < 5; round++) {
        history.append(2 * 40 + round);
        history.fixture.close();
        history.fixture.open();
        history.append(2 * 70);
        history.fixture.clock.now -= round % 2 == 0 ? 10 * kMinutes : 0;
    }
    history.fixture.clock.now += 60 * kMinutes;
    history.append(1);
    const std::int64_t now = history.fixture.clock.now / kMinutes * kMinutes;
    for (int round = 0; round < 60; round++) {
        const AggregateQuery query = random_query(history.random, kStart, now);
        const auto result = history.ask(query);
        const std::string other = difference(result, history.ask(of_minutes(query)));
        cr_assert(other.empty(), "round %d, against minutes: %s", round, other.c_str());
        const std::string found = difference(result, history.oracle.aggregate(query, true), false);
        cr_assert(found.empty(), "round %d: %s", round, found.c_str());
    }
    const auto archive = Archive::open(history.directory.path(), history.fixture.clock);
    cr_assert(archive.has_value());
    const auto verdict = (*archive)->check();
    cr_assert(verdict.has_value() && verdict->damage.empty(), "%s",
              verdict && !verdict->damage.empty() ? verdict->damage[0].what.c_str() : "");
}

Test(endpoint, goes_with_its_minutes) {
    History history({.path = {}, .minute_ns = 120 * kMinutes});
    history.append(2 * 60 * 6);
    const auto about = history.summary();
    cr_assert_geq(about.endpoint.entries, 1);
    cr_assert_leq(about.endpoint.entries, 3);
    // The first minute of the oldest entry is there.
    cr_assert_geq(about.endpoint.oldest_ns, about.minute.oldest_ns);
    const AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
    const std::string found = difference(history.ask(query), history.ask(of_minutes(query)));
    cr_assert(found.empty(), "%s", found.c_str());
}

// Where nearly every flow has an address of its own the table would be as large as the minutes.
Test(endpoint, is_left_out_where_ends_are_too_many) {
    History history({.path = {}, .max_bytes = 8 << 20});
    history.append(2 * 62, {.l4_rows = 400, .l7_rows = 0, .dns_rows = 0, .slow_rows = 0, .hosts = 1'000'000});
    cr_assert(history.fixture.store().flush().has_value());
    cr_assert_lt(history.summary().endpoint.rows, history.summary().minute.rows / 2);
    const AggregateQuery query = all(Layer::l4, kStart, history.fixture.clock.now);
    const std::string found = difference(history.ask(query), history.oracle.aggregate(query, true), false);
    cr_assert(found.empty(), "%s", found.c_str());
}

Test(endpoint, a_store_of_the_version_before_is_taken_over) {
    History history;
    history.append(2 * 90);
    history.fixture.close();
    turn_into_format_2(history.directory.path());
    const auto archive = Archive::open(history.directory.path(), history.fixture.clock);
    cr_assert(!archive.has_value());
    cr_assert(archive.error().message.find("older") != std::string::npos, "%s",
              archive.error().message.c_str());
    history.fixture.open();
    history.append(2 * 90);
    cr_assert_eq(history.summary().format, kFormatVersion);
    cr_assert(history.directory.names("data.mdb.damaged-").empty());
    for (int round = 0; round < 30; round++) {
        const AggregateQuery query = random_query(history.random, kStart, history.fixture.clock.now);
        const std::string found =
            difference(history.ask(query), history.oracle.aggregate(query, true), false);
        cr_assert(found.empty(), "round %d: %s", round, found.c_str());
    }
}
