#include "http/api/grouped_rows.h"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "http/api/measure_columns.h"

namespace weir::http {
namespace {

// What a row consists of, in the order of its columns.
struct Column {
    std::optional<std::size_t> dimension;
    query::Measure measure = query::Measure::bytes_written;
};

std::vector<Column> columns_of(const Scope& scope, const RowQuery& rows) {
    std::vector<Column> out;
    for (const auto name : rows.fields) {
        const auto found = std::find_if(rows.dimensions.begin(), rows.dimensions.end(),
                                        [&](const auto& one) { return one.name == name; });
        if (found != rows.dimensions.end()) {
            out.push_back({static_cast<std::size_t>(found - rows.dimensions.begin())});
        } else if (const auto measure = find_measure_of(scope.layer, name)) {
            out.push_back({std::nullopt, *measure});
        }
    }
    if (!out.empty()) return out;
    for (std::size_t i = 0; i < rows.dimensions.size(); i++) out.push_back({i});
    for (const auto measure : measures_of(scope.layer)) out.push_back({std::nullopt, measure});
    return out;
}

std::vector<query::Measure> measures_among(std::span<const Column> columns) {
    std::vector<query::Measure> out;
    for (const auto& column : columns) {
        if (!column.dimension) out.push_back(column.measure);
    }
    return out;
}

Table table_of(std::span<const query::Group> groups, const RowQuery& rows, std::span<const Column> columns,
               double seconds) {
    Table out;
    for (const auto& column : columns) {
        if (column.dimension) {
            const auto& named = rows.dimensions[*column.dimension];
            out.columns.push_back({named.name, named.is_end()});
        } else {
            out.columns.push_back({std::string(query::info(column.measure).name)});
        }
    }
    for (const auto& group : groups) {
        auto& row = out.rows.emplace_back();
        for (const auto& column : columns) {
            row.push_back(column.dimension
                              ? value_json(rows.dimensions[*column.dimension], group.key[*column.dimension])
                              : measure_json(group.measures, column.measure, seconds));
        }
    }
    return out;
}

// Numbers, then addresses, then texts, each in their own order: all of them are texts in a key.
using OrderKey = std::tuple<int, double, Address, std::string_view>;

OrderKey order_key(const query::KeyPart& part) {
    double number = 0;
    const char* const last = part.text.data() + part.text.size();
    if (std::from_chars(part.text.data(), last, number).ptr == last && !part.text.empty()) {
        return {0, number, {}, {}};
    }
    if (const auto address = Address::parse(part.text)) return {1, 0, *address, {}};
    return {2, 0, {}, part.text};
}

// The engine sorts by measures only.
void sort_by_dimension(query::AggregateResult& result, const RowOrder& order, std::size_t limit) {
    const std::size_t index = *order.dimension;
    std::stable_sort(result.groups.begin(), result.groups.end(), [&](const auto& a, const auto& b) {
        const auto left = order_key(a.key[index]), right = order_key(b.key[index]);
        return order.descending ? right < left : left < right;
    });
    for (std::size_t i = limit; i < result.groups.size(); i++) result.rest.merge(result.groups[i].measures);
    if (result.groups.size() > limit) result.groups.resize(limit);
}

tl::expected<query::AggregateResult, ApiError> run(const Context& context, const Scope& scope,
                                                   const RowQuery& rows,
                                                   std::span<const query::Measure> measures) {
    query::AggregateQuery query = aggregate_query(scope);
    query.measures = set_of(measures);
    query.by = dimensions_of(rows.dimensions);
    query.sort = rows.order.measure;
    query.descending = rows.order.descending;
    query.limit = rows.order.dimension ? 0 : rows.limit;
    auto result = aggregate(context, std::move(query));
    if (result && rows.order.dimension) sort_by_dimension(*result, rows.order, rows.limit);
    return result;
}

}  // namespace

RowOrder read_order(Params& params, const Scope& scope, std::span<const NamedDimension> dimensions) {
    RowOrder out;
    out.measure = main_measure(scope.layer);
    const auto given = params.text("sort");
    if (!given) return out;
    out.descending = given->starts_with('-');
    const std::string_view name = given->substr(out.descending ? 1 : 0);
    for (std::size_t i = 0; i < dimensions.size(); i++) {
        if (dimensions[i].name == name) out.dimension = i;
    }
    if (const auto measure = find_measure_of(scope.layer, name)) {
        out.measure = *measure;
    } else if (!out.dimension) {
        params.reject("sort", "rows cannot be sorted by " + in_quotes(name));
    }
    return out;
}

RowQuery read_rows(Params& params, const Scope& scope, std::vector<NamedDimension> dimensions,
                   std::size_t default_limit, std::size_t most) {
    RowQuery out;
    out.order = read_order(params, scope, dimensions);
    out.limit = params.number("limit", default_limit, most);
    out.fields = params.names("fields", dimensions.size() + query::kMeasureCount);
    for (const auto name : out.fields) {
        const bool known = std::any_of(dimensions.begin(), dimensions.end(),
                                       [&](const auto& one) { return one.name == name; });
        if (!known && !find_measure_of(scope.layer, name)) {
            params.reject("fields", "rows have no field " + in_quotes(name));
        }
    }
    out.dimensions = std::move(dimensions);
    return out;
}

ApiResult answer_rows(const Context& context, const Scope& scope, const RowQuery& rows,
                      std::string_view name) {
    const auto columns = columns_of(scope, rows);
    const auto measures = measures_among(columns);
    const auto result = run(context, scope, rows, measures);
    if (!result) return tl::unexpected(result.error());
    const Table table = table_of(result->groups, rows, columns, scope.seconds());
    if (scope.csv) return csv_response(name, to_csv(table));

    DataAnswer answer(scope.range, result->resolution);
    answer["data"] = rows_json(table);
    answer["totals"] = measures_json(result->totals, measures, scope.seconds());
    const std::size_t beyond = result->group_count - std::min(result->group_count, result->groups.size());
    answer["other"] = {{"groups", beyond}};
    answer["other"].update(measures_json(result->rest, measures, scope.seconds()));
    answer["groups"] = result->group_count;
    return answer.finish(result->losses, result->reconciled, context.began);
}

}  // namespace weir::http
