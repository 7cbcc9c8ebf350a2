#include "plugin/base/listen_address.h"

#include <arpa/inet.h>

#include <charconv>

namespace weir {

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
    const auto wrong = [&] {
        return fail(ErrorCode::bad_config, "expected address:port, like 127.0.0.1:9531, got \"" +
                                               std::string(text.substr(0, 80)) + "\"");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return wrong();
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    ListenAddress out{std::string(host), 0};
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size() || port.empty()) return wrong();
    in_addr four{};
    in6_addr six{};
    const bool known = out.host == "localhost" || inet_pton(AF_INET, out.host.c_str(), &four) == 1 ||
                       inet_pton(AF_INET6, out.host.c_str(), &six) == 1;
    if (!known) return wrong();
    return out;
}

bool ListenAddress::is_loopback() const {
    in_addr four{};
    if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    return host == "::1" || host == "localhost";
}

}  // namespace weir
