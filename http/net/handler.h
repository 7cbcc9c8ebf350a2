// What answers requests; the sockets know nothing else of it.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/net/message.h"

namespace weir::http {

// Called from several threads at once. Must not throw.
class Handler {
public:
    virtual ~Handler() = default;

    virtual Response handle(const Request& request) = 0;
    // The answer to what is no good request; the connection is closed afterwards.
    virtual Response refuse(int status, std::string_view why) = 0;
    // Bytes of body that a request may have.
    virtual std::size_t body_limit(const Request& request) const = 0;
    // Whether it is answered without asking the store, and so must not wait behind those that do.
    virtual bool is_quick(const Request& request) const = 0;
};

}  // namespace weir::http
