#include "http/api/measure_columns.h"

#include <string>

namespace weir::http {

std::vector<query::Measure> measures_of(query::Layer layer) {
    std::vector<query::Measure> out;
    for (std::size_t i = 0; i < query::kMeasureCount; i++) {
        const auto measure = static_cast<query::Measure>(i);
        if (query::in_layer(measure, layer)) out.push_back(measure);
    }
    return out;
}

std::optional<query::Measure> find_measure_of(query::Layer layer, std::string_view name) {
    const auto found = query::find_measure(name);
    if (!found || !query::in_layer(*found, layer)) return std::nullopt;
    return found;
}

query::MeasureSet set_of(std::span<const query::Measure> measures) {
    query::MeasureSet out = 0;
    for (const auto measure : measures) out |= query::set_of(measure);
    return out;
}

query::Measure main_measure(query::Layer layer) {
    return layer == query::Layer::l4 ? query::Measure::bytes_written : query::Measure::count;
}

Json measure_json(const query::Measures& sums, query::Measure measure, double seconds) {
    const auto number = query::value(sums, measure, seconds);
    return number ? json_number(*number) : Json();
}

Json measures_json(const query::Measures& sums, std::span<const query::Measure> measures, double seconds) {
    Json out = Json::object();
    for (const auto measure : measures) {
        out[std::string(query::info(measure).name)] = measure_json(sums, measure, seconds);
    }
    return out;
}

}  // namespace weir::http
