#include "http/api/context.h"

#include <utility>

#include "http/api/measure_columns.h"
#include "http/api/params.h"

namespace weir::http {
namespace {

ApiError error_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::timeout:
            return {503, "timeout", "the query took too long; ask for a shorter range or search closer", ""};
        case ErrorCode::invalid_argument: return {400, "bad_parameter", error.message, "cursor"};
        default: return {503, "store_failed", "the store could not answer: " + error.message, ""};
    }
}

}  // namespace

tl::expected<query::AggregateResult, ApiError> aggregate(const Context& context,
                                                         query::AggregateQuery query) {
    query.budget = context.budget;
    return context.engine.aggregate(query).map_error(error_of);
}

tl::expected<query::RecordPage, ApiError> records(const Context& context, query::RecordQuery query) {
    query.budget = context.budget;
    return context.engine.records(query).map_error(error_of);
}

query::AggregateQuery aggregate_query(const Scope& scope) {
    query::AggregateQuery out;
    out.layer = scope.layer;
    out.range = scope.range;
    out.filter = scope.filter;
    out.sort = main_measure(scope.layer);
    return out;
}

}  // namespace weir::http
