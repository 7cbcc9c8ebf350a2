// Who an address, a connection or a cgroup is: what plugin/enrich/ answers, as the flow table asks.
//
// All calls are made by the thread that owns the flow table. Answers that are views are valid until the next
// call. Times are boot time, ns.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bpf/events.h"
#include "plugin/flow/address.h"

namespace weir {

struct Translation {
    Address address;
    std::uint16_t port = 0;

    bool operator==(const Translation&) const = default;
};

class Identity {
public:
    virtual ~Identity() = default;

    // A program in this network namespace has learned that `name` has this address.
    virtual void learn_domain(std::uint32_t netns, const Address& address, std::string_view name,
                              std::uint32_t ttl_s, std::uint64_t time) = 0;
    // Empty when it is not known.
    virtual std::string_view domain(std::uint32_t netns, const Address& address, std::uint64_t time) = 0;

    // Where the kernel sends what goes to the remote address of an outgoing connection, when that is
    // elsewhere.
    virtual std::optional<Translation> translation(const weir_conn_id& id, std::uint64_t time) = 0;

    // The address that a connection sends from whose socket is bound to none.
    virtual std::optional<Address> source(const weir_conn_id& id, std::uint64_t time) = 0;

    // The errno of a connect that found no way to its remote address; 0 when there is one, or it is not
    // known.
    virtual std::uint32_t route_error(const weir_conn_id& id, std::uint64_t time) = 0;

    // The client's own address, for an incoming connection whose client's address was translated on this
    // host.
    virtual std::optional<Address> client_behind(const weir_conn_id& id) = 0;

    // The container that the owner of a connection runs in; empty when it is none, or unknown.
    virtual std::string_view container(std::uint64_t cgroup, std::uint32_t pid, std::uint64_t time) = 0;
};

}  // namespace weir
