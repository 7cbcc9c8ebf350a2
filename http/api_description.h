// openapi.yaml, built into the plugin.
#pragma once

#include <string_view>

namespace weir::http {

std::string_view api_description();  // static storage

}  // namespace weir::http
