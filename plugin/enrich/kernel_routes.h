// What the kernel says of the way to an address: the address that a socket bound to none sends from, and why
// a connect found no way at all. The kernel is asked for the route, in the owner's network namespace.
//
// It is asked for the address alone: what a socket is bound to, its mark and its user, which rules of routing
// may look at, are not known here.
//
// Bounded; routes change, so an answer is asked for again. Owned by the flow table's thread, which enters
// other namespaces for a moment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "bpf/events.h"
#include "plugin/enrich/namespaces.h"
#include "plugin/flow/address.h"
#include "plugin/flow/recent.h"

namespace weir::enrich {

class KernelRoutes {
public:
    // Where a namespace is when its owner has gone.
    using Where = std::function<std::optional<FoundNamespace>()>;

    // For a connection without a local address. Nothing when its namespace cannot be entered, by way of its
    // owner or `where` (needs CAP_SYS_ADMIN), or there is no route.
    std::optional<Address> source(const weir_conn_id& id, std::uint64_t time, const Where& where);

    // The error of a connect to the remote address, 0 when there is a route or its namespace cannot be
    // entered.
    std::uint32_t error(const weir_conn_id& id, std::uint64_t time, const Where& where);

private:
    struct Key {
        std::uint32_t netns = 0;
        std::uint32_t reserved = 0;
        Address remote;
    };
    struct Answer {
        Address source;  // zeros: not known
        std::uint32_t error = 0;
        std::uint64_t asked = 0;  // 0: never
    };

    static Answer ask(const Address& remote);
    const Answer& find(const weir_conn_id& id, std::uint64_t time, std::uint64_t good_for,
                       const Where& where);

    Recent<Key, Answer> answers_{4096};
};

}  // namespace weir::enrich
