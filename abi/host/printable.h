// What comes from traffic, servers and plugins must never become a terminal sequence.
#pragma once

#include <string>
#include <string_view>

namespace weir::host {

enum class Newlines { escape, keep };

// The text with control characters (C0, DEL, C1), bytes that are not UTF-8 (as \xHH) and direction marks (as
// \u{HHHH}) made visible. All else, tabs included, stays as it is.
std::string printable(std::string_view text, Newlines newlines = Newlines::escape);

// At most `limit` bytes of `text`, cut between characters and ended by "..." when something is missing.
std::string shortened(std::string_view text, std::size_t limit);

}  // namespace weir::host
