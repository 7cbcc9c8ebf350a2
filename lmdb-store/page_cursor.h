// Where a page of records ended: the text in RecordPage::next_cursor.
//
// It holds the place, and what was decided for the first page (range, resolution, which intervals were
// in minutes already), so that the pages after it go on in the same rows: a range that ends "now" moves
// on between pages, and minutes are made of intervals meanwhile. Hex text of, little-endian:
//   u8 version (2), u8 part, u8 resolution, u8 table, u64 store, i64 from, i64 to, u64 rolled through,
//   i64 detail dropped, i64 time, u64 sequence, u64 row, u32 checksum (XXH3, low half)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lmdb-store/plan.h"
#include "plugin/base/status.h"

namespace weir::store {

struct PageCursor {
    Part part = Part::l4;
    std::uint64_t store_id = 0;
    Choice choice;
    // The last record of the page: its entry, and its row in the entry's rows of the layer.
    Table table = Table::detail;
    std::int64_t time_ns = 0;
    std::uint64_t sequence = 0;
    std::uint64_t row = 0;
};

std::string encode_cursor(const PageCursor& cursor);
// Errors: invalid_argument.
Result<PageCursor> decode_cursor(std::string_view text);

}  // namespace weir::store
