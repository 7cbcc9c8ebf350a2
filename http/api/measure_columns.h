// The measures of an answer: which ones, and their values as JSON.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "http/api/json.h"
#include "plugin/query/query.h"

namespace weir::http {

std::vector<query::Measure> measures_of(query::Layer layer);
std::optional<query::Measure> find_measure_of(query::Layer layer, std::string_view name);
query::MeasureSet set_of(std::span<const query::Measure> measures);
// What rows are sorted by when nothing else is said.
query::Measure main_measure(query::Layer layer);

// null without samples.
Json measure_json(const query::Measures& sums, query::Measure measure, double seconds);
Json measures_json(const query::Measures& sums, std::span<const query::Measure> measures, double seconds);

}  // namespace weir::http
