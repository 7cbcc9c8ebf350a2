#include "lmdb-store/rollup.h"

#include <algorithm>
#include <limits>

#include "lmdb-store/prefetch.h"

namespace weir::store {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Bounds the memory of the minute in work, to some ten MiB; a larger minute is written in parts.
constexpr std::size_t kMaxRows = 128 * 1024;
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
    l4_.add(batch.l4, subjects.l4);
    l7_.add(batch.l7, subjects.l7);
    dns_.add(batch.dns, subjects.dns);
    slow_.add(batch.slow, subjects.slow);
}

bool Rollup::encode(std::size_t rows) {
    if (!encoding_)
        encoding_ = {{l4_.encoder(), {}}, {l7_.encoder(), {}}, {dns_.encoder(), {}}, {slow_.encoder(), {}}};
    const auto go_on = [&](auto& part) {
        while (rows != 0 && part.encoder.left() != 0) {
            const std::size_t before = part.encoder.left();
            part.blocks.push_back(part.encoder.next());
            rows -= std::min(rows, before - part.encoder.left());
        }
        return part.encoder.left() == 0;
    };
    return go_on(encoding_->l4) && go_on(encoding_->l7) && go_on(encoding_->dns) && go_on(encoding_->slow);
}

NewEntry Rollup::take() {
    NewEntry out;
    out.header = std::exchange(header_, EntryHeader());
    out.set(Part::l4, l4_.size(), std::move(encoding_->l4.blocks));
    out.set(Part::l7, l7_.size(), std::move(encoding_->l7.blocks));
    out.set(Part::dns, dns_.size(), std::move(encoding_->dns.blocks));
    out.set(Part::slow, slow_.size(), std::move(encoding_->slow.blocks));
    encoding_.reset();
    l4_.clear();
    l7_.clear();
    dns_.clear();
    slow_.clear();
    return out;
}

}  // namespace weir::store
