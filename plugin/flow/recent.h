// A bounded map that forgets: entries that were not set or taken again for one to two generations go.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <utility>

#include "plugin/base/bytes_hash.h"

namespace weir {

template <typename Key, typename Value>
class Recent {
public:
    explicit Recent(std::size_t max = 16384) : max_(max) {}

    void set(const Key& key, const Value& value) {
        make_room();
        young_.insert_or_assign(key, value);
    }
    const Value* find(const Key& key) const {
        if (const auto at = young_.find(key); at != young_.end()) return &at->second;
        const auto at = old_.find(key);
        return at != old_.end() ? &at->second : nullptr;
    }
    // The entry, made when missing. Valid until the next call.
    Value& take(const Key& key) {
        if (const auto at = young_.find(key); at != young_.end()) return at.value();
        make_room();
        Value value;
        if (const auto at = old_.find(key); at != old_.end()) value = std::move(at.value());
        return young_.insert_or_assign(key, std::move(value)).first.value();
    }
    template <typename F>
    void each(F f) {
        for (Map* map : {&young_, &old_}) {
            for (auto at = map->begin(); at != map->end(); ++at) f(at.value());
        }
    }

private:
    using Map = tsl::robin_map<Key, Value, BytesHash<Key>, BytesEqual<Key>>;

    void make_room() {
        if (young_.size() < max_) return;
        old_ = std::move(young_);
        young_.clear();
    }

    std::size_t max_;
    Map young_, old_;
};

}  // namespace weir
