// Random points written in both formats, read back by parsers that know nothing of the writers, and compared
// with what a receiver should see.
#include <criterion/criterion.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <random>

#include "plugin/base/utf8.h"
#include "plugin/flow/flow_table.h"
#include "plugin/point/encoder.h"
#include "plugin/point/line_writer.h"
#include "plugin/point/protobuf_writer.h"
#include "plugin/point/wire_rules.h"
#include "tests/oracle/points.h"
#include "tests/unit/plugin/flow/records.h"

using namespace weir;
using namespace weir::test;

namespace {

struct Given {
    std::string name;
    std::vector<std::pair<std::string, std::string>> tags;
    std::vector<std::pair<std::string, oracle::Value>> fields;
    std::int64_t time = 0;
};

// ---- what is written
// -------------------------------------------------------------------------------------------

template <typename Writer>
bool write(Writer& writer, const Given& given) {
    std::vector<std::string_view> tags, fields;
    for (const auto& [key, value] : given.tags) tags.push_back(key);
    for (const auto& [key, value] : given.fields) fields.push_back(key);
    const PointShape shape = make_shape(given.name, tags, fields);
    writer.begin(Writer::measurement_head(shape.measurement));
    for (const auto& key : shape.tags) {
        writer.tag(Writer::tag_head(key.name), std::string_view(given.tags[key.source].second));
    }
    for (const auto& key : shape.fields) {
        const Head head = Writer::field_head(key.name);
        std::visit(
            [&](const auto& value) {
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
                    writer.field(head, std::string_view(value));
                } else {
                    writer.field(head, value);
                }
            },
            given.fields[key.source].second);
    }
    return writer.end(given.time);
}

// ---- what is expected, from the rules' words
// --------------------------------------------------------------------

std::string expected_text(const std::string& text) {
    std::string scratch;
    std::string out(to_utf8(text, scratch));
    for (char& c : out) c = c == '\n' || c == '\r' ? ' ' : c;
    return out;
}

std::string expected_part(const std::string& text, std::size_t limit) {
    std::string out = expected_text(text);
    if (out.size() > limit) {
        out.resize(limit + 1);
        std::string scratch;
        do {
            out.pop_back();
        } while (to_utf8(out, scratch) != out);
    }
    for (std::size_t at = 0; at < out.size();) {
        const bool last = at + 1 == out.size();
        if (out[at] == '\\' && (last || std::string(" ,=").find(out[at + 1]) != std::string::npos)) {
            out.erase(at, 1);
            at = at == 0 ? 0 : at - 1;
        } else {
            at++;
        }
    }
    return out;
}

std::string expected_key(const std::string& text) {
    std::string out = expected_part(text, 256);
    for (char& c : out) c = c == '.' ? '_' : c;
    return out;
}

oracle::Point expected(const Given& given) {
    oracle::Point out;
    out.name = expected_part(given.name, 1024);
    out.time = given.time;
    std::map<std::string, int> taken;
    std::size_t tags = 0, fields = 0;
    for (const auto& [raw, text] : given.tags) {
        const std::string key = expected_key(raw), value = expected_part(text, 1024);
        if (tags == 256 || key.empty() || taken[key]++ != 0) continue;
        tags++;
        if (!value.empty()) out.tags[key] = value;
    }
    for (const auto& [raw, value] : given.fields) {
        const std::string key = expected_key(raw);
        if (fields == 1024 || key.empty() || taken[key]++ != 0) continue;
        fields++;
        const auto* number = std::get_if<double>(&value);
        if (number != nullptr && !std::isfinite(*number)) continue;
        const auto* text = std::get_if<std::string>(&value);
        out.fields[key] = text != nullptr ? oracle::Value(expected_text(*text)) : value;
    }
    return out;
}

// ---- random points
// ----------------------------------------------------------------------------------------------

class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}
    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }

    std::string text(std::size_t pieces) {
        static const std::string kPieces[] = {",",
                                              "=",
                                              " ",
                                              "\\",
                                              "\"",
                                              "\n",
                                              "\r",
                                              ".",
                                              "a",
                                              "Z9",
                                              "\xc3\xa9",
                                              "\xe6\x97\xa5",
                                              "\xf0\x9f\x98\x80",
                                              "\xff",
                                              "\xc3",
                                              "\xed\xa0\x80",
                                              std::string(1, '\0'),
                                              "\t",
                                              "\x1b[0m",
                                              "'",
                                              "{}",
                                              "#",
                                              "\\n",
                                              "i",
                                              "true",
                                              "\\,",
                                              "\\\\",
                                              "N/A"};
        std::string out;
        for (std::size_t i = below(pieces + 1); i-- > 0;) out += kPieces[below(std::size(kPieces))];
        return out;
    }

    oracle::Value value() {
        static const std::int64_t kIntegers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 127, 128, 1LL << 35};
        static const double kDoubles[] = {
            0.0,          -1.5, DBL_MAX, -DBL_MAX,    DBL_MIN,
            DBL_TRUE_MIN, 1e21, 0.1,     123456789.0, std::numeric_limits<double>::infinity(),
            std::nan("")};
        switch (below(6)) {
            case 0: return kIntegers[below(std::size(kIntegers))];
            case 1: return below(2) == 0 ? UINT64_MAX : std::uint64_t{below(1000)};
            case 2: return kDoubles[below(std::size(kDoubles))];
            case 3: return below(2) == 0;
            case 4: return static_cast<std::int64_t>(engine_());
            default: return text(below(10) == 0 ? 400 : 8);
        }
    }

    Given point(std::size_t tags, std::size_t fields) {
        Given out;
        out.name = "m" + text(below(20) == 0 ? 900 : 3);
        for (std::size_t i = below(tags + 1); i-- > 0;) {
            out.tags.emplace_back(text(below(20) == 0 ? 300 : 4), text(below(20) == 0 ? 1500 : 8));
        }
        for (std::size_t i = below(fields) + 1; i-- > 0;)
            out.fields.emplace_back(text(below(20) == 0 ? 300 : 4), value());
        out.time = below(3) == 0 ? INT64_MIN : static_cast<std::int64_t>(below(1ULL << 62));
        return out;
    }

