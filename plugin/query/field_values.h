// Evaluates filters and dimensions over rows of a batch: for engines that look at rows, and as the
// plain meaning that faster engines are tested against.
#pragma once

#include "plugin/query/query.h"

namespace weir::query {

bool matches(const Filter& filter, const Batch& batch, const L4Row& row);
bool matches(const Filter& filter, const Batch& batch, const L7Row& row);
bool matches(const Filter& filter, const Batch& batch, const DnsRow& row);
// As the request that it is.
bool matches(const Filter& filter, const Batch& batch, const SlowRow& row);

KeyPart key_part(const Dimension& dimension, const Batch& batch, const L4Row& row);
KeyPart key_part(const Dimension& dimension, const Batch& batch, const L7Row& row);
KeyPart key_part(const Dimension& dimension, const Batch& batch, const DnsRow& row);

// Where each flow is counted once, a flow between two ends of this host is counted from the client's side:
// the server's row is left out. But only when the client's row is asked for, too: a filter may select the
// server's side alone (its process, its direction), and then that is what the answer is made of.
inline bool is_servers_row_of_pair(const Flow& flow) {
    return flow.peer_is_local && flow.direction == Direction::incoming;
}
inline bool is_clients_row_of_pair(const Flow& flow) {
    return flow.peer_is_local && flow.direction == Direction::outgoing;
}

// How a number compares in an expression; never so for Comparison::matches.
bool compares(double value, Comparison comparison, double bound);

// A slow request as a row of its layer: one request, with its latency.
L7Row request_of(const SlowRow& row);

// Whether a filter may select one row of such a pair and not the other.
bool tells_sides_apart(const Filter& filter);

// What both rows of a pair have in common. The client's port is not among it: it may be folded on one side.
struct FlowPair {
    Address client;
    Address server;
    std::uint16_t server_port = 0;
    Transport transport = Transport::tcp;

    auto operator<=>(const FlowPair&) const = default;
};
inline FlowPair pair_of(const Flow& flow) {
    return {flow.client(), flow.server(), flow.server_port(), flow.transport};
}

}  // namespace weir::query
