#include "plugin/enrich/kernel_routes.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace weir::enrich {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kSourceGoodFor = 60 * kSecond;
constexpr std::uint64_t kErrorGoodFor =
    kSecond;                           // a connect that fails is tried again when there may be a route
constexpr std::uint16_t kAnyPort = 9;  // nothing is sent to it

Address remote_of(const weir_conn_id& id) {
    Address out;
    std::copy(std::begin(id.remote), std::end(id.remote), out.bytes.begin());
    return out;
}

}  // namespace

// Connecting a datagram socket asks for the route, and sends nothing.
KernelRoutes::Answer KernelRoutes::ask(const Address& remote) {
    sockaddr_in6 peer{};
    peer.sin6_family = AF_INET6;
    peer.sin6_port = htons(kAnyPort);
    std::copy(remote.bytes.begin(), remote.bytes.end(), peer.sin6_addr.s6_addr);
    sockaddr_in peer4{};
    peer4.sin_family = AF_INET;
    peer4.sin_port = peer.sin6_port;
    std::copy(remote.bytes.end() - 4, remote.bytes.end(), reinterpret_cast<std::uint8_t*>(&peer4.sin_addr));

    Answer out;
    const int family = remote.is_v4() ? AF_INET : AF_INET6;
    const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return out;
    const auto* to = family == AF_INET ? reinterpret_cast<const sockaddr*>(&peer4)
                                       : reinterpret_cast<const sockaddr*>(&peer);
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    if (connect(fd, to, family == AF_INET ? sizeof(peer4) : sizeof(peer)) != 0) {
        out.error = static_cast<std::uint32_t>(errno);
    } else if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0) {
        if (own.ss_family == AF_INET) {
            const auto* b =
                reinterpret_cast<const std::uint8_t*>(&reinterpret_cast<const sockaddr_in*>(&own)->sin_addr);
            out.source = Address::v4(b[0], b[1], b[2], b[3]);
        } else if (own.ss_family == AF_INET6) {
            const auto& b = reinterpret_cast<const sockaddr_in6*>(&own)->sin6_addr.s6_addr;
            std::copy(std::begin(b), std::end(b), out.source.bytes.begin());
        }
    }
    close(fd);
    return out;
}

const KernelRoutes::Answer& KernelRoutes::find(const weir_conn_id& id, std::uint64_t time,
                                               std::uint64_t good_for, const Where& where) {
    Key key;
    key.netns = id.netns;
    key.remote = remote_of(id);
    Answer& answer = answers_.take(key);
    if (answer.asked != 0 && time < answer.asked + good_for) return answer;
    answer = {};
    const auto ask_there = [&] { answer = ask(key.remote); };
    const FoundNamespace owners{id.netns, "/proc/" + std::to_string(id.pid) + "/ns/net"};
    if (!in_namespace(owners, ask_there)) {
        // what cannot be entered this way either stays unknown
        if (const auto other = where()) (void)in_namespace(*other, ask_there);
    }
    answer.asked = time;
    return answer;
}

std::optional<Address> KernelRoutes::source(const weir_conn_id& id, std::uint64_t time, const Where& where) {
    if (remote_of(id).type() == AddressType::multicast) return std::nullopt;  // by interface, not by route
    const Answer& answer = find(id, time, kSourceGoodFor, where);
    if (answer.source == Address()) return std::nullopt;
    return answer.source;
}

std::uint32_t KernelRoutes::error(const weir_conn_id& id, std::uint64_t time, const Where& where) {
    if (remote_of(id).type() == AddressType::multicast) return ENETUNREACH;  // to TCP
    return find(id, time, kErrorGoodFor, where).error;
}

}  // namespace weir::enrich
