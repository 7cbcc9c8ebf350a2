// Measures over time, one line for the whole or one for each group.
#include <algorithm>
#include <map>
#include <utility>

#include "http/api/dimensions.h"
#include "http/api/grouped_rows.h"
#include "http/api/measure_columns.h"
#include "http/api/params.h"
#include "http/api/steps.h"
#include "http/api/table.h"
#include "http/api/time_expression.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::size_t kMostSteps = 5000;
constexpr std::size_t kMostPoints = 200'000;  // of an answer
constexpr std::size_t kDefaultGroups = 10;
constexpr std::size_t kMostGroups = 100;
constexpr std::size_t kMostDimensions = 4;

using Key = std::vector<query::KeyPart>;
using Values = std::map<std::int64_t, query::Measures>;  // by begin of the step

struct SeriesQuery {
    Scope scope;  // its range begins at a step
    std::int64_t step_ns = 0;
    std::vector<query::Measure> metrics;
    std::vector<NamedDimension> by;
    RowOrder order;
    std::size_t limit = 0;
};

struct SeriesData {
    query::Resolution resolution = query::Resolution::detail;
    LossCounts losses{};
    ReconciledCounts reconciled{};
    std::size_t group_count = 0;
    std::vector<std::pair<Key, Values>> groups;  // one without a key when nothing is grouped
};

std::vector<query::Measure> read_metrics(Params& params, query::Layer layer) {
    std::vector<query::Measure> out;
    for (const auto name : params.names("metrics", query::kMeasureCount)) {
        if (const auto measure = find_measure_of(layer, name)) {
            out.push_back(*measure);
        } else {
            params.reject("metrics", in_quotes(name) + " is no measure of this layer");
        }
    }
    if (!out.empty()) return out;
    if (layer == query::Layer::l7) return {query::Measure::count};
    return {query::Measure::bytes_written, query::Measure::bytes_read};
}

std::int64_t read_step(Params& params, const Scope& scope, std::int64_t interval_ns) {
    const std::int64_t length = scope.range.to_ns - scope.range.from_ns;
    const auto given = params.text("step");
    if (!given) return auto_step(length, interval_ns);
    const auto step = parse_duration(*given);
    if (!step || *step < kDetailStepNs) {
        params.reject("step", "a step is a duration of at least 1s, like 60s or 5m");
        return kMinuteNs;
    }
    return *step;
}

std::size_t step_count(const SeriesQuery& series) {
    const auto& range = series.scope.range;
    const std::int64_t first = floor_to(range.from_ns, series.step_ns);
    return static_cast<std::size_t>((range.to_ns - first + series.step_ns - 1) / series.step_ns);
}

void check_size(Params& params, const SeriesQuery& series) {
    const std::size_t steps = step_count(series);
    const std::size_t lines = series.metrics.size() * (series.by.empty() ? 1 : series.limit);
    if (steps > kMostSteps) params.reject("step", "the range has more than 5000 such steps");
    if (steps * lines > kMostPoints) {
        params.reject("step", "that is more than 200000 points; take a longer step, fewer metrics or groups");
    }
}

tl::expected<SeriesData, ApiError> run(const Context& context, const SeriesQuery& series) {
    query::AggregateQuery query = aggregate_query(series.scope);
    query.by = dimensions_of(series.by);
    query.step_ns = series.step_ns;
    query.measures = set_of(series.metrics);
    query.sort = series.order.measure;
    query.descending = series.order.descending;
    query.limit = series.by.empty() ? 0 : series.limit;
    auto result = aggregate(context, std::move(query));
    if (!result) return tl::unexpected(result.error());

    SeriesData out{result->resolution, result->losses, result->reconciled, result->group_count, {}};
    for (auto& group : result->groups) {  // the steps of a key follow each other
        if (out.groups.empty() || out.groups.back().first != group.key) {
            out.groups.emplace_back(group.key, Values());
        }
        out.groups.back().second[group.time_ns] = std::move(group.measures);
    }
    if (series.by.empty() && out.groups.empty()) out.groups.emplace_back();
    return out;
}

