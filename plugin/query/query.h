// What can be asked of the history, and the interface of whoever answers.
//
// The HTTP layer turns requests into these values and knows nothing of storage; a store implements
// QueryEngine and knows nothing of HTTP. Another engine takes its place by implementing the same.
//
// Times are wall time in ns. A row's time is the end of its interval or minute, and it belongs to a range
// when from < time <= to, so that a range that ends now holds the last interval.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "abi/schema/point_schema.h"
#include "plugin/base/status.h"
#include "plugin/flow/batch.h"
#include "plugin/query/filter.h"
#include "plugin/query/measures.h"

namespace weir::query {

enum class Resolution : std::uint8_t { detail, minute };

struct TimeRange {
    std::int64_t from_ns = 0;
    std::int64_t to_ns = 0;
};

// At what level the two ends of a flow are named.
enum class View : std::uint8_t { host, process, ip };

// What rows are grouped by: a tag or field of the point schema, or one end of the flow as a view
// names it.
struct Dimension {
    enum class Kind : std::uint8_t { field, client, server };

    Kind kind = Kind::field;
    Field field = Field::host;  // for Kind::field
    View view = View::host;     // for Kind::client and Kind::server

    static Dimension of(Field field) { return {Kind::field, field, View::host}; }
    static Dimension client(View view) { return {Kind::client, Field::host, view}; }
    static Dimension server(View view) { return {Kind::server, Field::host, view}; }
};

// One part of a group's key. An end that a view cannot name (a process of another host, say) is
// named by its address and has that kind.
struct KeyPart {
    enum class Kind : std::uint8_t { text, host, process, ip };

    Kind kind = Kind::text;
    std::string text;

    auto operator<=>(const KeyPart&) const = default;
};

// Ends a query that takes too long, or that nobody waits for any more.
struct Budget {
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    const std::atomic<bool>* cancelled = nullptr;

    bool exceeded() const {
        return (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) ||
               std::chrono::steady_clock::now() > deadline;
    }
};

// A set of measures, as bits.
using MeasureSet = std::uint64_t;
constexpr MeasureSet set_of(Measure measure) { return MeasureSet{1} << static_cast<unsigned>(measure); }
inline constexpr MeasureSet kAllMeasures = (MeasureSet{1} << kMeasureCount) - 1;
static_assert(kMeasureCount < 64);

struct AggregateQuery {
    Layer layer = Layer::l4;
    TimeRange range;
    Filter filter;
    std::vector<Dimension> by;
    // 0: one value for the range; else one for each step that has data. Steps begin at multiples of their
    // length since 1970.
    std::int64_t step_ns = 0;
    bool each_flow_once = true;  // leave out the incoming side of flows between ends of this host
    Measure sort = Measure::bytes_written;
    bool descending = true;
    // Groups, best by `sort` first and those without its samples last; 0 = all. With steps, keys: ranked by
    // what their steps add up to, each with all of its steps in order of time. What is over, or found no
    // room in memory, goes into `rest`.
    std::size_t limit = 0;
    // What will be read of the answer, besides `sort`: an engine need not work out the others. Fewer
    // measures are a faster answer.
    MeasureSet measures = kAllMeasures;
    Budget budget;
};

struct Group {
    std::vector<KeyPart> key;  // in the order of AggregateQuery::by
    std::int64_t time_ns = 0;  // begin of the step, 0 without steps
    std::uint64_t rows = 0;    // stored rows that went in
    Measures measures;
};

struct AggregateResult {
    Resolution resolution = Resolution::detail;
    std::vector<Group> groups;
    std::size_t group_count = 0;  // before the limit; with steps, keys
    Measures totals;              // over all groups
    Measures rest;                // over what is not in `groups`
    LossCounts losses{};          // of the range
    ReconciledCounts reconciled{};
};

struct RecordQuery {
    Layer layer = Layer::l4;
    bool slow = false;  // of layer l7: the slow requests instead
    TimeRange range;
    Filter filter;
    std::string cursor;  // of the page before; empty for the first
    std::size_t limit = 100;
    std::int64_t histogram_step_ns = 0;  // 0: no histogram
    Budget budget;
};

// Records newest first. `rows` holds the strings, flows and rows that `order` points into.
struct RecordPage {
    struct Record {
        std::int64_t time_ns = 0;  // end of the interval
        std::uint32_t row = 0;     // index into the rows of the layer, or rows.slow
    };
    struct Bar {
        std::int64_t time_ns = 0;  // begin of the step
        std::uint64_t count = 0;   // records
    };

    Resolution resolution = Resolution::detail;
    Batch rows;
    std::vector<Record> order;
    std::string next_cursor;  // empty on the last page
    std::vector<Bar> histogram;
    LossCounts losses{};
    ReconciledCounts reconciled{};
};

struct StoreStatus {
    bool healthy = false;
    std::string problem;  // why not, for people
    std::string path;
    std::uint64_t bytes_used = 0;  // pages in use
    std::uint64_t bytes_limit = 0;
    std::int64_t oldest_detail_ns = 0;  // 0 = none
    std::int64_t oldest_minute_ns = 0;
    std::uint64_t detail_rows = 0;
    std::uint64_t minute_rows = 0;
};

// Thread-safe: any number of queries at once, beside a writer.
class QueryEngine {
public:
    virtual ~QueryEngine() = default;

    // Errors: timeout (budget exceeded), invalid_argument (a cursor that is none), storage.
    virtual Result<AggregateResult> aggregate(const AggregateQuery& query) const = 0;
    virtual Result<RecordPage> records(const RecordQuery& query) const = 0;
    virtual StoreStatus status() const = 0;
};

}  // namespace weir::query
