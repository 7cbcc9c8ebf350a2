// Weir's HTTP endpoint: the API over a query engine, Weir's own state, and the console.
//
// It lives in somebody else's process: it changes no signal disposition, its threads (http-io,
// http-work-N) block all signals, descriptors are closed on exec, and memory and time of a request are
// bounded. See net/socket_server.h for the sockets and api/router.h for the answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "http/assets.h"
#include "http/net/socket_server.h"
#include "http/status_provider.h"
#include "plugin/base/clock.h"
#include "plugin/base/log.h"
#include "plugin/base/status.h"
#include "plugin/query/query.h"

namespace weir::http {

class Router;

struct ServerOptions {
    std::string listen = "127.0.0.1:9531";  // address:port, port 0 for any
    std::string token;                      // empty: none is asked for, on loopback only
    std::string tls_cert;                   // PEM files, both or none
    std::string tls_key;
    std::chrono::nanoseconds query_time = std::chrono::seconds(10);  // for one request
    SocketLimits sockets;
};

class Server {
public:
    // `engine` is null when the store is disabled: data endpoints answer 503 then. All that is referred to
    // must outlive the server.
    Server(ServerOptions options, const query::QueryEngine* engine, const StatusProvider& status,
           std::span<const Asset> assets, const Clock& clock, Logger log);
    ~Server();

    // Not thread-safe: start() and stop() belong to one control thread. A stopped server starts again.
    // Errors: bad_config (address, token, TLS files), address_in_use, no_privilege, bad_state when it runs,
    // internal.
    Status start();
    // Within a second, whatever is connected; after it no thread of the server is left.
    void stop();

    std::uint16_t port() const { return port_; }  // the one bound, 0 before start()
    std::string url() const;                      // of the console, for people

private:
    const ServerOptions options_;
    const query::QueryEngine* const engine_;
    const StatusProvider& status_;
    const std::span<const Asset> assets_;
    const Clock& clock_;
    const Logger log_;

    std::uint16_t port_ = 0;
    std::unique_ptr<Router> router_;
    std::unique_ptr<SocketServer> sockets_;
};

}  // namespace weir::http
