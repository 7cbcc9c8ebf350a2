// Weir's side of the comparison (compare.py runs it): store_bench ROWS DIRECTORY [--export]
//
// Loads ROWS rows as a quarter of an hour of intervals, and as many as 48 hours of minutes; answers four
// queries and checks each answer by brute force; appends while eight readers query. Making traffic is not
// timed. Prints one JSON object. With --export the rows are left in DIRECTORY as text for other databases.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "lmdb-store/store.h"
#include "plugin/base/clock.h"
#include "tests/bench/store/questions.h"
#include "tests/bench/store/traffic.h"

namespace {

using namespace weir;
using namespace weir::bench;
using Json = nlohmann::json;

constexpr int kRounds = 7;
constexpr int kReaders = 8;
constexpr std::size_t kFlushes = 60;

class Clock final : public weir::Clock {
public:
    std::atomic<std::int64_t> now = kBegin;
    std::int64_t wall_ns() const override { return now; }
    std::int64_t boot_ns() const override { return now; }
};

double seconds_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Processor time of this thread, to the nanosecond: what getrusage() says is as old as the last tick.
double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void must(const Status& status) {
    if (status) return;
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    std::exit(1);
}

struct Loaded {
    Clock clock;
    Ledger ledger;
    std::unique_ptr<store::Store> store;
    Json report;
};

void open(Loaded& into, const std::string& path) {
    store::Options options;
    options.path = path;
    options.max_bytes = std::uint64_t{4} << 30;
    const Logger logger([](LogLevel, std::string_view line) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    });
    auto opened = store::Store::open(options, into.clock, logger, into.ledger);
    if (!opened) must(tl::unexpected(opened.error()));
    into.store = std::move(*opened);
}

void load(Loaded& into, const Traffic& traffic) {
    double wall = 0;
    double processor = 0;
    double slowest = 0;
    for (std::size_t i = 0; i < traffic.shape().intervals; i++) {
        const BatchPtr batch = traffic.batch(i);
        into.clock.now = batch->end_ns;
        const double before = thread_seconds();
        const double took = seconds_of([&] { must(into.store->append(batch)); });
        processor += thread_seconds() - before;
        wall += took;
        slowest = std::max(slowest, took);
    }
    const double before = thread_seconds();
    wall += seconds_of([&] { must(into.store->flush()); });
    processor += thread_seconds() - before;
    const auto status = into.store->status();
    const auto rows = static_cast<double>(traffic.shape().rows);
    const auto stored = static_cast<double>(status.detail_rows + status.minute_rows);
    into.report = {{"rows", traffic.shape().rows},
                   {"rows_per_s", rows / wall},
                   {"rows_per_cpu_s", rows / processor},
                   {"slowest_append_ms", slowest * 1e3},
                   {"stored_rows", stored},
                   {"bytes", status.bytes_used},
                   {"bytes_per_row", static_cast<double>(status.bytes_used) / stored}};
}

Json ask(const store::Store& store, const Question& question, const Traffic& traffic) {
    std::vector<double> times;
    std::vector<double> processor;
    std::string wrong;
    std::size_t groups = 0;
    for (int round = 0; round < kRounds; round++) {
        Result<query::AggregateResult> answer = fail(ErrorCode::internal, "not asked");
        const double before = thread_seconds();
        times.push_back(seconds_of([&] { answer = store.aggregate(question.query); }));
        processor.push_back(thread_seconds() - before);
        if (!answer) {
            wrong = answer.error().message;
        } else if (round == 0) {
            wrong = check(question, *answer, traffic);
            groups = answer->group_count;
        }
    }
    return {{"name", question.name},     {"about", question.about},
            {"ms", median(times) * 1e3}, {"cpu_ms", median(processor) * 1e3},
            {"groups", groups},          {"wrong", wrong}};
}

// Goes on appending intervals while readers query without a pause.
Json flush_beside_readers(Loaded& loaded, const Traffic& traffic, const std::vector<Question>& all) {
    const Traffic more(
        {kFlushes, traffic.shape().length_ns, traffic.shape().rows / traffic.shape().intervals * kFlushes},
        3);
    std::vector<BatchPtr> batches;
    for (std::size_t i = 0; i < kFlushes; i++) {
        auto batch = std::make_shared<Batch>(*more.batch(i));
        batch->begin_ns += traffic.end() - kBegin;
        batch->end_ns += traffic.end() - kBegin;
        batches.push_back(std::move(batch));
    }
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> answers{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < kReaders; i++) {
        readers.emplace_back([&, i] {
            for (int n = i; !stop; n++) {
                query::AggregateQuery query = all[static_cast<std::size_t>(n) % all.size()].query;
                query.range = {loaded.clock.now - 15 * 60 * kSecond, loaded.clock.now};
                if (loaded.store->aggregate(query)) answers++;
            }
        });
    }
    std::vector<double> times;
    std::vector<double> processor;
    for (const BatchPtr& batch : batches) {
        loaded.clock.now = batch->end_ns;
        const double before = thread_seconds();
        times.push_back(seconds_of([&] { must(loaded.store->append(batch)); }));
        processor.push_back(thread_seconds() - before);
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    stop = true;
    for (std::thread& reader : readers) reader.join();
    return {{"rows_an_interval", traffic.shape().rows / traffic.shape().intervals},
            {"median_ms", median(times) * 1e3},
            {"slowest_ms", *std::max_element(times.begin(), times.end()) * 1e3},
            {"slowest_cpu_ms", *std::max_element(processor.begin(), processor.end()) * 1e3},
            {"answers_meanwhile", answers.load()}};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: store_bench ROWS DIRECTORY [--export]\n");
        return 2;
    }
    const std::size_t rows = std::strtoull(argv[1], nullptr, 10);
    const std::string directory = argv[2];
    const Traffic intervals({90, 10 * kSecond, rows}, 1);
    const Traffic minutes({48 * 60, 60 * kSecond, rows}, 2);
    if (argc > 3 && std::string(argv[3]) == "--export") {
        intervals.write(directory + "/intervals.tsv");
        minutes.write(directory + "/minutes.tsv");
    }
    Loaded detail, history;
    std::fprintf(stderr, "loading\n");
    open(detail, directory + "/intervals");
    load(detail, intervals);
    open(history, directory + "/minutes");
    load(history, minutes);
    std::fprintf(stderr, "asking\n");

    const std::vector<Question> all = questions(intervals, minutes);
    Json answers = Json::array();
    bool right = true;
    for (const Question& question : all) {
        answers.push_back(ask(question.of_minutes ? *history.store : *detail.store, question,
                              question.of_minutes ? minutes : intervals));
        right &= answers.back()["wrong"] == "";
    }
    const Json flush = flush_beside_readers(detail, intervals, all);
    std::printf(
        "%s\n",
        Json{
            {"intervals", detail.report}, {"minutes", history.report}, {"queries", answers}, {"flush", flush}}
            .dump(1)
            .c_str());
    return right ? 0 : 1;
}
