#include "plugin/enrich/nat_table.h"

#include <netinet/in.h>

#include <algorithm>

namespace weir::enrich {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

bool is_masked(const NatEvent& event) {
    return event.original.client != event.translated.client ||
           event.original.client_port != event.translated.client_port;
}

}  // namespace

std::size_t NatTable::apply(std::uint32_t netns, std::span<const NatEvent> events, std::uint64_t time) {
    std::size_t refused = 0;
    const std::lock_guard lock(mutex_);
    for (const NatEvent& event : events) {
        const bool taken = take(netns, event, event.original, time);
        if (event.original.transport == IPPROTO_UDP) {
            NatKey unbound = event.original;
            unbound.client = {};
            take(netns, event, unbound, time);
        }
        refused += !taken;
    }
    return refused;
}

bool NatTable::take(std::uint32_t netns, const NatEvent& event, const NatKey& key, std::uint64_t time) {
    if (!event.is_over) return put(netns, event, key, time);
    Entry* entry = find_entry(netns, key);
    if (entry != nullptr && BytesEqual<NatKey>()(entry->translated, event.translated)) {
        entry->until = std::min(entry->until, time + kGraceNs);
    }
    return true;
}

NatTable::Entry* NatTable::find_entry(std::uint32_t netns, const NatKey& original) {
    const auto at = entries_.find(original);
    if (at == entries_.end()) return nullptr;
    for (Entry& entry : at.value()) {
        if (entry.netns == netns) return &entry;
    }
    return nullptr;
}

bool NatTable::put(std::uint32_t netns, const NatEvent& event, const NatKey& key, std::uint64_t time) {
    Entry* entry = find_entry(netns, key);
    if (entry == nullptr) {
        // once a second is enough: a table that is full of what lives is not walked for each that it refuses
        if (count_ >= capacity_ && time >= forgot_at_ + kSecondNs) forget_over(time);
        if (count_ >= capacity_) return false;
        entry = &entries_[key].emplace_back();
        count_++;
    } else if (entry->is_masked) {
        masked_.erase(entry->translated);
    }
    *entry = {netns, is_masked(event), true, event.translated, kAlive};
    if (entry->is_masked) masked_[event.translated] = event.original.client;
    return true;
}

void NatTable::begin_listing(std::uint32_t netns) {
    const std::lock_guard lock(mutex_);
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
        for (Entry& entry : at.value()) {
            if (entry.netns == netns) entry.is_listed = false;
        }
    }
}

void NatTable::end_listing(std::uint32_t netns, std::uint64_t time) {
    const std::lock_guard lock(mutex_);
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
        for (Entry& entry : at.value()) {
            if (entry.netns == netns && !entry.is_listed)
                entry.until = std::min(entry.until, time + kGraceNs);
        }
    }
}

void NatTable::expire(std::uint64_t time) {
    const std::lock_guard lock(mutex_);
    forget_over(time);
}

void NatTable::forget_over(std::uint64_t time) {
    forgot_at_ = time;
    for (auto at = entries_.begin(); at != entries_.end();) {
        std::vector<Entry>& same = at.value();
        count_ -= std::erase_if(same, [&](const Entry& entry) {
            if (entry.until > time) return false;
            if (entry.is_masked) masked_.erase(entry.translated);
            return true;
        });
        at = same.empty() ? entries_.erase(at) : std::next(at);
    }
}

NatTable::Found NatTable::find(std::uint32_t netns, const NatKey& key) const {
    const auto target = [](const Entry& entry) {
        return Translation{entry.translated.server, entry.translated.server_port};
    };
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    if (at == entries_.end()) return {};
    Found found;
    for (const Entry& entry : at->second) {
        if (entry.netns == netns) return {target(entry), false};
        if (found.translation && *found.translation != target(entry)) found.is_ambiguous = true;
        found.translation = target(entry);
    }
    if (found.is_ambiguous) found.translation.reset();
    return found;
}

std::optional<Address> NatTable::client_behind(const NatKey& seen_by_server) const {
    const std::lock_guard lock(mutex_);
    const auto at = masked_.find(seen_by_server);
    if (at == masked_.end()) return std::nullopt;
    return at->second;
}

}  // namespace weir::enrich
