// The address that a socket bound to none sends from: the kernel chooses it by the route to each peer, so it is
// asked for the route, in the owner's network namespace.
//
// Bounded; an answer is asked for again after a minute, since routes change. Owned by the flow table's thread,
// which enters other namespaces for a moment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "bpf/events.h"
#include "plugin/enrich/namespaces.h"
#include "plugin/flow/address.h"
#include "plugin/flow/recent.h"

namespace weir::enrich {

class SourceAddresses {
public:
    // For a connection without a local address. Its namespace is entered by way of its owner or, when that has
    // gone, of `where`. Nothing when neither is there, there is no route, or other namespaces may not be entered
    // (needs CAP_SYS_ADMIN).
    std::optional<Address> find(const weir_conn_id& id, std::uint64_t time,
                                const std::function<std::optional<FoundNamespace>()>& where);

private:
    struct Key {
        std::uint32_t netns = 0;
        std::uint32_t reserved = 0;
        Address remote;
    };
    struct Answer {
        Address source;  // zeros: not known
        std::uint64_t until = 0;
    };

    Recent<Key, Answer> answers_{4096};
};

}  // namespace weir::enrich
