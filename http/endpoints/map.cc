// The map: who talks to whom, as a graph.
//
// All edges are asked for, also those that are not drawn: a node's measures and its neighbours are only
// right when none is missing.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "http/api/grouped_rows.h"
#include "http/api/measure_columns.h"
#include "http/api/params.h"
#include "http/api/table.h"
#include "http/endpoints/endpoints.h"
#include "plugin/base/utf8.h"

namespace weir::http {
namespace {

constexpr std::size_t kDefaultEdges = 200;
constexpr std::size_t kMostEdges = 2000;
constexpr std::size_t kMostDepth = 10;
constexpr int kIntervals = 5;

struct MapQuery {
    Scope scope;
    RowOrder order;
    std::vector<query::Measure> measures;
    query::Measure fill = query::Measure::rtt;
    std::string focus;
    std::size_t depth = 1;
    std::size_t limit = kDefaultEdges;
};

struct Edge {
    std::string source, target;  // ids of nodes
    query::Measures measures;
};

struct Node {
    query::KeyPart end;
    bool external = false;
    query::Measures all, in, out;
};

struct Graph {
    std::map<std::string, Node> nodes;
    std::vector<Edge> edges;  // the first ones are drawn
    std::size_t drawn = 0;
    query::Measures totals, other;
};

std::string_view default_from(query::View view) { return view == query::View::host ? "-48h" : "-15m"; }

MapQuery read_map(Params& params, const Context& context) {
    MapQuery out;
    out.scope = read_scope(params, context.now_ns, default_from);
    const query::Layer layer = out.scope.layer;
    out.order = read_order(params, out.scope, {});
    out.limit = params.number("limit", kDefaultEdges, kMostEdges);
    out.depth = params.number("depth", 1, kMostDepth);
    std::string scratch;
    out.focus = to_utf8(params.text("focus").value_or(""), scratch);
    const auto read_measure = [&](std::string_view parameter, std::string_view name) {
        const auto found = find_measure_of(layer, name);
        if (!found) {
            params.reject(parameter, in_quotes(name) + " is no measure of this layer");
        }
        return found.value_or(main_measure(layer));
    };
    out.fill = read_measure("fill", params.text("fill").value_or(layer == query::Layer::l4 ? "rtt" : "rps"));
    for (const auto name : params.names("fields", query::kMeasureCount)) {
        out.measures.push_back(read_measure("fields", name));
    }
    if (out.measures.empty()) out.measures = measures_of(layer);
    return out;
}

// This host's own addresses, among those that took part.
tl::expected<std::set<std::string>, ApiError> local_addresses(const Context& context, const Scope& scope) {
    query::AggregateQuery query = aggregate_query(scope);
    query.by = {query::Dimension::of(Field::src_ip)};
    query.measures = 0;
    query.each_flow_once = false;
    const auto result = aggregate(context, std::move(query));
    if (!result) return tl::unexpected(result.error());
    std::set<std::string> out;
    for (const auto& group : result->groups) out.insert(group.key[0].text);
    return out;
}

// Leaves the nodes within `depth` edges of the focus, either way, and the edges between them.
void keep_neighbours(Graph& graph, const std::string& focus, std::size_t depth) {
    std::set<std::string> kept = {focus};
    for (std::size_t i = 0; i < depth; i++) {
        std::set<std::string> reached = kept;
        for (const auto& edge : graph.edges) {
            if (kept.contains(edge.source)) reached.insert(edge.target);
            if (kept.contains(edge.target)) reached.insert(edge.source);
        }
        kept = std::move(reached);
    }
    std::erase_if(graph.edges, [&](const Edge& edge) {
        return !kept.contains(edge.source) || !kept.contains(edge.target);
    });
}

void sum_up(Graph& graph, std::size_t limit) {
    graph.drawn = std::min(limit, graph.edges.size());
    std::set<std::string> shown;
    for (std::size_t i = 0; i < graph.edges.size(); i++) {
        const Edge& edge = graph.edges[i];
        graph.totals.merge(edge.measures);
        if (i >= graph.drawn) graph.other.merge(edge.measures);
        if (i < graph.drawn) shown.insert({edge.source, edge.target});
        Node& source = graph.nodes.at(edge.source);
        Node& target = graph.nodes.at(edge.target);
        source.out.merge(edge.measures);
        source.all.merge(edge.measures);
        target.in.merge(edge.measures);
        if (&source != &target) target.all.merge(edge.measures);
    }
    std::erase_if(graph.nodes, [&](const auto& node) { return !shown.contains(node.first); });
}

tl::expected<std::pair<Graph, query::AggregateResult>, ApiError> build(const Context& context,
                                                                       const MapQuery& map) {
    const auto local = local_addresses(context, map.scope);
    if (!local) return tl::unexpected(local.error());
    query::AggregateQuery query = aggregate_query(map.scope);
    query.by = {query::Dimension::client(map.scope.view), query::Dimension::server(map.scope.view)};
    query.measures = set_of(map.measures) | query::set_of(map.fill);
    query.sort = map.order.measure;
    query.descending = map.order.descending;
    auto result = aggregate(context, std::move(query));
    if (!result) return tl::unexpected(result.error());

    Graph graph;
    for (auto& group : result->groups) {
        for (const auto& end : group.key) {
            const bool external = end.kind == query::KeyPart::Kind::ip && !local->contains(end.text);
            graph.nodes.try_emplace(end_id(end), Node{end, external, {}, {}, {}});
        }
        graph.edges.push_back({end_id(group.key[0]), end_id(group.key[1]), std::move(group.measures)});
    }
    if (map.focus.empty()) {
        graph.totals = result->rest;  // edges for which the engine had no room
        graph.other = result->rest;
    } else {
        keep_neighbours(graph, map.focus, map.depth);
    }
    sum_up(graph, map.limit);
    result->groups.clear();
    return std::pair(std::move(graph), std::move(*result));
}

Json nodes_json(const Graph& graph, const MapQuery& map) {
    Json out = Json::array();
    const double seconds = map.scope.seconds();
    for (const auto& [id, node] : graph.nodes) {
        Json one = end_json(node.end);
        one["external"] = node.external;
        one["cloud"] = nullptr;  // no source tells the provider of an address yet
        one["measures"] = measures_json(node.all, map.measures, seconds);
        one["in"] = measures_json(node.in, map.measures, seconds);
        one["out"] = measures_json(node.out, map.measures, seconds);
        out.push_back(std::move(one));
    }
    return out;
}

Json edges_json(const Graph& graph, const MapQuery& map) {
    Json out = Json::array();
    for (const auto& edge : std::span(graph.edges).first(graph.drawn)) {
        out.push_back({{"source", edge.source},
                       {"target", edge.target},
                       {"measures", measures_json(edge.measures, map.measures, map.scope.seconds())}});
    }
    return out;
}

Json other_json(const Graph& graph, const MapQuery& map) {
    return {{"edges", graph.edges.size() - graph.drawn},
            {"measures", measures_json(graph.other, map.measures, map.scope.seconds())}};
}

Json fill_json(const Graph& graph, const MapQuery& map) {
    std::optional<double> min, max;
    const auto include = [&](const query::Measures& sums) {
        const auto value = query::value(sums, map.fill, map.scope.seconds());
        if (!value) return;
        min = std::min(min.value_or(*value), *value);
        max = std::max(max.value_or(*value), *value);
    };
    for (const auto& [id, node] : graph.nodes) include(node.all);
    for (const auto& edge : std::span(graph.edges).first(graph.drawn)) include(edge.measures);

    Json intervals = Json::array();
    for (int i = 0; min && i < kIntervals; i++) {
        const double width = (*max - *min) / kIntervals;
        const bool last = i + 1 == kIntervals;
        intervals.push_back({{"from", json_number(*min + width * i)},
                             {"to", json_number(last ? *max : *min + width * (i + 1))}});
    }
    return {{"metric", query::info(map.fill).name},
            {"min", min ? json_number(*min) : Json()},
            {"max", max ? json_number(*max) : Json()},
            {"intervals", std::move(intervals)}};
}

Table table_of(const Graph& graph, const MapQuery& map) {
    Table out{{{"source"}, {"target"}}, {}};
    for (const auto measure : map.measures) out.columns.push_back({std::string(query::info(measure).name)});
    for (const auto& edge : std::span(graph.edges).first(graph.drawn)) {
        auto& row = out.rows.emplace_back(std::vector<Json>{edge.source, edge.target});
        for (const auto measure : map.measures) {
            row.push_back(measure_json(edge.measures, measure, map.scope.seconds()));
        }
    }
    return out;
}

}  // namespace

ApiResult map(const Context& context) {
    Params params(context.request,
                  {WEIR_SCOPE_PARAMETERS, "sort", "fields", "limit", "fill", "focus", "depth"});
    const MapQuery map = read_map(params, context);
    if (params.error()) return tl::unexpected(*params.error());

    const auto built = build(context, map);
    if (!built) return tl::unexpected(built.error());
    const auto& [graph, result] = *built;
    if (map.scope.csv) return csv_response("map", to_csv(table_of(graph, map)));

    const Json graph_json = {{"nodes", nodes_json(graph, map)},
                             {"edges", edges_json(graph, map)},
                             {"other", other_json(graph, map)},
                             {"fill", fill_json(graph, map)}};
    DataAnswer answer(map.scope.range, result.resolution);
    answer["data"] = graph_json;
    answer.add(graph_json);  // also beside it, where the sketch of the API has them
    answer["totals"] = measures_json(graph.totals, map.measures, map.scope.seconds());
    return answer.finish(result.losses, result.reconciled, context.began);
}

}  // namespace weir::http
