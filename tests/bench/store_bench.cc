// How fast the store takes intervals and answers, and how small they are: store_bench [rows] [directory]
//
// Generates a quarter of an hour of made-up L4 traffic in intervals of 10 s: one local address, some thousand
// remote ones of which a few get most flows, client ports folded, sizes and delays spread as they are in real
// traffic, one delay sample a flow. Generating is not timed. Everything runs on one thread.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lmdb-store/store.h"
#include "plugin/base/clock.h"
#include "plugin/flow/batch_builder.h"

namespace {

using namespace weir;
using Random = std::mt19937_64;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kIntervals = 90;
constexpr std::size_t kRemotes = 20'000;

class Clock final : public weir::Clock {
public:
    std::int64_t now = 1'735'689'600 * kSecond;
    std::int64_t wall_ns() const override { return now; }
    std::int64_t boot_ns() const override { return now; }
};

double seconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Small numbers often, large ones seldom.
std::size_t skewed(Random& random, std::size_t n) {
    const double u = std::uniform_real_distribution<>(0, 1)(random);
    return std::min(n - 1, static_cast<std::size_t>(std::pow(static_cast<double>(n), u)) - 1);
}

Flow make_flow(Random& random, BatchBuilder& into) {
    const std::size_t remote = skewed(random, kRemotes);
    const std::size_t process = random() % 40;
    Flow flow;
    flow.local = Address::v4(10, 0, 0, 7);
    flow.remote = Address::v4(
        static_cast<std::uint8_t>(40 + remote % 7), static_cast<std::uint8_t>(remote * 7919 >> 16),
        static_cast<std::uint8_t>(remote * 7919 >> 8), static_cast<std::uint8_t>(remote));
    flow.netns = 4026531840u + static_cast<std::uint32_t>(process % 10);
    flow.pid = 1000 + static_cast<std::uint32_t>(process) * 17;
    flow.process = into.intern("service-" + std::to_string(process));
    flow.direction = process % 3 == 0 ? Direction::incoming : Direction::outgoing;
    const std::uint16_t ports[] = {443, 80, 5432, 6379, 9092, 53};
    const std::uint16_t server = ports[skewed(random, std::size(ports))];
    // Folded, for most; some flows keep the client's port apart.
    const auto client = static_cast<std::uint16_t>(random() % 4 == 0 ? 0 : 32768 + random() % 28000);
    flow.local_port = flow.is_client() ? client : server;
    flow.remote_port = flow.is_client() ? server : client;
    return flow;
}

BatchPtr make_interval(Random& random, std::int64_t end_ns, std::size_t rows) {
    std::lognormal_distribution<> bytes(8, 2);
    std::lognormal_distribution<> delay(7, 1);
    BatchBuilder builder;
    while (builder.flow_count() < rows) {
        const std::uint32_t flow = builder.flow(make_flow(random, builder));
        L4Row& row = builder.l4(flow);
        row.bytes_written += static_cast<std::uint64_t>(bytes(random));
        row.bytes_read += static_cast<std::uint64_t>(bytes(random) * 4);
        row.tcp_established += random() % 3 == 0 ? 1 : 0;
        row.tcp_closed += random() % 3 == 0 ? 1 : 0;
        row.retransmits += random() % 50 == 0 ? 1 + random() % 3 : 0;
        const double rtt = delay(random);
        row.rtt.add(static_cast<std::uint64_t>(rtt));
        row.rtt_var.add(static_cast<std::uint64_t>(rtt / 3));
    }
    auto batch = builder.take();
    batch->begin_ns = end_ns - 10 * kSecond;
    batch->end_ns = end_ns;
    batch->host = "bench";
    batch->service = "ebpf";
    return batch;
}

struct Question {
    const char* name;
    query::AggregateQuery query;
};

std::vector<Question> questions(std::int64_t from, std::int64_t to) {
    query::AggregateQuery top;
    top.range = {from, to};
    top.by = {query::Dimension::of(Field::dst_ip)};
    top.limit = 100;
    top.measures = query::set_of(query::Measure::bytes_written) | query::set_of(query::Measure::bytes_read);
    query::AggregateQuery pairs = top;
    pairs.by = {query::Dimension::client(query::View::process), query::Dimension::server(query::View::ip)};
    pairs.measures = query::kAllMeasures;
    query::AggregateQuery minutes;
    minutes.range = top.range;
    minutes.step_ns = 60 * kSecond;
    query::AggregateQuery filtered = top;
    filtered.filter = query::Filter::equals(Field::process_name, "service-7");
    return {{"top 100 addresses by bytes", top},
            {"top 100 pairs, all measures", pairs},
            {"each minute, all measures", minutes},
            {"top 100 addresses of a process", filtered}};
}

// Appends a quarter of an hour; false when an append fails.
bool load(store::Store& store, Clock& clock, std::size_t rows) {
    Random random(1);
    double seconds = 0;
    for (std::size_t i = 0; i < kIntervals; i++) {
        clock.now += 10 * kSecond;
        const BatchPtr batch = make_interval(random, clock.now, rows / kIntervals);
        Status stored;
        seconds += seconds_of([&] { stored = store.append(batch); });
        if (!stored) {
            std::fprintf(stderr, "%s\n", stored.error().message.c_str());
            return false;
        }
    }
    const auto status = store.status();
    const auto intervals = static_cast<double>(status.detail_rows);
    const auto minutes = static_cast<double>(status.minute_rows);
    std::printf("load %.0f rows/s (intervals and minutes)\n", intervals / seconds);
    std::printf("size %.1f bytes/row (%.0f rows of intervals, %.0f of minutes)\n",
                static_cast<double>(status.bytes_used) / (intervals + minutes), intervals, minutes);
    return true;
}

void ask(const store::Store& store, const Question& question) {
    double best = 1e9;
    std::size_t groups = 0;
    for (int round = 0; round < 5; round++) {
        best = std::min(best, seconds_of([&] {
                            const auto result = store.aggregate(question.query);
                            groups = result ? result->group_count : 0;
                        }));
    }
    std::printf("%-32s %8.1f ms (%zu groups)\n", question.name, best * 1e3, groups);
}

int run(std::size_t rows, const std::string& path) {
    Clock clock;
    const std::int64_t begin = clock.now;
    Ledger ledger;
    store::Options options;
    options.path = path;
    options.max_bytes = std::uint64_t{8} << 30;
    const Logger logger([](LogLevel, std::string_view line) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    });
    const auto opened = store::Store::open(options, clock, logger, ledger);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().message.c_str());
        return 1;
    }
    if (!load(**opened, clock, rows)) return 1;
    for (const Question& question : questions(begin, clock.now)) ask(**opened, question);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    if (argc > 2) return run(rows, argv[2]);
    char directory[] = "/tmp/weir-store-bench-XXXXXX";
    if (mkdtemp(directory) == nullptr) return 1;
    const int code = run(rows, directory);
    std::filesystem::remove_all(directory);
    return code;
}
