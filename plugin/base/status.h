// Errors are values inside Weir. A function that can fail returns Result<T>; its error carries a
// code (which the C ABI passes on) and one sentence that says what to do.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace weir {

enum class ErrorCode : std::uint8_t {
    invalid_argument,
    bad_state,
    bad_config,
    no_privilege,
    unsupported,  // this kernel cannot
    address_in_use,
    storage,  // the store cannot be opened or written
    timeout,
    no_memory,
    internal,
    cancelled,  // asked to stop
};

struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace weir
