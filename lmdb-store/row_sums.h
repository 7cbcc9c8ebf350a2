// Rows added up by their subject, for a minute.
//
// Sums add and histograms merge, so what is added up says the same as the rows that it is made of. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/row_encoder.h"

namespace weir::store {

// Rows of one part, one for each subject.
template <typename Row>
class RowSums {
public:
    void add(std::span<const Row> rows, std::span<const std::uint32_t> subjects);
    std::size_t size() const { return subjects_.size(); }
    std::span<const std::uint32_t> subjects() const { return subjects_; }
    std::span<const Row> rows() const { return std::span(rows_).first(size()); }  // in their order
    RowEncoder<Row> encoder() const { return {rows(), subjects_}; }
    void clear();

private:
    void add(std::uint32_t subject, const Row& row);
    const Row* find(std::uint32_t subject) const;

    std::vector<std::uint32_t> place_of_;  // by subject: its row, or kNone
    std::vector<std::uint32_t> subjects_;
    std::vector<Row> rows_;  // the first of these; the others wait to be used again
};

extern template class RowSums<L4Row>;
extern template class RowSums<L7Row>;
extern template class RowSums<DnsRow>;
extern template class RowSums<SlowRow>;

}  // namespace weir::store
