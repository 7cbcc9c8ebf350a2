// What waits for one target, in order.
//
// Without a spool it waits in memory. With one, everything goes to the disk from the moment on that the
// target is in trouble, and is there again in the next run. Not thread-safe: its lane guards it.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "abi/host/spool.h"
#include "abi/host/target.h"

namespace weir::host {

class Backlog {
public:
    // What evens out a slow write or a short pause of a server. A plugin can keep what it was refused, and
    // what is here in memory is lost when the host is killed, so this is small.
    static constexpr std::size_t kMostBatches = 64;
    static constexpr std::size_t kMostBytes = 8U << 20U;
    // What a target may fall behind another one without a spool.
    static constexpr std::size_t kMostBytesBehind = 64U << 20U;

    Backlog() = default;
    // Begins with what the spool holds from an earlier run. At most `most_bytes` will be in it.
    Backlog(Spool spool, std::uint64_t most_bytes);

    bool empty() const { return entries_.empty(); }
    bool has_spool() const { return spool_.has_value(); }
    std::uint64_t points() const { return points_; }

    // Whether it is within the small bound, or within the large one.
    bool has_room(std::size_t bytes) const;
    bool has_room_behind(std::size_t bytes) const;

    void push(const Batch& batch);
    // Nothing when empty. A batch whose file is gone is left out, and its points are added to *lost.
    std::optional<Batch> first(std::uint64_t* lost);
    void remove_first();
    // The first one is tried in parts from now on.
    void replace_first(const std::vector<Batch>& parts);

    // The target is in trouble, or well again.
    void set_in_trouble(bool in_trouble);
    // Brings what is in memory to the spool. Returns the points that stay in memory: those that do not fit,
    // or all when there is no spool.
    std::uint64_t keep();
    void clear();

private:
    struct Entry {
        std::optional<Batch> batch;  // nothing when it is in the spool
        Spool::Entry about;
    };
    bool spill(Entry& entry);
    bool should_spill(std::uint64_t bytes) const;
    Entry make_entry(const Batch& batch, std::uint64_t number);
    void forget(Entry& entry);

    std::optional<Spool> spool_;
    std::uint64_t spool_limit_ = 0;
    std::deque<Entry> entries_;
    std::uint64_t next_number_ = 0;
    std::uint64_t points_ = 0;
    std::uint64_t memory_bytes_ = 0;
    std::uint64_t spool_bytes_ = 0;
    bool in_trouble_ = false;
};

}  // namespace weir::host
