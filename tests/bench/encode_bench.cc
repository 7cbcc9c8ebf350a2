// How fast points are encoded, against what one would write first with the libraries at hand: line protocol
// to an ostream, Protobuf with its own runtime, the values asked for by name.
//
//   encode_bench [POINTS [line|protobuf|ostream|runtime]]
//
// With a name only that one runs, once: under `valgrind --tool=callgrind` its instructions say the same on
// any machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "plugin/point/encoder.h"
#include "plugin/point/fields.h"
#include "point.pb.h"

using namespace weir;

namespace {

// An interval of a busy host: flows of many peers with many round trip times, and their requests.
Batch make_batch(std::size_t points) {
    Batch batch;
    batch.host = "node-17.example.com";
    batch.service = "ebpf";
    batch.end_ns = 1'790'000'000'000'000'000;
    const StringId process = batch.strings.append("nginx"), method = batch.strings.append("GET"),
                   route = batch.strings.append("/api/v1/users/*/orders");
    for (std::uint32_t i = 0; i < points / 2; i++) {
        Flow flow;
        flow.local = Address::v4(10, 0, 3, 17);
        flow.remote = Address::v4(10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                                  static_cast<std::uint8_t>(i));
        flow.netns = 4026531840;
        flow.pid = 1000 + i % 50;
        flow.local_port = 8080;
        flow.direction = Direction::incoming;
        flow.process = process;
        batch.flows.push_back(flow);

        L4Row l4;
        l4.flow = i;
        l4.bytes_written = 1'000'000 + i * 977;
        l4.bytes_read = 20'000 + i * 31;
        l4.tcp_established = l4.tcp_closed = i % 5;
        L7Row l7;
        l7.flow = i;
        l7.method = method;
        l7.path = batch.strings.append("/api/v1/users/" + std::to_string(i) + "/orders");
        l7.route = route;
        l7.status = 200;
        l7.version = HttpVersion::http11;
        l7.count = 3;
        l7.bytes_written = 4000 + i;
        l7.bytes_read = 300;
        for (std::uint64_t n = 0; n < 3; n++) {
            l4.rtt.add(300 + i % 1000 * 7 + n * 50);
            l4.rtt_var.add(50 + i % 100 + n);
            l7.latency.add(1'000'000 + i * 1013 + n * 100'000);
        }
        batch.l4.push_back(l4);
        batch.l7.push_back(l7);
    }
    return batch;
}

const std::vector<Tag> kTags = {{"zone", "eu-1"}, {"env", "production"}};

using Append = std::function<void(const Batch&, const L4Row*, const L7Row*)>;

void each_row(const Batch& batch, const Append& append) {
    for (const L4Row& row : batch.l4) append(batch, &row, nullptr);
    for (const L7Row& row : batch.l7) append(batch, nullptr, &row);
}

std::string escaped(std::string_view text, std::string_view special) {
    std::string out;
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) out.push_back('\\');
        out.push_back(c);
    }
    return out;
}

// Tags in the order of their keys, then the fields: what both of the plain implementations walk over.
struct PlainLayout {
    std::vector<Field> tags, fields;

    explicit PlainLayout(std::uint8_t measurement) {
        for (std::size_t i = 0; i < kFieldCount; i++) {
            if ((kPointSchema[i].measurements & measurement) == 0) continue;
            (kPointSchema[i].type == ValueType::tag ? tags : fields).push_back(static_cast<Field>(i));
        }
        std::sort(tags.begin(), tags.end(), [](Field a, Field b) { return info(a).name < info(b).name; });
    }
};

template <typename Row>
void stream_row(std::ostream& out, const char* name, const PlainLayout& layout, const Batch& batch,
                const Row& row) {
    FieldScratch scratch;
    out << name;
    for (const Tag& tag : kTags) out << ',' << escaped(tag.key, ",= ") << '=' << escaped(tag.value, ",= ");
    for (const Field field : layout.tags) {
        const FieldValue value = field_value(batch, row, field, scratch);
        if (const auto* text = std::get_if<std::string_view>(&value); text != nullptr && !text->empty()) {
            out << ',' << info(field).name << '=' << escaped(*text, ",= ");
        }
    }
    char separator = ' ';
    for (const Field field : layout.fields) {
        const FieldValue value = field_value(batch, row, field, scratch);
        if (std::holds_alternative<std::monostate>(value)) continue;
        out << separator << info(field).name << '=';
        separator = ',';
        if (const auto* text = std::get_if<std::string_view>(&value))
            out << '"' << escaped(*text, "\"\\") << '"';
        if (const auto* number = std::get_if<std::int64_t>(&value)) out << *number << 'i';
        if (const auto* flag = std::get_if<bool>(&value)) out << (*flag ? "true" : "false");
    }
    out << ' ' << batch.end_ns << '\n';
}

