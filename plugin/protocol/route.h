// Folds the ids in a path, so that /orders/1842/items becomes /orders/{id}/items: the route.
#pragma once

#include <string>
#include <string_view>

namespace weir::protocol {

// Writes the route of `path` into `out` (replaced). A segment is an id when it is a number, a UUID,
// a hexadecimal hash, a date, or a long token with digits in it; the rest stays as it is.
void fold_route(std::string_view path, std::string& out);

}  // namespace weir::protocol
