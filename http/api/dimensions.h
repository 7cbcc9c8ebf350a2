// What rows can be grouped by, as requests name it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/api/json.h"
#include "http/api/params.h"
#include "plugin/query/query.h"

namespace weir::http {

struct NamedDimension {
    std::string name;
    query::Dimension dimension;

    bool is_end() const { return dimension.kind != query::Dimension::Kind::field; }
};

// "client", "server", a tag, or a field of the layer that is no measure. Nothing for other names.
std::optional<NamedDimension> find_dimension(std::string_view name, query::View view, query::Layer layer);

// The dimensions that a parameter names; `fallback` when it is not given. Unknown ones are rejected.
std::vector<NamedDimension> read_dimensions(Params& params, std::string_view parameter, const Scope& scope,
                                            std::size_t most,
                                            std::initializer_list<std::string_view> fallback = {});

std::vector<query::Dimension> dimensions_of(std::span<const NamedDimension> named);

// A group's value of a dimension, in the type of the point schema; null when it has none. Ends are
// objects, see end_json().
Json value_json(const NamedDimension& named, const query::KeyPart& part);

}  // namespace weir::http
