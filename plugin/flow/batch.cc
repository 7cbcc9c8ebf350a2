#include "plugin/flow/batch.h"

namespace weir {

std::string_view to_string(Direction direction) {
    switch (direction) {
        case Direction::incoming: return "incoming";
        case Direction::outgoing: return "outgoing";
        case Direction::unknown: break;
    }
    return "unknown";
}

std::string_view to_string(Transport transport) { return transport == Transport::udp ? "udp" : "tcp"; }

std::string_view to_string(HttpVersion version) {
    switch (version) {
        case HttpVersion::http10: return "1.0";
        case HttpVersion::http11: return "1.1";
        case HttpVersion::http2: return "2";
        case HttpVersion::unknown: break;
    }
    return "unknown";
}

void add_reconciled(ReconciledCounts& into, const ReconciledCounts& from) {
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        if (!from[i]) continue;
        if (!into[i]) into[i].emplace();
        into[i]->kernel += from[i]->kernel;
        into[i]->seen += from[i]->seen;
    }
}

}  // namespace weir
