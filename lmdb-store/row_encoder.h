// Rows as blocks (block_format.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/block_writer.h"

namespace weir::store {

// All rows, ordered by the numbers of their subjects (one for each row); none when there are no rows.
// Histograms must be storable. Row: L4Row, L7Row, DnsRow, SlowRow.
template <typename Row>
std::vector<Block> encode_rows(std::span<const Row> rows, std::span<const std::uint32_t> subjects);

extern template std::vector<Block> encode_rows(std::span<const L4Row>, std::span<const std::uint32_t>);
extern template std::vector<Block> encode_rows(std::span<const L7Row>, std::span<const std::uint32_t>);
extern template std::vector<Block> encode_rows(std::span<const DnsRow>, std::span<const std::uint32_t>);
extern template std::vector<Block> encode_rows(std::span<const SlowRow>, std::span<const std::uint32_t>);

}  // namespace weir::store
