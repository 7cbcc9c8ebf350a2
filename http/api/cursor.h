// Where the next page of records begins.
//
// Beside the store's own cursor it keeps the range of the first page, which "-15m" would shift with
// every page, and a fingerprint of what was searched for, so that a cursor is not used with another
// search. As text: "1-FROM-TO-FINGERPRINT-STORE", each in hexadecimal, the store's bytes two digits each.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin/query/query.h"

namespace weir::http {

struct Cursor {
    query::TimeRange range;
    std::string store;  // RecordPage::next_cursor
};

std::string write_cursor(const Cursor& cursor, std::string_view fingerprint);

// Nothing when the text is no cursor, or is one of another fingerprint.
std::optional<Cursor> read_cursor(std::string_view text, std::string_view fingerprint);

}  // namespace weir::http
