// Rows of groups with their measures, sorted and cut: the tables of summary and connections.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "http/api/context.h"
#include "http/api/dimensions.h"
#include "http/api/params.h"
#include "http/api/table.h"

namespace weir::http {

struct RowOrder {
    bool descending = true;
    query::Measure measure = query::Measure::bytes_written;
    std::optional<std::size_t> dimension;  // by its name instead of the measure: index into the dimensions
};

// Reads `sort`: a measure of the layer or the name of one of the dimensions.
RowOrder read_order(Params& params, const Scope& scope, std::span<const NamedDimension> dimensions);

struct RowQuery {
    std::vector<NamedDimension> dimensions;
    RowOrder order;
    std::vector<std::string_view> fields;  // columns: dimensions and measures; empty for all
    std::size_t limit = 0;
};

// Reads `sort`, `fields` and `limit` (with its default and largest value).
RowQuery read_rows(Params& params, const Scope& scope, std::vector<NamedDimension> dimensions,
                   std::size_t default_limit, std::size_t most);

// The whole answer, in the form that the scope asks for; `name` is for the download.
ApiResult answer_rows(const Context& context, const Scope& scope, const RowQuery& rows,
                      std::string_view name);

}  // namespace weir::http
