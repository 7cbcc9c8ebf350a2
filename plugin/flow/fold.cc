#include "plugin/flow/fold.h"

#include <algorithm>
#include <map>
#include <vector>

#include "plugin/base/bytes_hash.h"
#include "plugin/flow/route_table.h"

namespace weir {
namespace {

// The indexes of all but the `keep` largest of what has these weights; of equals, the first are kept.
std::vector<std::uint32_t> all_but_largest(const std::vector<std::uint64_t>& weights,
                                           std::vector<std::uint32_t> candidates, std::size_t keep) {
    if (candidates.size() <= keep) return {};
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(keep);
    std::nth_element(candidates.begin(), first, candidates.end(), [&](std::uint32_t a, std::uint32_t b) {
        return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
    });
    candidates.erase(candidates.begin(), first);
    return candidates;
}

class Folding {
public:
    Folding(Batch& batch, std::size_t max_rows)
        : batch_(batch), max_rows_(max_rows), other_(batch.strings.append(kOther)) {}

    std::uint64_t fold_requests() {
        std::vector<std::uint64_t> weights;
        std::vector<std::uint32_t> candidates;
        for (const L7Row& row : batch_.l7) {
            if (!is_other(row)) candidates.push_back(static_cast<std::uint32_t>(weights.size()));
            weights.push_back(row.count);
        }
        std::uint64_t folded = 0;
        for (const std::uint32_t i : all_but_largest(weights, std::move(candidates), max_rows_)) {
            L7Row& row = batch_.l7[i];
            folded += row.count;
            row.flow = index_of_other(batch_.flows[row.flow]);
            fold(row);
        }
        return folded;
    }

    std::uint64_t fold_flows() {
        std::vector<std::uint32_t> candidates;
        for (std::uint32_t i = 0; i < batch_.flows.size(); i++) {
            if (!is_other_flow(batch_, batch_.flows[i])) candidates.push_back(i);
        }
        const auto small = all_but_largest(flow_weights(), std::move(candidates), max_rows_);
        std::vector<bool> is_small(batch_.flows.size());
        for (const std::uint32_t i : small) {
            is_small[i] = true;
            batch_.flows[i] = other_flow(batch_.flows[i], other_);
        }
        for (L7Row& row : batch_.l7) {
            if (is_small[row.flow]) fold(row);
        }
        return small.size();
    }

private:
    // a path from traffic, which has a method, may look like it
    bool is_other(const L7Row& row) const { return row.method == 0 && batch_.strings[row.path] == kOther; }

    void fold(L7Row& row) const {
        row.method = 0;
        row.path = row.route = other_;
        row.status = static_cast<std::uint16_t>(row.status / 100 * 100);
        row.version = HttpVersion::unknown;
        row.truncated = false;
        row.grpc_status = L7Row::kNoGrpcStatus;
    }

    std::uint32_t index_of_other(const Flow& like) {
        const Flow other = other_flow(like, other_);
        const int kind = static_cast<int>(other.direction) * 1000 + static_cast<int>(other.transport) * 2 +
                         (other.peer_is_local ? 1 : 0);
        const auto [at, is_new] = others_.try_emplace(kind, static_cast<std::uint32_t>(batch_.flows.size()));
        if (is_new) batch_.flows.push_back(other);
        return at->second;
    }

    // What a flow moved; where that is nothing, what happened on it.
    std::vector<std::uint64_t> flow_weights() const {
        std::vector<std::uint64_t> out(batch_.flows.size());
        for (const L4Row& row : batch_.l4) {
            out[row.flow] += row.bytes_written + row.bytes_read + row.retransmits + row.tcp_established +
                             row.tcp_closed + row.connect_failed;
        }
        for (const L7Row& row : batch_.l7) out[row.flow] += row.bytes_written + row.bytes_read + row.count;
        for (const DnsRow& row : batch_.dns) out[row.flow] += row.count;
        // the slowest requests are worth their flow
        for (const SlowRow& row : batch_.slow) out[row.flow] += std::uint64_t{1} << 40;
        return out;
    }

    Batch& batch_;
    const std::size_t max_rows_;
    const StringId other_;
    std::map<int, std::uint32_t> others_;
};

}  // namespace

Flow other_flow(const Flow& like, StringId process) {
    Flow other;
    other.transport = like.transport;
    other.direction = like.direction;
    other.peer_is_local = like.peer_is_local && !like.is_client();
    other.local = other.remote = other.peer_is_local ? Address::v4(127, 0, 0, 1) : Address::v4(0, 0, 0, 0);
    other.process = process;
    return other;
}

// A program may have that name, too.
bool is_other_flow(const Batch& batch, const Flow& flow) {
    return batch.strings[flow.process] == kOther && BytesEqual<Flow>()(flow, other_flow(flow, flow.process));
}

Folded fold_smallest(Batch& batch, std::size_t max_rows) {
    Folding folding(batch, max_rows);
    Folded out;
    out.requests = folding.fold_requests();
    out.flows = folding.fold_flows();
    return out;
}

}  // namespace weir
