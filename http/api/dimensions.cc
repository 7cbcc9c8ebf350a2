#include "http/api/dimensions.h"

#include <charconv>
#include <cstdint>

#include "http/api/table.h"

namespace weir::http {
namespace {

bool is_dimension(Field field, query::Layer layer) {
    const FieldInfo& about = info(field);
    const std::uint8_t measurement = layer == query::Layer::l4 ? kNetflow : kHttpflow;
    const bool is_status = field == Field::status_code || field == Field::grpc_status;
    const bool is_measure = about.type == ValueType::integer && !is_status;
    return (about.measurements & measurement) != 0 && !is_measure;
}

}  // namespace

std::optional<NamedDimension> find_dimension(std::string_view name, query::View view, query::Layer layer) {
    if (name == "client") return NamedDimension{std::string(name), query::Dimension::client(view)};
    if (name == "server") return NamedDimension{std::string(name), query::Dimension::server(view)};
    for (std::size_t i = 0; i < kFieldCount; i++) {
        const auto field = static_cast<Field>(i);
        if (info(field).name != name || !is_dimension(field, layer)) continue;
        return NamedDimension{std::string(name), query::Dimension::of(field)};
    }
    return std::nullopt;
}

std::vector<NamedDimension> read_dimensions(Params& params, std::string_view parameter, const Scope& scope,
                                            std::size_t most,
                                            std::initializer_list<std::string_view> fallback) {
    std::vector<NamedDimension> out;
    std::vector<std::string_view> names = params.names(parameter, most);
    if (names.empty()) names = fallback;
    for (const auto name : names) {
        if (auto found = find_dimension(name, scope.view, scope.layer)) {
            out.push_back(std::move(*found));
        } else {
            params.reject(parameter, in_quotes(name) + " is no dimension of this layer");
        }
    }
    return out;
}

std::vector<query::Dimension> dimensions_of(std::span<const NamedDimension> named) {
    std::vector<query::Dimension> out;
    for (const auto& one : named) out.push_back(one.dimension);
    return out;
}

Json value_json(const NamedDimension& named, const query::KeyPart& part) {
    if (named.is_end()) return end_json(part);
    if (part.text.empty()) return nullptr;
    const ValueType type = info(named.dimension.field).type;
    if (type == ValueType::boolean) return part.text == "true";
    std::int64_t number = 0;
    const char* const last = part.text.data() + part.text.size();
    if (type == ValueType::integer && std::from_chars(part.text.data(), last, number).ptr == last) {
        return number;
    }
    return json_text(part.text);
}

}  // namespace weir::http
