// Which domain an address was resolved from, as programs of this host have asked: an address may stand for
// many names, and the last one that was asked for in a network namespace is the best guess there is for the
// next connection.
//
// A name outlives its TTL a little, because programs keep using what they resolved, and as long as it is
// asked for, because a connection outlives the record that it was opened with. Bounded: when the table is
// full, what was neither learned nor asked for for the longest goes.
//
// Owned by one thread.
#pragma once

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/base/bytes_hash.h"
#include "plugin/flow/address.h"

namespace weir::enrich {

class Domains {
public:
    static constexpr std::uint64_t kShortestNs = 300'000'000'000;    // 5 minutes
    static constexpr std::uint64_t kLongestNs = 86'400'000'000'000;  // a day

    // At most this many addresses are known at once; 0: none.
    explicit Domains(std::size_t capacity) : generation_size_(capacity / 2) {}

    void learn(std::uint32_t netns, const Address& address, std::string_view name, std::uint32_t ttl_s,
               std::uint64_t time);
    // Empty when it is not known. Valid until the next call.
    std::string_view find(std::uint32_t netns, const Address& address, std::uint64_t time);

    std::size_t size() const { return young_.size() + old_.size(); }
    bool empty() const { return size() == 0; }

private:
    struct Key {
        Address address;
        std::uint32_t netns = 0;
    };
    struct Entry {
        std::string name;
        std::uint64_t until = 0;
    };
    using Map = tsl::robin_map<Key, Entry, BytesHash<Key>, BytesEqual<Key>>;

    void put(const Key& key, Entry entry);

    const std::size_t generation_size_;
    Map young_, old_;
};

}  // namespace weir::enrich
