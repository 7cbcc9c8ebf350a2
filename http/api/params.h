// Reads the parameters of a request.
//
// The first mistake is kept and everything after it answers with defaults, so that an endpoint reads all
// of its parameters and asks once whether they were good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/api/answer.h"
#include "http/net/message.h"
#include "plugin/query/query.h"

namespace weir::http {

class Params {
public:
    // Parameters that are not among `allowed`, and repeated ones, are mistakes. The request must outlive
    // this.
    Params(const Request& request, std::initializer_list<std::string_view> allowed);

    const std::optional<ApiError>& error() const { return error_; }
    void reject(std::string_view name, std::string message);

    // What was given for a parameter; nothing when it was not, or was empty.
    std::optional<std::string_view> text(std::string_view name) const;
    // Names joined by commas, each once; empty when not given.
    std::vector<std::string_view> names(std::string_view name, std::size_t most);
    std::size_t number(std::string_view name, std::size_t fallback, std::size_t most);  // from 1
    // The index in `choices`.
    std::size_t choice(std::string_view name, std::span<const std::string_view> choices,
                       std::size_t fallback);

private:
    const Pairs& given_;
    std::optional<ApiError> error_;
};

// For messages: text from outside between quotes, cut where it gets long.
std::string in_quotes(std::string_view text);

// Parameters of every data endpoint: to be added to its own.
#define WEIR_SCOPE_PARAMETERS "from", "to", "view", "layer", "direction", "transport", "q", "format"

// What those say.
struct Scope {
    query::TimeRange range;
    query::View view = query::View::host;
    query::Layer layer = query::Layer::l4;
    query::Filter filter;  // of q, direction and transport
    bool csv = false;
    std::string fingerprint;  // the same for two requests that select the same records

    double seconds() const { return static_cast<double>(range.to_ns - range.from_ns) / 1e9; }
};

// `default_from` for when there is no from; it may depend on the view.
Scope read_scope(Params& params, std::int64_t now_ns,
                 std::string_view (*default_from)(query::View) = nullptr);

}  // namespace weir::http
