// The kernel's connection tracking of one network namespace, over netlink: its listing and its events, of
// connections whose destination was translated. The kernel is asked to leave out the others where it can.
//
// Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "plugin/base/status.h"
#include "plugin/enrich/nat_table.h"

struct mnl_socket;
struct nlmsghdr;

namespace weir::enrich {

class Conntrack {
public:
    using OnEvents = std::function<void(std::span<const NatEvent>)>;

    // Follows the namespace that the calling thread is in; whichever it is in later. Errors: no_privilege,
    // unsupported (the kernel has no connection tracking, or does not tell).
    static Result<Conntrack> open();

    Conntrack(Conntrack&&) noexcept = default;
    Conntrack& operator=(Conntrack&&) noexcept = default;

    // Readable when there are events.
    int fd() const;

    enum class Read { all, overflow, broken };
    // Hands over the events that are there. overflow: some were lost, a listing tells what is now.
    Read read(const OnEvents& on_events);

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };
    explicit Conntrack(std::unique_ptr<mnl_socket, Closer> socket) : socket_(std::move(socket)) {}

    std::unique_ptr<mnl_socket, Closer> socket_;
};

// Hands over all translated connections of the namespace that the calling thread is in.
Status list_translated(const Conntrack::OnEvents& on_events);

}  // namespace weir::enrich
