// JSON as the API writes it: pure ASCII, so that nothing in it is a command to a terminal, and valid
// whatever bytes the texts from traffic have.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace weir::http {

using Json = nlohmann::ordered_json;  // members in the order in which they were added

// A text from outside: what is no UTF-8 becomes U+FFFD.
Json json_text(std::string_view text);
// null for the empty text.
Json json_text_or_null(std::string_view text);
// An integer where the number is one.
Json json_number(double number);
// Unix ms.
Json json_time(std::int64_t ns);

std::string to_text(const Json& json);

}  // namespace weir::http
