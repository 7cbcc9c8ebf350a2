#include "plugin/enrich/source_addresses.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>


namespace weir::enrich {
namespace {

constexpr std::uint64_t kGoodForNs = 60'000'000'000;
constexpr std::uint16_t kAnyPort = 9;  // nothing is sent to it

// Connecting a datagram socket asks for the route, and sends nothing. Zeros when there is none.
Address source_towards(const Address& remote) {
    sockaddr_in6 peer{};
    peer.sin6_family = AF_INET6;
    peer.sin6_port = htons(kAnyPort);
    std::copy(remote.bytes.begin(), remote.bytes.end(), peer.sin6_addr.s6_addr);
    sockaddr_in peer4{};
    peer4.sin_family = AF_INET;
    peer4.sin_port = peer.sin6_port;
    std::copy(remote.bytes.end() - 4, remote.bytes.end(), reinterpret_cast<std::uint8_t*>(&peer4.sin_addr));

    Address out;
    const int family = remote.is_v4() ? AF_INET : AF_INET6;
    const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return out;
    const auto* to = family == AF_INET ? reinterpret_cast<const sockaddr*>(&peer4)
                                       : reinterpret_cast<const sockaddr*>(&peer);
    sockaddr_storage own{};
    socklen_t size = sizeof(own);
    if (connect(fd, to, family == AF_INET ? sizeof(peer4) : sizeof(peer)) == 0 &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0) {
        if (own.ss_family == AF_INET) {
            const auto* b = reinterpret_cast<const std::uint8_t*>(
                &reinterpret_cast<const sockaddr_in*>(&own)->sin_addr);
            out = Address::v4(b[0], b[1], b[2], b[3]);
        } else if (own.ss_family == AF_INET6) {
            const auto& b = reinterpret_cast<const sockaddr_in6*>(&own)->sin6_addr.s6_addr;
            std::copy(std::begin(b), std::end(b), out.bytes.begin());
        }
    }
    close(fd);
    return out;
}

}  // namespace

std::optional<Address> SourceAddresses::find(const weir_conn_id& id, std::uint64_t time,
                                             const std::function<std::optional<FoundNamespace>()>& where) {
    Key key;
    key.netns = id.netns;
    std::copy(std::begin(id.remote), std::end(id.remote), key.remote.bytes.begin());
    if (key.remote.type() == AddressType::multicast) return std::nullopt;  // by interface, not by route
    Answer& answer = answers_.take(key);
    if (time >= answer.until) {
        answer = {.source = {}, .until = time + kGoodForNs};
        const auto ask = [&] { answer.source = source_towards(key.remote); };
        const FoundNamespace owners{id.netns, "/proc/" + std::to_string(id.pid) + "/ns/net"};
        if (!in_namespace(owners, ask)) {
            // what cannot be entered this way either stays unknown
            if (const auto other = where()) (void)in_namespace(*other, ask);
        }
    }
    if (answer.source == Address()) return std::nullopt;
    return answer.source;
}

}  // namespace weir::enrich
