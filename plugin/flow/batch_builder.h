// Finds or makes the rows of a batch: strings once, flows once, one L4 row a flow, one L7 row for each
// method, path, status and version of a flow. Rows are found by hash; what is handed out is an index or
// a reference that is valid until the next call.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/flow/batch.h"

namespace weir {

struct L7Key {
    std::uint32_t flow = 0;
    StringId method = 0;
    StringId path = 0;
    std::uint16_t status = 0;
    HttpVersion version = HttpVersion::unknown;
    bool truncated = false;
    std::int16_t grpc_status = L7Row::kNoGrpcStatus;
    std::uint16_t reserved = 0;  // a key is hashed by its bytes
};

class BatchBuilder {
public:
    BatchBuilder();
    ~BatchBuilder();
    BatchBuilder(BatchBuilder&&) noexcept;
    BatchBuilder& operator=(BatchBuilder&&) noexcept;

    StringId intern(std::string_view text);
    std::string_view text(StringId id) const { return batch_->strings[id]; }

    // Index of the flow in Batch::flows; found by all of its members.
    std::uint32_t flow(const Flow& flow);
    bool has_flow(const Flow& flow) const;
    const Flow& flow_at(std::uint32_t index) const { return batch_->flows[index]; }
    // Until take() the flow is still found as it was.
    void set_peer_is_local(std::uint32_t index) { batch_->flows[index].peer_is_local = true; }
    std::size_t flow_count() const { return batch_->flows.size(); }

    L4Row& l4(std::uint32_t flow) {
        const std::uint32_t at = l4_of_[flow];
        return at != kNone ? batch_->l4[at] : new_l4(flow);
    }
    // A new row gets its route from `path`, or from the caller when he asks whether it is new.
    L7Row& l7(const L7Key& key);
    L7Row& l7(const L7Key& key, bool& is_new);
    DnsRow& dns(std::uint32_t flow, std::int16_t rcode);
    // A row of its own each time; how many are worth keeping is the caller's business.
    SlowRow& add_slow();
    // Flows or requests, whichever are more.
    std::size_t largest() const { return largest_; }

    // Adds all rows of a batch; its time extends this one's.
    void add(const Batch& from);

    // The batch; the builder is empty afterwards.
    std::unique_ptr<Batch> take();

private:
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    struct Index;

    L4Row& new_l4(std::uint32_t flow);

    std::unique_ptr<Batch> batch_;
    std::vector<std::uint32_t> l4_of_;  // by flow: index into Batch::l4, or kNone
    std::size_t largest_ = 0;
    std::unique_ptr<Index> index_;
};

}  // namespace weir
