#include "lmdb-store/rollup.h"

#include <algorithm>
#include <limits>

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Bounds the memory of the minute in work, to some ten MiB; a larger minute is written in parts.
constexpr std::size_t kMaxRows = 128 * 1024;
// Rows that stay in memory from minute to minute, at least.
constexpr std::size_t kKeptRows = 1024;

}  // namespace

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

bool Rollup::takes(const EntryHeader& header) const {
    if (empty()) return true;
    return !begins_minute(header.end_ns) && header_.segment == header.segment && rows() < kMaxRows;
}

void Rollup::add(const Batch& batch, const RowSubjects& subjects, const EntryHeader& header) {
    if (empty()) {
        header_ = EntryHeader();
        header_.begin_ns = header.begin_ns;
        header_.end_ns = minute_end(header.end_ns);
        header_.host = header.host;
        header_.service = header.service;
        header_.segment = header.segment;
        header_.first_sequence = header.first_sequence;
    }
    header_.begin_ns = std::min(header_.begin_ns, header.begin_ns);
    header_.last_sequence = header.last_sequence;
    for (std::size_t i = 0; i < kLossCount; i++) header_.losses[i] += header.losses[i];
    add_reconciled(header_.reconciled, header.reconciled);
    add_rows(batch, subjects);
}

void Rollup::add_rows(const Batch& batch, const RowSubjects& subjects) {
    for (std::size_t i = 0; i < batch.l4.size(); i++) l4_.add(subjects.l4[i], batch.l4[i]);
    for (std::size_t i = 0; i < batch.l7.size(); i++) l7_.add(subjects.l7[i], batch.l7[i]);
    for (std::size_t i = 0; i < batch.dns.size(); i++) dns_.add(subjects.dns[i], batch.dns[i]);
    for (std::size_t i = 0; i < batch.slow.size(); i++) slow_.add(subjects.slow[i], batch.slow[i]);
}

NewEntry Rollup::take() {
    NewEntry out;
    out.header = std::exchange(header_, EntryHeader());
    out.set(Part::l4, l4_.size(), l4_.encode());
    out.set(Part::l7, l7_.size(), l7_.encode());
    out.set(Part::dns, dns_.size(), dns_.encode());
    out.set(Part::slow, slow_.size(), slow_.encode());
    l4_.clear();
    l7_.clear();
    dns_.clear();
    slow_.clear();
    return out;
}

}  // namespace weir::store
