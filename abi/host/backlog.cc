#include "abi/host/backlog.h"

#include <algorithm>
#include <iterator>

namespace weir::host {
namespace {

// Batches are numbered with room between them for the parts of one.
constexpr std::uint64_t kStep = 1U << 20U;

}  // namespace

Backlog::Backlog(Spool spool, std::uint64_t most_bytes) : spool_(std::move(spool)), spool_limit_(most_bytes) {
    for (const Spool::Entry& about : spool_->entries()) {
        entries_.push_back({std::nullopt, about});
        points_ += about.points;
        spool_bytes_ += about.size;
        next_number_ = about.number + kStep;
    }
}

bool Backlog::has_room(std::size_t bytes) const {
    // A batch that is larger than the bound still has to get through, alone.
    if (entries_.empty()) return true;
    return entries_.size() < kMostBatches && memory_bytes_ + bytes <= kMostBytes;
}

bool Backlog::has_room_behind(std::size_t bytes) const {
    const std::uint64_t all = memory_bytes_ + spool_bytes_ + bytes;
    return entries_.empty() || all <= (spool_ ? spool_limit_ : kMostBytesBehind);
}

void Backlog::push(const Batch& batch) {
    entries_.push_back(make_entry(batch, next_number_));
    next_number_ += kStep;
}

bool Backlog::should_spill(std::uint64_t bytes) const {
    return spool_ && (in_trouble_ || memory_bytes_ + bytes > kMostBytes);
}

// Counts it as well.
Backlog::Entry Backlog::make_entry(const Batch& batch, std::uint64_t number) {
    Entry entry{batch, {number, batch.points, batch.bytes.size()}};
    points_ += entry.about.points;
    const bool to_spool = should_spill(entry.about.size);
    memory_bytes_ += entry.about.size;
    if (to_spool) spill(entry);
    return entry;
}

bool Backlog::spill(Entry& entry) {
    if (!entry.batch) return true;
    if (!spool_ || spool_bytes_ + entry.about.size > spool_limit_) return false;
    if (!spool_->write(entry.about, entry.batch->bytes)) return false;
    entry.batch.reset();
    memory_bytes_ -= entry.about.size;
    spool_bytes_ += entry.about.size;
    return true;
}

std::optional<Batch> Backlog::first(std::uint64_t* lost) {
    for (; !entries_.empty(); remove_first()) {
        const Entry& entry = entries_.front();
        if (entry.batch) return entry.batch;
        std::string bytes = spool_->read(entry.about);
        if (!bytes.empty()) return Batch::of(std::move(bytes), entry.about.points);
        *lost += entry.about.points;
    }
    return std::nullopt;
}

void Backlog::remove_first() {
    forget(entries_.front());
    entries_.pop_front();
}

// Takes its counts back, and its file away.
void Backlog::forget(Entry& entry) {
    points_ -= entry.about.points;
    if (entry.batch) {
        memory_bytes_ -= entry.about.size;
        return;
    }
    spool_->remove(entry.about);
    spool_bytes_ -= entry.about.size;
}

void Backlog::replace_first(const std::vector<Batch>& parts) {
    Entry whole = std::move(entries_.front());
    entries_.pop_front();
    const std::uint64_t next = entries_.empty() ? next_number_ : entries_.front().about.number;
    const std::uint64_t gap = (next - whole.about.number) / std::max<std::size_t>(parts.size(), 1);
    std::vector<Entry> made;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        // The first part has a size of its own, and so a file of its own beside the whole one's.
        made.push_back(make_entry(parts[i], whole.about.number + i * gap));
    }
    entries_.insert(entries_.begin(), std::make_move_iterator(made.begin()),
                    std::make_move_iterator(made.end()));
    forget(whole);
}

void Backlog::set_in_trouble(bool in_trouble) {
    in_trouble_ = in_trouble;
    if (in_trouble && spool_) keep();
}

std::uint64_t Backlog::keep() {
    std::uint64_t left = 0;
    for (Entry& entry : entries_) {
        if (!spill(entry)) left += entry.about.points;
    }
    return left;
}

void Backlog::clear() {
    while (!entries_.empty()) remove_first();
}

}  // namespace weir::host
