#include <algorithm>
#include <utility>

#include "http/api/grouped_rows.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::size_t kMostRows = 100;
constexpr std::size_t kMostFurtherDimensions = 6;

// by=ip_port or by=ip, then further dimensions of the caller's choice.
std::vector<NamedDimension> read_by(Params& params, const Scope& scope) {
    std::vector<std::string_view> names = params.names("by", 1 + kMostFurtherDimensions);
    if (names.empty()) names = {"ip_port"};
    std::vector<std::string_view> all;
    if (names.front() == "ip_port") {
        all = {"client_ip", "client_port", "server_ip", "server_port", "direction", "transport"};
    } else if (names.front() == "ip") {
        all = {"client_ip", "server_ip", "direction", "transport"};
    } else {
        params.reject("by", "by begins with ip_port or ip");
    }
    all.insert(all.end(), names.begin() + 1, names.end());

    std::vector<NamedDimension> out;
    for (const auto name : all) {
        auto found = find_dimension(name, scope.view, scope.layer);
        const auto same = [&](const auto& one) { return one.name == name; };
        if (!found || std::any_of(out.begin(), out.end(), same)) {
            params.reject("by", in_quotes(name) + " is no further dimension");
            break;
        }
        out.push_back(std::move(*found));
    }
    return out;
}

}  // namespace

ApiResult connections(const Context& context) {
    Params params(context.request, {WEIR_SCOPE_PARAMETERS, "sort", "fields", "limit", "by"});
    const Scope scope = read_scope(params, context.now_ns);
    const RowQuery rows = read_rows(params, scope, read_by(params, scope), kMostRows, kMostRows);
    if (params.error()) return tl::unexpected(*params.error());
    return answer_rows(context, scope, rows, "connections");
}

}  // namespace weir::http