private:
    std::mt19937_64 engine_;
};

// Writes them all in one format, reads them back.
template <typename Writer, typename Parse>
std::vector<oracle::Point> round_trip(const std::vector<Given>& given, Parse parse,
                                      std::vector<bool>& taken) {
    Writer writer;
    taken.clear();
    for (const Given& point : given) taken.push_back(write(writer, point));
    return parse(writer.bytes());
}

void check(const std::vector<Given>& given) {
    std::vector<bool> as_lines, as_protobuf;
    std::vector<oracle::Point> wanted_lines, wanted_protobuf;
    const auto lines = round_trip<LineWriter>(given, oracle::parse_lines, as_lines);
    const auto messages = round_trip<ProtobufWriter>(given, oracle::parse_protobuf, as_protobuf);
    for (std::size_t i = 0; i < given.size(); i++) {
        const oracle::Point want = expected(given[i]);
        cr_assert_eq(as_protobuf[i], !want.fields.empty());
        if (as_protobuf[i]) wanted_protobuf.push_back(want);
        if (as_lines[i]) wanted_lines.push_back(want);
        cr_assert(as_protobuf[i] || !as_lines[i]);
    }
    cr_assert_eq(lines.size(), wanted_lines.size());
    cr_assert_eq(messages.size(), wanted_protobuf.size());
    for (std::size_t i = 0; i < lines.size(); i++) cr_assert(lines[i] == wanted_lines[i], "line %zu", i);
    for (std::size_t i = 0; i < messages.size(); i++)
        cr_assert(messages[i] == wanted_protobuf[i], "message %zu", i);
}

}  // namespace

Test(round_trip, random_points) {
    for (unsigned seed = 1; seed <= 40; seed++) {
        Random random(seed);
        std::vector<Given> given;
        for (int i = 0; i < 50; i++) given.push_back(random.point(12, 12));
        check(given);
    }
}

Test(round_trip, a_thousand_fields) {
    Random random(7);
    Given given;
    given.name = "wide";
    for (int i = 0; i < 200; i++) given.tags.emplace_back("t" + std::to_string(i), random.text(20));
    for (int i = 0; i < 1000; i++) given.fields.emplace_back("f" + std::to_string(i), random.value());
    check({given});
}

Test(round_trip, over_the_limits) {
    Given given;
    given.name = std::string(1023, 'm') + "\xc3\xa9";
    for (int i = 0; i < 300; i++) given.tags.emplace_back("t" + std::to_string(i), "v");
    for (int i = 0; i < 1100; i++) given.fields.emplace_back("f" + std::to_string(i), std::int64_t{i});
    check({given});
    given = {"m", {{std::string(300, 'k'), std::string(2000, 'v')}, {"k\\\\", "v\\\\"}}, {{"f", true}}, 1};
    check({given});
    std::vector<bool> taken;
    const auto lines = round_trip<LineWriter>({given}, oracle::parse_lines, taken);
    cr_assert_eq(lines[0].tags.begin()->first.size(), 2u - 1);  // "k": its backslashes are gone
    cr_assert_eq(lines[0].tags.rbegin()->first.size(), 256u);
    cr_assert_eq(lines[0].tags.rbegin()->second.size(), 1024u);
}

Test(round_trip, the_first_of_equal_keys_counts) {
    check({{"m",
            {{"a.b", "1"}, {"a_b", "2"}, {"f", "tag"}},
            {{"f", std::int64_t{1}}, {"g", std::int64_t{2}}, {"g", true}},
            5}});
}

Test(round_trip, points_without_fields_are_taken_back) {
    LineWriter lines;
    ProtobufWriter messages;
    const Given nothing = {"m", {{"t", "v"}}, {{"f", std::nan("")}}, 1};
    const Given something = {"m", {{"t", "v"}}, {{"f", 1.5}}, 1};
    cr_assert_not(write(lines, nothing));
    cr_assert_not(write(messages, nothing));
    cr_assert_eq(lines.bytes().size() + messages.bytes().size(), 0u);
    cr_assert(write(lines, something) && !write(lines, nothing) && write(lines, something));
    cr_assert(write(messages, something) && !write(messages, nothing) && write(messages, something));
    cr_assert_eq(oracle::parse_lines(lines.bytes()).size(), 2u);
    cr_assert_eq(oracle::parse_protobuf(messages.bytes()).size(), 2u);
}

