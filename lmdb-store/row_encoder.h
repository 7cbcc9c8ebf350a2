// Rows as blocks (block_format.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/block_writer.h"
#include "lmdb-store/histogram_column.h"

namespace weir::store {

// Encodes rows block by block, ordered by the numbers of their subjects (one for each row). Histograms must
// be storable. Row: L4Row, L7Row, DnsRow, SlowRow. What it is given must outlive it. Not thread-safe.
template <typename Row>
class RowEncoder {
public:
    RowEncoder(std::span<const Row> rows, std::span<const std::uint32_t> subjects);

    // How many rows are yet to be encoded.
    std::size_t left() const { return order_.size() - at_; }
    // Not to be asked for when none are left.
    Block next();

private:
    using Columns = RowColumns<Row>;

    std::span<const std::uint32_t> take_rows();
    void ask_ahead() const;
    void add_times(BlockWriter& out, std::span<const std::uint32_t> taken) const;

    std::span<const Row> rows_;
    std::span<const std::uint32_t> subjects_;
    std::vector<std::uint32_t> order_;
    std::size_t at_ = 0;
    Numbers numbers_;  // of subjects
    std::array<Numbers, Columns::kNumbers.size()> columns_;
    std::array<HistogramColumnWriter, Columns::kHistograms.size()> histograms_;
};

// All of them; none when there are no rows.
template <typename Row>
std::vector<Block> encode_rows(std::span<const Row> rows, std::span<const std::uint32_t> subjects) {
    std::vector<Block> out;
    RowEncoder<Row> encoder(rows, subjects);
    while (encoder.left() != 0) out.push_back(encoder.next());
    return out;
}

extern template class RowEncoder<L4Row>;
extern template class RowEncoder<L7Row>;
extern template class RowEncoder<DnsRow>;
extern template class RowEncoder<SlowRow>;

}  // namespace weir::store
