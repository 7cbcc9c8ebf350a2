#include "http/server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "http/api/router.h"
#include "plugin/base/listen_address.h"

namespace weir::http {
namespace {

// What a header can carry; a token with a blank or an umlaut would never match what a client sends.
bool is_sendable(const std::string& token) {
    return std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status check_options(const ServerOptions& options, const ListenAddress& address) {
    if (!address.is_loopback() && options.token.empty()) {
        return fail(ErrorCode::bad_config, "listening on " + options.listen +
                                               " needs a token: others than this machine can reach it");
    }
    if (!is_sendable(options.token)) {
        return fail(ErrorCode::bad_config, "the token may only have visible ASCII characters");
    }
    if (options.tls_cert.empty() != options.tls_key.empty()) {
        return fail(ErrorCode::bad_config, "tls_cert and tls_key must be given together");
    }
    return {};
}

// The names by which a browser may know this machine, see Access. An address that stands for all is none.
std::vector<std::string> own_names(const ListenAddress& address, const std::string& host) {
    std::vector<std::string> out;
    if (address.host != "0.0.0.0" && address.host != "::") out.push_back(address.host);
    if (!host.empty()) out.push_back(host);
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) == 0) out.emplace_back(name.data());
    return out;
}

}  // namespace

Server::Server(ServerOptions options, const query::QueryEngine* engine, const StatusProvider& status,
               std::span<const Asset> assets, const Clock& clock, Logger log)
    : options_(std::move(options)),
      engine_(engine),
      status_(status),
      assets_(assets),
      clock_(clock),
      log_(std::move(log)) {}

Server::~Server() { stop(); }

Status Server::start() {
    if (sockets_) return fail(ErrorCode::bad_state, "the HTTP endpoint is running already");
    const auto address = ListenAddress::parse(options_.listen);
    if (!address) return tl::unexpected(address.error());
    if (auto good = check_options(options_, *address); !good) return good;

    std::unique_ptr<ChannelFactory> channels = plain_channels();
    if (!options_.tls_cert.empty()) {
        auto tls = tls_channels(options_.tls_cert, options_.tls_key);
        if (!tls) return tl::unexpected(tls.error());
        channels = std::move(*tls);
    }
    auto listener = listen_on(*address);
    if (!listener) return tl::unexpected(listener.error());
    const std::uint16_t port = listener->port;

    router_ =
        std::make_unique<Router>(Router::Parts{engine_, status_, assets_, clock_, log_, options_.query_time},
                                 options_.token, own_names(*address, status_.facts().host));
    auto sockets = SocketServer::start(std::move(*listener), std::move(channels), *router_, options_.sockets);
    if (!sockets) return tl::unexpected(sockets.error());
    sockets_ = std::move(*sockets);
    port_ = port;
    if (!address->is_loopback() && options_.tls_cert.empty()) {
        log_.warning("http: listening on " + options_.listen +
                     " without TLS: the token can be read on the way");
    }
    return {};
}

void Server::stop() {
    sockets_.reset();
    router_.reset();
    port_ = 0;
}

std::string Server::url() const {
    const auto address = ListenAddress::parse(options_.listen);
    if (!address) return {};
    std::string host = address->host;
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return (options_.tls_cert.empty() ? "http://" : "https://") + host + ":" + std::to_string(port_) + "/";
}

}  // namespace weir::http