// Calls visit(time, value) for each step; the value is null where there is no data.
template <typename Visitor>
void each_point(const SeriesQuery& series, const Values& values, query::Measure metric, Visitor visit) {
    const auto& range = series.scope.range;
    for (std::int64_t at = range.from_ns; at < range.to_ns; at += series.step_ns) {
        const auto found = values.find(at);
        const double seconds = static_cast<double>(std::min(series.step_ns, range.to_ns - at)) / 1e9;
        visit(at, found == values.end() ? Json() : measure_json(found->second, metric, seconds));
    }
}

Json points_json(const SeriesQuery& series, const Values& values, query::Measure metric) {
    Json out = Json::array();
    each_point(series, values, metric, [&](std::int64_t at, Json value) {
        out.push_back(Json::array({json_time(at), std::move(value)}));
    });
    return out;
}

Json group_json(const SeriesQuery& series, const Key& key) {
    Json out = Json::object();
    for (std::size_t i = 0; i < key.size(); i++) out[series.by[i].name] = value_json(series.by[i], key[i]);
    return out;
}

Json data_json(const SeriesQuery& series, const SeriesData& data) {
    Json out = Json::object();
    for (const auto metric : series.metrics) {
        Json one = {{"unit", query::info(metric).unit}};
        if (series.by.empty()) {
            one["points"] = points_json(series, data.groups.front().second, metric);
        } else {
            one["series"] = Json::array();
            for (const auto& [key, values] : data.groups) {
                one["series"].push_back(
                    {{"group", group_json(series, key)}, {"points", points_json(series, values, metric)}});
            }
        }
        out[std::string(query::info(metric).name)] = std::move(one);
    }
    return out;
}

// A line for each group and time: time, dimensions, metrics.
Table table_of(const SeriesQuery& series, const SeriesData& data) {
    Table out;
    out.columns.push_back({"time"});
    for (const auto& named : series.by) out.columns.push_back({named.name, named.is_end()});
    for (const auto metric : series.metrics) out.columns.push_back({std::string(query::info(metric).name)});
    for (const auto& [key, values] : data.groups) {
        const std::size_t first = out.rows.size();
        for (std::size_t m = 0; m < series.metrics.size(); m++) {
            std::size_t at_row = first;
            each_point(series, values, series.metrics[m], [&](std::int64_t at, Json value) {
                if (m == 0) {
                    auto& row = out.rows.emplace_back();
                    row.push_back(json_time(at));
                    for (std::size_t i = 0; i < key.size(); i++)
                        row.push_back(value_json(series.by[i], key[i]));
                }
                out.rows[at_row++].push_back(std::move(value));
            });
        }
    }
    return out;
}

SeriesQuery read_series(Params& params, const Context& context) {
    SeriesQuery out;
    out.scope = read_scope(params, context.now_ns);
    out.metrics = read_metrics(params, out.scope.layer);
    out.by = read_dimensions(params, "by", out.scope, kMostDimensions);
    out.order = read_order(params, out.scope, {});
    out.limit = params.number("limit", kDefaultGroups, kMostGroups);
    out.step_ns = read_step(params, out.scope, context.status.facts().interval_ns);
    check_size(params, out);
    out.scope.range.from_ns = floor_to(out.scope.range.from_ns, out.step_ns);
    return out;
}

}  // namespace

ApiResult series(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "sort", "limit", "metrics", "step", "by"});
    SeriesQuery series = read_series(params, context);
    if (params.error()) return tl::unexpected(*params.error());

    auto data = run(context, series);
    if (data && data->resolution == query::Resolution::minute && series.step_ns % kMinuteNs != 0) {
        // Minutes cannot be cut: whole ones, as many as come next.
        series.step_ns = (series.step_ns + kMinuteNs - 1) / kMinuteNs * kMinuteNs;
        series.scope.range.from_ns = floor_to(series.scope.range.from_ns, series.step_ns);
        data = run(context, series);
    }
    if (!data) return tl::unexpected(data.error());
    if (series.scope.csv) return csv_response("series", to_csv(table_of(series, *data)));

    DataAnswer answer(series.scope.range, data->resolution);
    answer["step"] = json_time(series.step_ns);
    if (!series.by.empty()) answer["groups"] = data->group_count;
    answer["data"] = data_json(series, *data);
    return answer.finish(data->losses, data->reconciled, context.began);
}

}  // namespace weir::http