template <typename Row>
void runtime_row(point::PBPoints& out, const char* name, const PlainLayout& layout, const Batch& batch,
                 const Row& row) {
    FieldScratch scratch;
    point::PBPoint& point = *out.add_arr();
    point.set_name(name);
    const auto add_tag = [&](std::string_view key, std::string_view value) {
        point::Field& field = *point.add_fields();
        field.set_key(std::string(key));
        field.set_s(std::string(value));
        field.set_is_tag(true);
    };
    for (const Tag& tag : kTags) add_tag(tag.key, tag.value);
    for (const Field tag : layout.tags) {
        const FieldValue value = field_value(batch, row, tag, scratch);
        if (const auto* text = std::get_if<std::string_view>(&value); text != nullptr && !text->empty())
            add_tag(info(tag).name, *text);
    }
    for (const Field id : layout.fields) {
        const FieldValue value = field_value(batch, row, id, scratch);
        if (std::holds_alternative<std::monostate>(value)) continue;
        point::Field& field = *point.add_fields();
        field.set_key(std::string(info(id).name));
        if (const auto* text = std::get_if<std::string_view>(&value)) field.set_s(std::string(*text));
        if (const auto* number = std::get_if<std::int64_t>(&value)) field.set_i(*number);
        if (const auto* flag = std::get_if<bool>(&value)) field.set_b(*flag);
    }
    point.set_time(batch.end_ns);
}

const PlainLayout kNet(kNetflow), kHttp(kHttpflow);
constexpr std::size_t kChunk = 1000;  // points of one batch for the host

// Each encodes the whole batch in chunks and returns how many bytes came out.

std::size_t with_ostream(const Batch& batch) {
    std::size_t bytes = 0, count = 0;
    std::ostringstream out;
    const auto flush = [&] {
        bytes += out.str().size();
        out.str("");
    };
    each_row(batch, [&](const Batch& b, const L4Row* l4, const L7Row* l7) {
        if (l4 != nullptr) stream_row(out, "netflow", kNet, b, *l4);
        if (l7 != nullptr) stream_row(out, "httpflow", kHttp, b, *l7);
        if (++count % kChunk == 0) flush();
    });
    flush();
    return bytes;
}

std::size_t with_runtime(const Batch& batch) {
    std::size_t bytes = 0, count = 0;
    point::PBPoints out;
    std::string buffer;
    const auto flush = [&] {
        buffer.clear();
        out.SerializeToString(&buffer);
        bytes += buffer.size();
        out.Clear();
    };
    each_row(batch, [&](const Batch& b, const L4Row* l4, const L7Row* l7) {
        if (l4 != nullptr) runtime_row(out, "netflow", kNet, b, *l4);
        if (l7 != nullptr) runtime_row(out, "httpflow", kHttp, b, *l7);
        if (++count % kChunk == 0) flush();
    });
    flush();
    return bytes;
}

std::size_t with_encoder(PointFormat format, const Batch& batch) {
    static const auto line = make_encoder(PointFormat::line_protocol, kTags);
    static const auto protobuf = make_encoder(PointFormat::protobuf, kTags);
    PointEncoder& encoder = format == PointFormat::protobuf ? *protobuf : *line;
    std::size_t bytes = 0;
    each_row(batch, [&](const Batch& b, const L4Row* l4, const L7Row* l7) {
        if (l4 != nullptr) encoder.append(b, *l4);
        if (l7 != nullptr) encoder.append(b, *l7);
        if (encoder.point_count() < kChunk) return;
        bytes += encoder.bytes().size();
        encoder.clear();
    });
    bytes += encoder.bytes().size();
    encoder.clear();
    return bytes;
}

}  // namespace

// By these names callgrind finds what to count.
extern "C" {
[[gnu::noinline]] std::size_t encode_line(const Batch& batch) {
    return with_encoder(PointFormat::line_protocol, batch);
}
[[gnu::noinline]] std::size_t encode_ostream(const Batch& batch) { return with_ostream(batch); }
[[gnu::noinline]] std::size_t encode_protobuf(const Batch& batch) {
    return with_encoder(PointFormat::protobuf, batch);
}
[[gnu::noinline]] std::size_t encode_runtime(const Batch& batch) { return with_runtime(batch); }
}

namespace {

struct Contender {
    const char* name;
    std::size_t (*run)(const Batch&);
};

// The best of some runs: what disturbs only makes it slower.
double best_ns(const Contender& contender, const Batch& batch, std::size_t& bytes) {
    double best = 1e18;
    for (int run = 0; run < 7; run++) {
        const auto started = std::chrono::steady_clock::now();
        bytes = contender.run(batch);
        best = std::min(
            best,
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - started).count());
    }
    return best;
}

}  // namespace

int main(int count, char** arguments) {
    const std::size_t points = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 100'000;
    const std::string only = count > 2 ? arguments[2] : "";
    const Batch batch = make_batch(points);
    const std::vector<Contender> contenders = {{"line", encode_line},
                                               {"ostream", encode_ostream},
                                               {"protobuf", encode_protobuf},
                                               {"runtime", encode_runtime}};
    double before = 0;
    for (std::size_t i = 0; i < contenders.size(); i++) {
        const Contender& contender = contenders[i];
        if (!only.empty() && only != contender.name) continue;
        if (!only.empty()) {
            std::printf("%s %zu bytes\n", contender.name, contender.run(batch));
            continue;
        }
        std::size_t bytes = 0;
        const double ns = best_ns(contender, batch, bytes) / static_cast<double>(points);
        std::printf("%-9s %7.0f ns a point %9.0f points/s %5zu bytes a point", contender.name, ns, 1e9 / ns,
                    bytes / points);
        if (i % 2 == 1) std::printf("   %.1f times as long", ns / before);
        std::printf("\n");
        before = ns;
    }
    return 0;
}
