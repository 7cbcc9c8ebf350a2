// Rows as blocks (block_format.h).
#pragma once

#include <array>
#include <vector>

#include "lmdb-store/block_writer.h"
#include "lmdb-store/histogram_column.h"
#include "lmdb-store/row_run.h"

namespace weir::store {

// Encodes the rows of a run block by block. Row: L4Row, L7Row, DnsRow, SlowRow. Not thread-safe.
template <typename Row>
class RowEncoder {
public:
    // The run must outlive it; rows may be added to it.
    explicit RowEncoder(const RowRun<Row>& run) : run_(&run) {}

    // How many rows are yet to be encoded.
    std::size_t left() const { return run_->size() - at_; }
    // Not to be asked for when none are left.
    Block next();

private:
    using Columns = RowColumns<Row>;

    std::size_t take_rows();
    void take(const RunRow<Row>& row, std::size_t to);

    const RowRun<Row>* run_;
    std::size_t at_ = 0;
    Numbers subjects_;
    std::array<Numbers, kRunNumbers<Row>> columns_;
    std::array<HistogramColumnWriter, Columns::kHistograms.size()> histograms_;
    std::size_t buckets_ = 0;
};

// All of them; none when there are no rows.
template <typename Row>
std::vector<Block> encode_rows(const RowRun<Row>& run) {
    std::vector<Block> out;
    RowEncoder<Row> encoder(run);
    while (encoder.left() != 0) out.push_back(encoder.next());
    return out;
}

extern template class RowEncoder<L4Row>;
extern template class RowEncoder<L7Row>;
extern template class RowEncoder<DnsRow>;
extern template class RowEncoder<SlowRow>;

}  // namespace weir::store
