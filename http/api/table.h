// Rows as the endpoints make them, written as JSON objects or as CSV.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/api/json.h"
#include "plugin/query/query.h"

namespace weir::http {

struct Table {
    struct Column {
        std::string name;
        bool is_end = false;  // cells are the objects of end_json(); in CSV a column for each member
    };

    std::vector<Column> columns;
    std::vector<std::vector<Json>> rows;  // a cell for each column
};

// One end of a flow: {"id", "kind", "name"}.
Json end_json(const query::KeyPart& end);
// "kind:name", unique within a view.
std::string end_id(const query::KeyPart& end);

Json rows_json(const Table& table);

// RFC 4180. Cells of text that a spreadsheet could take for a formula begin with ', and control
// characters (other than TAB, CR, LF, which are quoted) become U+FFFD.
std::string to_csv(const Table& table);

}  // namespace weir::http
