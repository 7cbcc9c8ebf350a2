#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "http/api/cursor.h"
#include "http/api/params.h"
#include "http/api/record_columns.h"
#include "http/api/steps.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMostRecords = 1000;

using Columns = std::vector<RecordColumn>;

Columns read_columns(Params& params, RecordKind kind) {
    const Columns all = record_columns(kind);
    Columns out;
    for (const auto name : params.names("fields", all.size())) {
        const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
        if (found == all.end()) {
            params.reject("fields", "records have no field " + in_quotes(name));
        } else {
            out.push_back(*found);
        }
    }
    return out.empty() ? all : out;
}

// Slow requests are of layer l7, which need not be said.
bool read_slow(Params& params, Scope& scope) {
    constexpr std::string_view kNoYes[] = {"0", "1"};
    if (params.choice("slow", kNoYes, 0) == 0) return false;
    if (!params.text("layer")) scope.layer = query::Layer::l7;
    if (scope.layer != query::Layer::l7) params.reject("slow", "slow requests are of layer l7");
    scope.fingerprint += "\nslow";
    return true;
}

Table table_of(const query::RecordPage& page, RecordKind kind, const Columns& columns) {
    Table out;
    for (const RecordColumn& column : columns) out.columns.push_back({std::string(column.name)});
    for (const auto& [time_ns, row] : page.order) {
        if (kind == RecordKind::l4) {
            add_record(out, page.rows, page.rows.l4[row], time_ns, columns);
        } else if (kind == RecordKind::l7) {
            add_record(out, page.rows, page.rows.l7[row], time_ns, columns);
        } else {
            add_record(out, page.rows, page.rows.slow[row], time_ns, columns);
        }
    }
    return out;
}

// A bar for each step of the range, 0 where the store had none to tell of.
Json histogram_json(const query::RecordPage& page, const query::TimeRange& range, std::int64_t step_ns) {
    Json out = Json::array();
    const auto& bars = page.histogram;
    // The store's steps begin at multiples of the step, or elsewhere: the first bar tells.
    const std::int64_t offset = bars.empty() ? 0 : bars.front().time_ns % step_ns;
    std::int64_t at = floor_to(range.from_ns - offset, step_ns) + offset;
    for (auto bar = bars.begin(); at < range.to_ns; at += step_ns) {
        while (bar != bars.end() && bar->time_ns < at) ++bar;
        const bool has = bar != bars.end() && bar->time_ns == at;
        out.push_back({{"time", json_time(at)}, {"count", has ? bar->count : 0}});
    }
    return out;
}

struct FlowsQuery {
    Scope scope;
    query::RecordQuery records;
    Columns columns;
    std::int64_t step_ns = 0;
};

FlowsQuery read_flows(Params& params, const Context& context) {
    FlowsQuery out;
    out.scope = read_scope(params, context.now_ns);
    out.records.slow = read_slow(params, out.scope);
    out.records.layer = out.scope.layer;
    out.columns = read_columns(params, record_kind(out.scope.layer, out.records.slow));
    out.records.limit = params.number("limit", kDefaultLimit, kMostRecords);
    const auto given = params.text("cursor");
    if (given) {
        if (auto cursor = read_cursor(*given, out.scope.fingerprint)) {
            out.scope.range = cursor->range;
            out.records.cursor = std::move(cursor->store);
        } else {
            params.reject("cursor", "this is no cursor of such a query; ask again without one");
        }
    }
    out.step_ns =
        auto_step(out.scope.range.to_ns - out.scope.range.from_ns, context.status.facts().interval_ns);
    out.records.histogram_step_ns = given || out.scope.csv ? 0 : out.step_ns;
    out.records.range = out.scope.range;
    out.records.filter = out.scope.filter;
    return out;
}

}  // namespace

ApiResult flows(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "fields", "cursor", "limit", "slow"});
    const FlowsQuery flows = read_flows(params, context);
    if (params.error()) return tl::unexpected(*params.error());

    const auto page = records(context, flows.records);
    if (!page) return tl::unexpected(page.error());
    const Table table = table_of(*page, record_kind(flows.scope.layer, flows.records.slow), flows.columns);
    const auto& range = flows.scope.range;
    const std::string next = page->next_cursor.empty()
                                 ? std::string()
                                 : write_cursor({range, page->next_cursor}, flows.scope.fingerprint);
    if (flows.scope.csv) {
        Response response = csv_response(flows.records.slow ? "slow" : "flows", to_csv(table));
        if (!next.empty()) response.headers.emplace_back("X-Next-Cursor", next);
        return response;
    }
    DataAnswer answer(range, page->resolution);
    answer["data"] = rows_json(table);
    answer["next_cursor"] = json_text_or_null(next);
    const bool counted = flows.records.histogram_step_ns != 0;
    answer["histogram"] = counted ? histogram_json(*page, range, flows.step_ns) : Json::array();
    answer["histogram_step"] = json_time(flows.step_ns);
    return answer.finish(page->losses, page->reconciled, context.began);
}

}  // namespace weir::http
