// Rows as blocks (block_format.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/block_writer.h"
#include "lmdb-store/histogram_column.h"

namespace weir::store {

// The rows in the order of their subjects, and those of a subject in the order in which they are given.
std::vector<std::uint32_t> order_of(std::span<const std::uint32_t> subjects);

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
    void add_times(BlockWriter& out, std::span<const std::uint32_t> taken) const;

    std::span<const Row> rows_;
    std::span<const std::uint32_t> subjects_;
    std::vector<std::uint32_t> order_;
    std::size_t at_ = 0;
    Numbers numbers_;  // of subjects
    std::array<Numbers, Columns::kNumbers.size()> columns_;
    std::array<HistogramColumnWriter, Columns::kHistograms.size()> histograms_;
};

// Encodes blocks of about so many rows, takes them off `rows`, and gives each to on_block. Returns how many
// rows they hold.
template <typename Encoder, typename OnBlock>
std::size_t encode_some(Encoder& encoder, std::size_t& rows, const OnBlock& on_block) {
    const std::size_t before = encoder.left();
    while (rows != 0 && encoder.left() != 0) {
        const std::size_t left = encoder.left();
        on_block(encoder.next());
        rows -= std::min(rows, left - encoder.left());
    }
    return before - encoder.left();
}

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
