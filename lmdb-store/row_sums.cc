#include "lmdb-store/row_sums.h"

#include <algorithm>
#include <limits>

#include "lmdb-store/prefetch.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Rows that stay in memory from minute to minute, at least.
constexpr std::size_t kKeptRows = 1024;

}  // namespace

template <typename Row>
void RowSums<Row>::add(std::span<const Row> rows, std::span<const std::uint32_t> subjects) {
    const auto ask_ahead = [&](std::size_t i) {
        if (i + 3 * kAhead < rows.size()) prefetch(place_of_.data() + subjects[i + 3 * kAhead]);
        if (i + 2 * kAhead < rows.size()) prefetch(find(subjects[i + 2 * kAhead]));
        if (i + kAhead >= rows.size()) return;
        if (const Row* row = find(subjects[i + kAhead])) prefetch_buckets(*row);
    };
    for (std::size_t i = 0; i < rows.size(); i++) {
        ask_ahead(i);
        add(subjects[i], rows[i]);
    }
}

template <typename Row>
const Row* RowSums<Row>::find(std::uint32_t subject) const {
    const bool is_there = subject < place_of_.size() && place_of_[subject] < rows_.size();
    return is_there ? &rows_[place_of_[subject]] : nullptr;
}

template <typename Row>
void RowSums<Row>::add(std::uint32_t subject, const Row& row) {
    using Columns = RowColumns<Row>;
    if (subject >= place_of_.size())
        place_of_.resize(std::max<std::size_t>(subject + 1, 2 * place_of_.size()), kNone);
    std::uint32_t& place = place_of_[subject];
    // Slow requests stay by themselves.
    if (place == kNone || std::is_same_v<Row, SlowRow>) {
        place = static_cast<std::uint32_t>(subjects_.size());
        subjects_.push_back(subject);
        // A row of an earlier minute has memory for its histograms already.
        if (place < rows_.size()) {
            rows_[place] = row;
        } else {
            rows_.push_back(row);
        }
        return;
    }
    Row& into = rows_[place];
    for (const auto& column : Columns::kNumbers) into.*column.of_row += row.*column.of_row;
    for (const auto& column : Columns::kHistograms) (into.*column.of_row).merge(row.*column.of_row);
}

template <typename Row>
void RowSums<Row>::clear() {
    for (const std::uint32_t subject : subjects_) place_of_[subject] = kNone;
    // The minute after has about as many rows, but for a burst.
    if (rows_.size() > 2 * subjects_.size() + kKeptRows) rows_.resize(2 * subjects_.size() + kKeptRows);
    subjects_.clear();
}

template class RowSums<L4Row>;
template class RowSums<L7Row>;
template class RowSums<DnsRow>;
template class RowSums<SlowRow>;

}  // namespace weir::store
