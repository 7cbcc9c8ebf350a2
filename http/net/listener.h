// The socket on which the endpoint listens.
#pragma once

#include <cstdint>

#include "http/net/unique_fd.h"
#include "plugin/base/listen_address.h"
#include "plugin/base/status.h"

namespace weir::http {

struct Listener {
    UniqueFd fd;             // does not block, closed on exec
    std::uint16_t port = 0;  // the one bound, also when any was asked for
};

// Errors: address_in_use; no_privilege; bad_config for an address that this machine does not have.
Result<Listener> listen_on(const ListenAddress& address);

}  // namespace weir::http
