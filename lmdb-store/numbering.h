// Numbers values in the order in which they come up, each distinct one once.
//
// An interval brings a hundred thousand of them, nearly all known: so it is asked for many at once, and the
// table's slots and the values are on their way from memory when their turn comes. The table is open, with
// linear probing, at most half full; a slot holds half of the hash, so a value is looked at only when it is
// the one, as a rule. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lmdb-store/prefetch.h"

namespace weir::store {

// `Hash` takes keys and values alike and must be good in all of its 64 bits; `Equal` compares a key with a
// value.
template <typename Value, typename Key, typename Hash, typename Equal>
class Numbering {
public:
    Numbering() : slots_(64) {}

    // The key's number; a new one is the count of those before.
    std::uint32_t number(const Key& key) { return number(key, Hash()(key)); }

    // The numbers of many, in their order: `out` has room for one each.
    void number(std::span<const Key> keys, std::uint32_t* out) {
        hashes_.resize(keys.size());
        for (std::size_t i = 0; i < keys.size(); i++) hashes_[i] = Hash()(keys[i]);
        for (std::size_t i = 0; i < keys.size(); i++) {
            if (i + 2 * kAhead < keys.size()) prefetch(&slots_[place_of(hashes_[i + 2 * kAhead])]);
            if (i + kAhead < keys.size()) prefetch_value(hashes_[i + kAhead]);
            out[i] = number(keys[i], hashes_[i]);
        }
    }

    // The key's number if it has one.
    std::uint32_t find(const Key& key, std::uint32_t otherwise) const {
        const std::uint64_t hash = Hash()(key);
        const std::uint32_t end = slots_[find_slot(key, hash)].end;
        return end == 0 ? otherwise : end - 1;
    }

    const std::vector<Value>& values() const { return values_; }
    std::size_t size() const { return values_.size(); }

private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t end = 0;  // the number and 1; 0: free
    };

    static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
    std::size_t place_of(std::uint64_t hash) const { return hash & (slots_.size() - 1); }
    std::size_t next(std::size_t place) const { return (place + 1) & (slots_.size() - 1); }

    [[gnu::always_inline]] void prefetch_value(std::uint64_t hash) const {
        const Slot& slot = slots_[place_of(hash)];
        if (slot.end != 0) prefetch(&values_[slot.end - 1]);
    }

    // The key's, or the free one where it belongs.
    std::size_t find_slot(const Key& key, std::uint64_t hash) const {
        std::size_t place = place_of(hash);
        for (; slots_[place].end != 0; place = next(place)) {
            const Slot& slot = slots_[place];
            if (slot.tag == tag_of(hash) && Equal()(key, values_[slot.end - 1])) break;
        }
        return place;
    }

    std::uint32_t number(const Key& key, std::uint64_t hash) {
        const std::size_t place = find_slot(key, hash);
        if (slots_[place].end != 0) return slots_[place].end - 1;
        values_.emplace_back(key);
        const auto end = static_cast<std::uint32_t>(values_.size());
        slots_[place] = {tag_of(hash), end};
        if (2 * values_.size() > slots_.size()) grow();
        return end - 1;
    }

    void grow() {
        slots_.assign(2 * slots_.size(), Slot());
        for (std::uint32_t i = 0; i < values_.size(); i++) {
            const std::uint64_t hash = Hash()(values_[i]);
            std::size_t place = place_of(hash);
            while (slots_[place].end != 0) place = next(place);
            slots_[place] = {tag_of(hash), i + 1};
        }
    }

    std::vector<Value> values_;
    std::vector<Slot> slots_;  // a power of two of them
    std::vector<std::uint64_t> hashes_;
};

}  // namespace weir::store
