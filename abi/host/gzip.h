#pragma once

#include <string>
#include <string_view>

namespace weir::host {

// `bytes` in the gzip format. Empty when there is no memory for it.
std::string gzipped(std::string_view bytes);

}  // namespace weir::host
