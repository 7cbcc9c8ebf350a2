#include "http/net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace weir::http {
namespace {

constexpr int kBacklog = 128;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Numbers only (localhost is 127.0.0.1): nothing here may wait for a name server.
SocketAddress socket_address(const ListenAddress& address) {
    SocketAddress out;
    const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
    sockaddr_in four{};
    if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(address.port);
        std::memcpy(&out.storage, &four, sizeof(four));
        out.size = sizeof(four);
        return out;
    }
    sockaddr_in6 six{};
    inet_pton(AF_INET6, host.c_str(), &six.sin6_addr);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    std::memcpy(&out.storage, &six, sizeof(six));
    out.size = sizeof(six);
    return out;
}

std::string text_of(const ListenAddress& address) {
    const bool is_v6 = address.host.find(':') != std::string::npos;
    return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

tl::unexpected<Error> cannot_listen(const ListenAddress& address, int error) {
    const std::string what = "cannot listen on " + text_of(address) + ": ";
    switch (error) {
        case EADDRINUSE:
            return fail(ErrorCode::address_in_use,
                        what + "address already in use; end the program that has it or set another port");
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT: return fail(ErrorCode::bad_config, what + "this machine has no such address");
        case EACCES:
            return fail(ErrorCode::no_privilege, what + "ports below 1024 need CAP_NET_BIND_SERVICE");
        default: return fail(ErrorCode::internal, what + std::system_category().message(error));
    }
}

std::uint16_t port_of(int fd) {
    SocketAddress bound;
    bound.size = sizeof(bound.storage);
    getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
    sockaddr_in six_or_four{};  // the port lies at the same place in both
    std::memcpy(&six_or_four, &bound.storage, sizeof(six_or_four));
    return ntohs(six_or_four.sin_port);
}

}  // namespace

Result<Listener> listen_on(const ListenAddress& address) {
    const SocketAddress where = socket_address(address);
    Listener out;
    out.fd.reset(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!out.fd) return cannot_listen(address, errno);
    // Without it a restart would wait for the last connections' TIME_WAIT. Not SO_REUSEPORT, which would
    // let a second instance share the port silently.
    const int on = 1;
    ::setsockopt(out.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(out.fd.get(), where.get(), where.size) != 0) return cannot_listen(address, errno);
    if (::listen(out.fd.get(), kBacklog) != 0) return cannot_listen(address, errno);
    out.port = port_of(out.fd.get());
    return out;
}

}  // namespace weir::http
