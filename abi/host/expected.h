// Errors inside the host are one sentence for the person at the terminal.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace weir::host {

template <typename T>
using Expected = tl::expected<T, std::string>;

inline tl::unexpected<std::string> fail(std::string message) {
    return tl::unexpected<std::string>(std::move(message));
}

}  // namespace weir::host
