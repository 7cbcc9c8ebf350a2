#include "lmdb-store/record_scan.h"

#include <algorithm>
#include <tuple>

namespace weir::store {
namespace {

// A page is held in memory; whoever wants more takes more pages.
constexpr std::size_t kMaxPage = 100'000;

}  // namespace

RecordScan::RecordScan(const query::RecordQuery& query, const std::optional<PageCursor>& after)
    : query_(query),
      limit_(std::min(query.limit, kMaxPage)),
      after_(after),
      part_(query.slow ? Part::slow : part_of(query.layer)),
      predicate_(query.filter, query.layer, false) {}

// Whether all rows of the entry come before those of this page: they were on earlier pages, or are newer
// than the first one.
bool RecordScan::is_before_page(const Entry& entry) const {
    if (!after_) return false;
    Entry last;
    last.table = after_->table;
    last.key.sequence = after_->sequence;
    last.header.end_ns = after_->time_ns;
    return is_newer(entry, last);
}

bool RecordScan::wants(const Entry& entry) const {
    if (entry.header.size(part_).rows == 0) return false;
    if (query_.histogram_step_ns > 0) return true;
    return limit_ > 0 && !has_more_ && !is_before_page(entry);
}

void RecordScan::begin_entry(const Entry& entry) {
    entry_ = &entry;
    block_begin_ = 0;
    counts_only_ = limit_ == 0 || has_more_ || is_before_page(entry);
    const bool is_last = after_ && after_->table == entry.table && after_->time_ns == entry.header.end_ns &&
                         after_->sequence == entry.key.sequence;
    skip_ = is_last ? after_->row + 1 : 0;
    // The rows of a page have one host and one service; where these change, another page begins.
    if (counts_only_ || page_.order.empty()) return;
    if (page_.rows.host != entry.header.host || page_.rows.service != entry.header.service) {
        has_more_ = counts_only_ = true;
    }
}

void RecordScan::begin_segment(Frame& frame) {
    frame_ = &frame;
    frame.load(predicate_.needs());
    predicate_.begin(frame, false, subjects_);
}

// Which rows of a block the filter takes. Returns how many rows could not be read.
Result<std::uint64_t> RecordScan::select(RowBlock& block) {
    if (predicate_.looks_at_rows()) {
        if (auto ok = predicate_.apply(block, mask_); !ok) return tl::unexpected(ok.error());
    } else {
        mask_.assign(block.rows(), 1);
    }
    std::uint64_t lost = 0;
    for (std::size_t row = 0; row < mask_.size(); row++) {
        const std::uint32_t subject = block.subjects()[row];
        const bool is_lost = subject >= subjects_.size() || frame_->is_lost(subject);
        lost += is_lost ? 1 : 0;
        mask_[row] &= is_lost ? std::uint8_t{0} : subjects_[subject];
    }
    return lost;
}

Result<std::uint64_t> RecordScan::add(RowBlock& block) {
    const std::uint64_t first = block_begin_;
    block_begin_ += block.rows();
    if (counts_only_ && query_.histogram_step_ns <= 0) return 0;
    const auto lost = select(block);
    if (!lost) return lost;
    const auto matches = static_cast<std::uint64_t>(std::count(mask_.begin(), mask_.end(), 1));
    if (matches == 0) return lost;
    if (!counts_only_ && first + block.rows() > skip_) {
        if (auto ok = block.load_whole(); !ok) return tl::unexpected(ok.error());
        take_rows(block, first);
    }
    if (query_.histogram_step_ns > 0) {
        bars_[floor_to(entry_->header.end_ns - 1, query_.histogram_step_ns)] += matches;
    }
    return lost;
}

void RecordScan::take_rows(const RowBlock& block, std::uint64_t first_row) {
    for (std::size_t row = 0; row < mask_.size(); row++) {
        const std::uint64_t row_of_entry = first_row + row;
        if (mask_[row] == 0 || row_of_entry < skip_ || block.is_lost(row)) continue;
        if (page_is_full()) {
            has_more_ = counts_only_ = true;
            return;
        }
        note_entry();
        with_row_type(part_, [&]<typename Row>() { take<Row>(block.whole(), row); });
        last_.row = row_of_entry;
    }
}

void RecordScan::note_entry() {
    if (page_.order.empty()) {
        page_.rows.host = entry_->header.host;
        page_.rows.service = entry_->header.service;
        page_.rows.end_ns = entry_->header.end_ns;
        page_.rows.begin_ns = entry_->header.begin_ns;
    }
    page_.rows.begin_ns = std::min(page_.rows.begin_ns, entry_->header.begin_ns);
    last_.table = entry_->table;
    last_.time_ns = entry_->header.end_ns;
    last_.sequence = entry_->key.sequence;
    page_.order.push_back({entry_->header.end_ns, static_cast<std::uint32_t>(page_.order.size())});
}

template <typename Row>
void RecordScan::take(const Batch& from, std::size_t row) {
    const auto text = [&](StringId& id) { id = builder_.intern(from.strings[id]); };
    Row& into = RowColumns<Row>::rows(taken_).emplace_back(RowColumns<Row>::rows(from)[row]);
    Flow flow = from.flows[into.flow];
    for (const auto member : {&Flow::process, &Flow::peer_process, &Flow::container, &Flow::domain})
        text(flow.*member);
    into.flow = builder_.flow(flow);
    if constexpr (requires { into.path; }) {
        text(into.method);
        text(into.path);
        text(into.route);
    }
}

query::RecordPage RecordScan::finish(const Plan& plan) {
    const auto built = builder_.take();
    page_.rows.strings = std::move(built->strings);
    page_.rows.flows = std::move(built->flows);
    page_.rows.l4 = std::move(taken_.l4);
    page_.rows.l7 = std::move(taken_.l7);
    page_.rows.dns = std::move(taken_.dns);
    page_.rows.slow = std::move(taken_.slow);
    page_.resolution = plan.choice.resolution;
    for (const auto& [time, count] : bars_) page_.histogram.push_back({time, count});
    if (has_more_) {
        last_.part = part_;
        last_.store_id = plan.store_id;
        last_.choice = plan.choice;
        page_.next_cursor = encode_cursor(last_);
    }
    return std::move(page_);
}

}  // namespace weir::store
