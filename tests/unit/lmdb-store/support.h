// Shared by the store's tests: made-up traffic, a clock that is set by hand, a store in a directory of its
// own, and a plain answerer of queries to compare with.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lmdb-store/entries.h"
#include "lmdb-store/segment_writer.h"
#include "lmdb-store/store.h"
#include "plugin/base/clock.h"
#include "plugin/flow/batch.h"
#include "plugin/query/field_values.h"
#include "plugin/query/query.h"

namespace weir::store::test {

inline constexpr std::int64_t kSecond = 1'000'000'000;
// 2025-01-01 00:00:00 UTC: a whole minute.
inline constexpr std::int64_t kStart = 1'735'689'600 * kSecond;

class ManualClock final : public Clock {
public:
    std::int64_t now = kStart;
    std::int64_t wall_ns() const override { return now; }
    std::int64_t boot_ns() const override { return now; }
};

class TempDirectory {
public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    // Names of what is in it that begin with `prefix`.
    std::vector<std::string> names(const std::string& prefix) const;

private:
    std::string path_;
};

// How much of what a made-up interval holds.
struct Shape {
    std::size_t l4_rows = 40;
    std::size_t l7_rows = 30;
    std::size_t dns_rows = 10;
    std::size_t slow_rows = 3;
    std::size_t hosts = 12;  // addresses to choose from
    std::size_t processes = 5;
    std::size_t paths = 20;
    std::size_t samples = 3;  // of a histogram, at most
    std::uint64_t max_value = 1'000'000;
};

using Random = std::mt19937_64;

// The interval (end - length, end]. Texts hold bytes that are special somewhere.
BatchPtr make_batch(Random& random, std::int64_t end_ns, const Shape& shape = {},
                    std::int64_t length_ns = 10 * kSecond);

// Rows with their flows, strings and times, whatever the numbers of flows and strings are, and in whatever
// order: the store has its own.
std::vector<std::string> describe_rows(const Batch& batch, query::Layer layer);
std::vector<std::string> describe_slow_rows(const Batch& batch);
bool same_rows(const Batch& a, const Batch& b);
bool same_measures(const query::Measures& a, const query::Measures& b);

inline constexpr query::Layer kLayers[] = {query::Layer::l4, query::Layer::l7, query::Layer::dns};

// A batch as it is stored: its subjects and its rows.
struct Encoded {
    std::vector<SegmentWriter::NewBlock> segment;
    NewEntry entry;

    explicit Encoded(const Batch& batch);
    std::vector<Block>& blocks(Part part);
    // One batch again. Nothing when a row could not be read.
    std::optional<Batch> decode() const;
};

// A store with its clock and ledger, and what it logged.
class Fixture {
public:
    explicit Fixture(Options options);
    ~Fixture();

    // Fails the process with the error when it does not open.
    void open();
    Result<std::unique_ptr<Store>> try_open();
    void close();
    Store& store() { return *store_; }
    std::string log_text() const;

    Options options;
    ManualClock clock;
    Ledger ledger;

private:
    mutable std::mutex mutex_;
    std::string log_;
    std::unique_ptr<Store> store_;
};

// Answers from the intervals themselves, row by row, with query::matches() and query::key_part().
class Oracle {
public:
    void add(const BatchPtr& batch) { batches_.push_back(batch); }
    // As if intervals had the times of their minutes.
    query::AggregateResult aggregate(const query::AggregateQuery& query, bool minutes) const;
    // All records of the range, newest first and those of an interval in order of their texts.
    std::vector<std::string> records(const query::RecordQuery& query) const;
    const std::vector<BatchPtr>& batches() const { return batches_; }

private:
    std::set<query::FlowPair> selected_pairs(const query::AggregateQuery& query, bool minutes) const;

    std::vector<BatchPtr> batches_;
};

// Records as texts that begin with their times: those of an interval in order of their texts.
void sort_within_intervals(std::vector<std::string>& records);

// What differs between an answer and the one that is expected, or nothing. Without `rows`, numbers of stored
// rows may differ.
std::string difference(const query::AggregateResult& got, const query::AggregateResult& expected,
                       bool rows = true);

// One record as text, with its time.
std::string describe_record(const query::RecordPage& page, std::size_t i, query::Layer layer);

}  // namespace weir::store::test
