#include "tests/unit/http/memory_engine.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <map>
#include <thread>
#include <utility>

#include "plugin/query/field_values.h"

namespace weir::test {
namespace {

using namespace weir::query;

std::int64_t floor_to(std::int64_t time, std::int64_t step) { return time - time % step; }

template <typename Row>
const std::vector<Row>& rows_of(const Batch& batch) {
    if constexpr (std::is_same_v<Row, L4Row>) {
        return batch.l4;
    } else if constexpr (std::is_same_v<Row, SlowRow>) {
        return batch.slow;
    } else {
        return batch.l7;
    }
}

bool is_in(const TimeRange& range, const Batch& batch) {
    return range.from_ns <= batch.end_ns - 1 && batch.end_ns - 1 < range.to_ns;
}

using Groups = std::map<std::pair<std::vector<KeyPart>, std::int64_t>, Group>;

template <typename Row>
void group_rows(const AggregateQuery& query, const Batch& batch, Groups& groups) {
    for (const Row& row : rows_of<Row>(batch)) {
        const Flow& flow = batch.flows[row.flow];
        if (query.each_flow_once && is_servers_row_of_pair(flow)) continue;
        if (!matches(query.filter, batch, row)) continue;
        std::vector<KeyPart> key;
        for (const auto& dimension : query.by) key.push_back(key_part(dimension, batch, row));
        const std::int64_t time = query.step_ns > 0 ? floor_to(batch.end_ns - 1, query.step_ns) : 0;
        Group& group = groups[{key, time}];
        group.key = key;
        group.time_ns = time;
        group.rows++;
        group.measures.add(flow, row);
    }
}

// The keys of groups, best first; those without samples last, whichever way.
std::vector<std::vector<KeyPart>> ranked_keys(const std::vector<Group>& groups, const AggregateQuery& query) {
    const double seconds = static_cast<double>(query.range.to_ns - query.range.from_ns) / 1e9;
    std::map<std::vector<KeyPart>, Measures> sums;
    for (const auto& group : groups) sums[group.key].merge(group.measures);
    std::vector<std::pair<double, std::vector<KeyPart>>> ranked;
    for (const auto& [key, measures] : sums) {
        const auto number = value(measures, query.sort, seconds);
        const double rank =
            number ? (query.descending ? -*number : *number) : std::numeric_limits<double>::infinity();
        ranked.emplace_back(rank, key);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<std::vector<KeyPart>> out;
    for (auto& [rank, key] : ranked) out.push_back(std::move(key));
    return out;
}

// Takes over a string into another batch.
StringId adopt(Batch& into, const Batch& from, StringId id) {
    return id == 0 ? 0 : into.strings.append(from.strings[id]);
}

std::uint32_t adopt_flow(Batch& into, const Batch& from, std::uint32_t index) {
    Flow flow = from.flows[index];
    flow.process = adopt(into, from, flow.process);
    flow.peer_process = adopt(into, from, flow.peer_process);
    into.flows.push_back(flow);
    return static_cast<std::uint32_t>(into.flows.size() - 1);
}

std::uint32_t adopt_row(Batch& into, const Batch& from, L4Row row) {
    row.flow = adopt_flow(into, from, row.flow);
    into.l4.push_back(std::move(row));
    return static_cast<std::uint32_t>(into.l4.size() - 1);
}

template <typename Row>
std::uint32_t adopt_request(std::vector<Row>& rows, Batch& into, const Batch& from, Row row) {
    row.flow = adopt_flow(into, from, row.flow);
    row.method = adopt(into, from, row.method);
    row.path = adopt(into, from, row.path);
    row.route = adopt(into, from, row.route);
    rows.push_back(std::move(row));
    return static_cast<std::uint32_t>(rows.size() - 1);
}

std::uint32_t adopt_row(Batch& into, const Batch& from, const L7Row& row) {
    return adopt_request(into.l7, into, from, row);
}

std::uint32_t adopt_row(Batch& into, const Batch& from, const SlowRow& row) {
    return adopt_request(into.slow, into, from, row);
}

// Records are numbered as they come in; a cursor is the number of the oldest one handed out.
constexpr std::size_t kRowsOfBatch = 1'000'000;

template <typename Row>
void collect(const RecordQuery& query, const std::vector<Batch>& batches, std::size_t before,
             RecordPage& page) {
    std::map<std::int64_t, std::uint64_t> bars;
    for (std::size_t b = batches.size(); b-- > 0;) {
        const Batch& batch = batches[b];
        if (!is_in(query.range, batch)) continue;
        page.rows.host = batch.host;
        page.rows.service = batch.service;
        const auto& rows = rows_of<Row>(batch);
        for (std::size_t i = rows.size(); i-- > 0;) {
            const std::size_t number = b * kRowsOfBatch + i;
            if (!matches(query.filter, batch, rows[i])) continue;
            if (query.histogram_step_ns > 0) bars[floor_to(batch.end_ns - 1, query.histogram_step_ns)]++;
            if (number >= before) continue;
            if (page.order.size() == query.limit) {
                if (page.next_cursor.empty()) page.next_cursor = std::to_string(before);
                continue;
            }
            page.order.push_back({batch.end_ns, adopt_row(page.rows, batch, rows[i])});
            before = number;
        }
    }
    for (const auto& [time, count] : bars) page.histogram.push_back({time, count});
}

}  // namespace

Status MemoryEngine::wait(const Budget& budget) const {
    running++;
    while (slow && !budget.exceeded()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    running--;
    if (broken) return fail(ErrorCode::storage, "the store's file cannot be read");
    if (budget.exceeded()) return fail(ErrorCode::timeout, "too slow");
    return {};
}

Result<AggregateResult> MemoryEngine::aggregate(const AggregateQuery& query) const {
    if (auto ready = wait(query.budget); !ready) return tl::unexpected(ready.error());
    Groups groups;
    for (const auto& batch : batches) {
        if (!is_in(query.range, batch)) continue;
        if (query.layer == Layer::l4) {
            group_rows<L4Row>(query, batch, groups);
        } else {
            group_rows<L7Row>(query, batch, groups);
        }
    }
    AggregateResult out;
    out.resolution = resolution;
    out.losses = losses;
    std::vector<Group> all;
    for (auto& [key, group] : groups) {
        out.totals.merge(group.measures);
        all.push_back(std::move(group));
    }
    const auto keys = ranked_keys(all, query);
    out.group_count = keys.size();
    for (std::size_t i = 0; i < keys.size(); i++) {
        for (auto& group : all) {
            if (group.key != keys[i]) continue;
            if (query.limit > 0 && i >= query.limit) {
                out.rest.merge(group.measures);
            } else {
                out.groups.push_back(group);
            }
        }
    }
    return out;
}

Result<RecordPage> MemoryEngine::records(const RecordQuery& query) const {
    if (auto ready = wait(query.budget); !ready) return tl::unexpected(ready.error());
    std::size_t before = std::numeric_limits<std::size_t>::max();
    if (!query.cursor.empty()) {
        const char* const last = query.cursor.data() + query.cursor.size();
        if (std::from_chars(query.cursor.data(), last, before).ptr != last) {
            return fail(ErrorCode::invalid_argument, "this is no cursor");
        }
    }
    RecordPage out;
    out.resolution = resolution;
    out.losses = losses;
    if (query.slow) {
        collect<SlowRow>(query, batches, before, out);
    } else if (query.layer == Layer::l4) {
        collect<L4Row>(query, batches, before, out);
    } else {
        collect<L7Row>(query, batches, before, out);
    }
    return out;
}

}  // namespace weir::test
