#include <algorithm>
#include <tuple>
#include <utility>

#include "http/api/dimensions.h"
#include "http/api/params.h"
#include "http/api/table.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::size_t kMostFields = 20;
constexpr std::size_t kDefaultLimit = 20;
constexpr std::size_t kMostValues = 1000;

// The groups of one dimension, most records first.
tl::expected<query::AggregateResult, ApiError> count_values(const Context& context, const Scope& scope,
                                                            const NamedDimension& named) {
    query::AggregateQuery query = aggregate_query(scope);
    query.by = {named.dimension};
    query.measures = 0;            // only rows are counted
    query.each_flow_once = false;  // counts are of the records that /flows lists
    auto result = aggregate(context, std::move(query));
    if (!result) return result;
    std::sort(result->groups.begin(), result->groups.end(),
              [](const auto& a, const auto& b) { return std::tie(b.rows, a.key) < std::tie(a.rows, b.key); });
    return result;
}

void add_rows(Table& table, const NamedDimension& named, const query::AggregateResult& result,
              std::size_t limit) {
    for (const auto& group : result.groups) {
        if (limit-- == 0) return;
        // An end is named by its name alone: that is what a search for it takes.
        Json value = named.is_end() ? json_text(group.key[0].text) : value_json(named, group.key[0]);
        table.rows.push_back({named.name, std::move(value), group.rows});
    }
}

Json values_json(const Table& table) {
    Json out = Json::array();
    for (const auto& row : table.rows) out.push_back({{"value", row[1]}, {"count", row[2]}});
    return out;
}

}  // namespace

ApiResult facets(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "fields", "limit"});
    const Scope scope = read_scope(params, context.now_ns);
    const auto fields = read_dimensions(params, "fields", scope, kMostFields, {"direction", "transport"});
    const std::size_t limit = params.number("limit", kDefaultLimit, kMostValues);
    if (params.error()) return tl::unexpected(*params.error());

    Json data = Json::object(), distinct = Json::object();
    Table all{{{"field"}, {"value"}, {"count"}}, {}};
    query::Resolution resolution = query::Resolution::detail;
    LossCounts losses{};
    ReconciledCounts reconciled{};
    for (const auto& named : fields) {
        const auto result = count_values(context, scope, named);
        if (!result) return tl::unexpected(result.error());
        Table values;
        add_rows(values, named, *result, limit);
        data[named.name] = values_json(values);
        distinct[named.name] = result->group_count;
        std::move(values.rows.begin(), values.rows.end(), std::back_inserter(all.rows));
        resolution = result->resolution;
        losses = result->losses;
        reconciled = result->reconciled;
    }
    if (scope.csv) return csv_response("facets", to_csv(all));
    DataAnswer answer(scope.range, resolution);
    answer["data"] = std::move(data);
    answer["distinct"] = std::move(distinct);
    return answer.finish(losses, reconciled, context.began);
}

}  // namespace weir::http
