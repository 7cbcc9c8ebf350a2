// The sockets of the endpoint: one thread waits on all of them, a few others answer requests.
//
// Not httplib::Server, which would fail inside of a host's process: it waits with select(), so that
// every connection whose descriptor is 1024 or above is answered with 500; it gives each connection a
// thread, so that silent ones stop all others; it changes the disposition of SIGPIPE; it closes the
// listening socket under its accept(), which can hit a descriptor that the host opened meanwhile.
//
// Here a connection costs a thread only while its request is being answered. Their number is bounded:
// at the bound, the one that has been silent for longest goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "http/net/channel.h"
#include "http/net/connection.h"
#include "http/net/handler.h"
#include "http/net/listener.h"
#include "plugin/base/status.h"

namespace weir::http {

struct SocketLimits {
    std::size_t connections = 128;
    std::size_t workers = 4;
    std::size_t buffered_bytes = 64 << 20;  // of answers not taken yet, over all connections
    ConnectionLimits connection;
};

class SocketServer {
public:
    // Begins to answer at once, on threads named http-io and http-work-N. The handler must outlive it.
    // Errors: internal when the system has no thread or descriptor left.
    static Result<std::unique_ptr<SocketServer>> start(Listener listener,
                                                       std::unique_ptr<ChannelFactory> channels,
                                                       Handler& handler, const SocketLimits& limits);
    // Closes every connection, cancels the requests under way and waits for their handlers.
    ~SocketServer();

private:
    class Loop;
    explicit SocketServer(std::unique_ptr<Loop> loop);

    std::unique_ptr<Loop> loop_;
};

}  // namespace weir::http
