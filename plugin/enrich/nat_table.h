// The translated connections that the host's connection tracking knows, by the addresses that the client's
// socket sees.
//
// A connection is translated in whatever network namespace its packets come through: a pod's connection to a
// service in that of the host. So an entry is looked for in the connection's own namespace first, then in the
// others; when those disagree, as in networks that use the same addresses twice, there is no answer.
//
// A UDP socket that is bound to no address does not know its own: its key has zeros there, and stands for the
// last connection from that port. It takes an entry of its own.
//
// Connections are reported after they ended, so an entry outlives its connection by kGraceNs. Bounded: what
// finds no room is refused. Thread-safe.
#pragma once

#include <tsl/robin_map.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "plugin/base/bytes_hash.h"
#include "plugin/flow/identity.h"

namespace weir::enrich {

// A connection as its client's socket sees it. Ports in host byte order.
struct NatKey {
    Address client;
    Address server;
    std::uint16_t client_port = 0;
    std::uint16_t server_port = 0;
    std::uint32_t transport = 0;  // IPPROTO_*
};

// What connection tracking says of one connection.
struct NatEvent {
    NatKey original;
    NatKey translated;  // as the server's socket sees it
    bool is_over = false;
};

class NatTable {
public:
    static constexpr std::uint64_t kGraceNs = 120'000'000'000;

    explicit NatTable(std::size_t capacity) : capacity_(capacity) {}

    // Of one namespace, in order; times are boot time, ns. Answers how many found no room.
    std::size_t apply(std::uint32_t netns, std::span<const NatEvent> events, std::uint64_t time);

    // A whole listing of a namespace goes between these two: what it does not name is over.
    void begin_listing(std::uint32_t netns);
    void end_listing(std::uint32_t netns, std::uint64_t time);

    // Forgets what has been over for long enough.
    void expire(std::uint64_t time);

    struct Found {
        std::optional<Translation> translation;
        bool is_ambiguous = false;
    };
    Found find(std::uint32_t netns, const NatKey& key) const;

    // The client's own address behind a masqueraded one, for a connection as its server's socket sees it.
    std::optional<Address> client_behind(const NatKey& seen_by_server) const;

    std::size_t size() const { return count_; }

private:
    static constexpr std::uint64_t kAlive = UINT64_MAX;

    struct Entry {
        std::uint32_t netns = 0;
        bool is_masked = false;  // stands in masked_
        bool is_listed = true;
        NatKey translated;
        std::uint64_t until = kAlive;  // boot time
    };
    template <typename Value>
    using Map = tsl::robin_map<NatKey, Value, BytesHash<NatKey>, BytesEqual<NatKey>>;

    Entry* find_entry(std::uint32_t netns, const NatKey& original);
    bool take(std::uint32_t netns, const NatEvent& event, const NatKey& key, std::uint64_t time);
    bool put(std::uint32_t netns, const NatEvent& event, const NatKey& key, std::uint64_t time);
    void forget_over(std::uint64_t time);

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    Map<std::vector<Entry>> entries_;
    Map<Address> masked_;  // what the server sees, to the client's address
    std::atomic<std::size_t> count_ = 0;  // written under the lock; without entries nobody needs it
    std::uint64_t forgot_at_ = 0;
};

}  // namespace weir::enrich
