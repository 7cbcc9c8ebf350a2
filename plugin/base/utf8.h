// Text from traffic and processes is bytes; points, JSON and Protobuf want UTF-8. It is made UTF-8 once,
// where it enters.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// `text` itself when it is valid UTF-8; else a copy in `scratch` with U+FFFD for each byte that is not.
std::string_view to_utf8(std::string_view text, std::string& scratch);

}  // namespace weir
