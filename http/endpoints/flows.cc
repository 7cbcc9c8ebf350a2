#include <algorithm>
#include <optional>
#include <utility>

#include "http/api/cursor.h"
#include "http/api/params.h"
#include "http/api/steps.h"
#include "http/api/table.h"
#include "http/endpoints/endpoints.h"
#include "plugin/point/fields.h"

namespace weir::http {
namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMostRecords = 1000;

using Columns = std::vector<std::optional<Field>>;  // nothing: the time

std::optional<Field> find_field_of(query::Layer layer, std::string_view name) {
    const std::uint8_t measurement = layer == query::Layer::l4 ? kNetflow : kHttpflow;
    for (std::size_t i = 0; i < kFieldCount; i++) {
        const bool has = (kPointSchema[i].measurements & measurement) != 0;
        if (has && kPointSchema[i].name == name) return static_cast<Field>(i);
    }
    return std::nullopt;
}

Columns read_columns(Params& params, query::Layer layer) {
    Columns out;
    for (const auto name : params.names("fields", kFieldCount + 1)) {
        const auto field = find_field_of(layer, name);
        if (!field && name != "time") {
            params.reject("fields", "records have no field " + in_quotes(name));
        }
        out.push_back(field);
    }
    if (!out.empty()) return out;
    out.emplace_back();
    for (const auto& field : kPointSchema) {
        if (const auto found = find_field_of(layer, field.name)) out.emplace_back(found);
    }
    return out;
}

Json field_json(const FieldValue& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return json_text_or_null(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    return nullptr;
}

template <typename Row>
void add_record(Table& table, const Batch& batch, const Row& row, std::int64_t time_ns,
                const Columns& columns) {
    FieldScratch scratch;
    auto& cells = table.rows.emplace_back();
    for (const auto& field : columns) {
        cells.push_back(field ? field_json(field_value(batch, row, *field, scratch)) : json_time(time_ns));
    }
}

Table table_of(const query::RecordPage& page, query::Layer layer, const Columns& columns) {
    Table out;
    for (const auto& field : columns) {
        out.columns.push_back({field ? std::string(info(*field).name) : "time"});
    }
    for (const auto& record : page.order) {
        if (layer == query::Layer::l4) {
            add_record(out, page.rows, page.rows.l4[record.row], record.time_ns, columns);
        } else {
            add_record(out, page.rows, page.rows.l7[record.row], record.time_ns, columns);
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
    out.columns = read_columns(params, out.scope.layer);
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
    out.records.layer = out.scope.layer;
    out.records.range = out.scope.range;
    out.records.filter = out.scope.filter;
    return out;
}

}  // namespace

ApiResult flows(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "fields", "cursor", "limit"});
    const FlowsQuery flows = read_flows(params, context);
    if (params.error()) return tl::unexpected(*params.error());

    const auto page = records(context, flows.records);
    if (!page) return tl::unexpected(page.error());
    const Table table = table_of(*page, flows.scope.layer, flows.columns);
    const auto& range = flows.scope.range;
    const std::string next = page->next_cursor.empty()
                                 ? std::string()
                                 : write_cursor({range, page->next_cursor}, flows.scope.fingerprint);
    if (flows.scope.csv) {
        Response response = csv_response("flows", to_csv(table));
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
