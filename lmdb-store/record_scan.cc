#include "lmdb-store/record_scan.h"

#include <algorithm>
#include <tuple>

namespace weir::store {
namespace {

// A page is held in memory; whoever wants more takes more pages.
constexpr std::size_t kMaxPage = 100'000;

const Dependencies kWholeRows{0, true};

}  // namespace

RecordScan::RecordScan(const query::RecordQuery& query, const std::optional<PageCursor>& after)
    : query_(query),
      limit_(std::min(query.limit, kMaxPage)),
      after_(after),
      predicate_(query.filter, false) {}

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
    if (entry.header.rows(query_.layer) == 0) return false;
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

Status RecordScan::add(Frame& frame) {
    if (auto ok = frame.load(predicate_.needs()); !ok) return ok;
    const std::uint64_t first = block_begin_;
    block_begin_ += frame.rows();
    if (counts_only_ && query_.histogram_step_ns <= 0) return {};
    const std::size_t matches = predicate_.apply(frame, mask_);
    if (matches == 0) return {};
    if (!counts_only_ && first + frame.rows() > skip_) {
        if (auto ok = frame.load(kWholeRows); !ok) return ok;
        take_rows(frame.whole(), first);
    }
    if (query_.histogram_step_ns > 0) {
        bars_[floor_to(entry_->header.end_ns - 1, query_.histogram_step_ns)] += matches;
    }
    return {};
}

void RecordScan::take_rows(const Batch& from, std::uint64_t first_row) {
    for (std::size_t row = 0; row < mask_.size(); row++) {
        const std::uint64_t row_of_entry = first_row + row;
        if (mask_[row] == 0 || row_of_entry < skip_) continue;
        if (page_is_full()) {
            has_more_ = counts_only_ = true;
            return;
        }
        take(from, row);
        last_.row = row_of_entry;
    }
}

void RecordScan::take(const Batch& from, std::size_t row) {
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

    const auto text = [&](StringId id) { return builder_.intern(from.strings[id]); };
    const auto flow = [&](std::uint32_t index) {
        Flow copy = from.flows[index];
        copy.process = text(copy.process);
        copy.peer_process = text(copy.peer_process);
        return builder_.flow(copy);
    };
    page_.order.push_back({entry_->header.end_ns, static_cast<std::uint32_t>(page_.order.size())});
    if (query_.layer == query::Layer::l4) {
        L4Row& into = l4_.emplace_back(from.l4[row]);
        into.flow = flow(into.flow);
        return;
    }
    L7Row& into = l7_.emplace_back(from.l7[row]);
    into.flow = flow(into.flow);
    into.method = text(into.method);
    into.path = text(into.path);
    into.route = text(into.route);
}

query::RecordPage RecordScan::finish(const Plan& plan) {
    const auto built = builder_.take();
    page_.rows.strings = std::move(built->strings);
    page_.rows.flows = std::move(built->flows);
    page_.rows.l4 = std::move(l4_);
    page_.rows.l7 = std::move(l7_);
    page_.resolution = plan.choice.resolution;
    for (const auto& [time, count] : bars_) page_.histogram.push_back({time, count});
    if (has_more_) {
        last_.layer = query_.layer;
        last_.store_id = plan.store_id;
        last_.choice = plan.choice;
        page_.next_cursor = encode_cursor(last_);
    }
    return std::move(page_);
}

}  // namespace weir::store
