// The data endpoints, as openapi.yaml describes them. Each reads its parameters, asks the store and
// writes the answer; none keeps anything between requests.
#pragma once

#include "http/api/context.h"

namespace weir::http {

ApiResult summary(const Context& context);
ApiResult series(const Context& context);
ApiResult facets(const Context& context);
ApiResult connections(const Context& context);
ApiResult flows(const Context& context);
ApiResult map(const Context& context);

}  // namespace weir::http