Test(round_trip, a_series_key_that_no_receiver_takes) {
    Given given = {"m", {}, {{"f", true}}, 1};
    for (int i = 0; i < 64; i++) given.tags.emplace_back("t" + std::to_string(i), std::string(1024, 'v'));
    LineWriter lines;
    cr_assert_not(write(lines, given));
    cr_assert_eq(lines.bytes().size(), 0u);
    given.tags.resize(60);
    cr_assert(write(lines, given));
}

// Lengths of a point around those that need another byte in Protobuf.
Test(round_trip, points_of_every_length) {
    for (const std::size_t size : {0u, 1u, 100u, 105u, 110u, 115u, 120u, 16300u, 16350u, 16360u, 16370u,
                                   16380u, 16390u, 70000u, 3000000u}) {
        for (std::size_t more = 0; more < 12; more++) {
            check({{"m", {}, {{"f", std::string(size + more, 'x')}}, 1}, {"n", {}, {{"g", true}}, 2}});
        }
    }
}

Test(round_trip, batches_put_together_are_a_batch) {
    ProtobufWriter one, other;
    write(one, {"m", {}, {{"f", true}}, 1});
    write(other, {"n", {}, {{"f", true}}, 2});
    const auto both = oracle::parse_protobuf(std::string(one.bytes()) + std::string(other.bytes()));
    cr_assert(both.size() == 2 && both[0].name == "m" && both[1].name == "n");
}

// ---- rows
// -------------------------------------------------------------------------------------------------------

namespace {

std::unique_ptr<Batch> hostile_interval(const char* process, const char* path) {
    Ledger ledger;
    FlowOptions options;
    options.host = "h,=\n\\ \xff";
    options.service = "e\"b\\pf";
    options.drop_loopback = false;
    FlowTable table(options, ledger);
    for (const char* remote : {"10.0.0.2", "fd00:10:96::30", "::1", "2001:db8:0:1::"}) {
        auto tcp = make_tcp({.remote = remote, .process = process}, WEIR_TCP_ESTABLISHED, 10, 20);
        tcp.rtt = 4'000'000'000u;
        table.on_tcp(tcp);
        const auto http = make_http({.remote = remote, .process = process}, "GET", path, 599, INT64_MAX / 2);
        table.on_http(http, head_of(http));
    }
    auto batch = table.finish(1, INT64_MAX);
    for (L4Row& row : batch->l4) row.bytes_written = UINT64_MAX / 2;
    return batch;
}

std::string encode(PointFormat format, const Batch& batch, const std::vector<Tag>& tags) {
    const auto encoder = make_encoder(format, tags);
    for (const L4Row& row : batch.l4) encoder->append(batch, row);
    for (const L7Row& row : batch.l7) encoder->append(batch, row);
    cr_assert_eq(encoder->point_count(), batch.l4.size() + batch.l7.size());
    cr_assert_eq(encoder->refused(), 0u);
    return std::string(encoder->bytes());
}

}  // namespace

Test(round_trip, rows_say_the_same_in_both_formats) {
    const std::vector<Tag> tags = {{"a.b", "x\\"},   {"zone", "z 1,="}, {"host", "other"},
                                   {"method", "no"}, {"empty", "\\"},   {"\n", "space"}};
    for (const char* process : {"nginx", "a,b=c d\n\\", "\\,\\=\\ ", "\xff\xfe", "", "\"quoted\""}) {
        const auto batch = hostile_interval(process, "/\"\\,= \xc3\xa9");
        const auto lines = oracle::parse_lines(encode(PointFormat::line_protocol, *batch, tags));
        const auto messages = oracle::parse_protobuf(encode(PointFormat::protobuf, *batch, tags));
        cr_assert_eq(lines.size(), 8u);
        cr_assert(lines == messages);
        cr_assert_eq(lines[0].tags.at("zone"), std::string("z 1,="));
        cr_assert_eq(lines[0].tags.at("a_b"), std::string("x"));
        cr_assert_eq(lines[0].tags.count("empty"), 0u);
        for (const auto& point : lines) cr_assert(point.name == "netflow" || point.tags.count("method") == 0);
    }
}

Test(round_trip, a_buffer_is_used_again) {
    const auto batch = hostile_interval("nginx", "/");
    for (const PointFormat format : {PointFormat::line_protocol, PointFormat::protobuf}) {
        const auto encoder = make_encoder(format, {});
        encoder->append(*batch, batch->l4[0]);
        const std::string first(encoder->bytes());
        const char* const at = encoder->bytes().data();
        encoder->clear();
        cr_assert(encoder->bytes().empty() && encoder->point_count() == 0);
        encoder->append(*batch, batch->l4[0]);
        cr_assert(encoder->bytes() == first);
        cr_assert_eq(encoder->bytes().data(), at);
    }
}
