#include "http/api/grouped_rows.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMostRows = 10'000;

}  // namespace

ApiResult summary(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "sort", "fields", "limit"});
    const Scope scope = read_scope(params, context.now_ns);
    const RowQuery rows = read_rows(params, scope,
                                    {{"client", query::Dimension::client(scope.view)},
                                     {"server", query::Dimension::server(scope.view)},
                                     {"direction", query::Dimension::of(Field::direction)},
                                     {"transport", query::Dimension::of(Field::transport)}},
                                    kDefaultLimit, kMostRows);
    if (params.error()) return tl::unexpected(*params.error());
    return answer_rows(context, scope, rows, "summary");
}

}  // namespace weir::http
