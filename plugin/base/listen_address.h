// The address an HTTP endpoint listens on: "127.0.0.1:9531", "[::1]:9531", "localhost:9531", "0.0.0.0:9531".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/base/status.h"

namespace weir {

struct ListenAddress {
    std::string host;        // without brackets
    std::uint16_t port = 0;  // 0: any free one

    static Result<ListenAddress> parse(std::string_view text);
    // Reachable from this machine only: 127.0.0.0/8, ::1 or localhost.
    bool is_loopback() const;
};

}  // namespace weir
