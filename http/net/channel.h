// The bytes of one connection, plain or under TLS, without ever blocking.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "plugin/base/status.h"

namespace weir::http {

struct Io {
    enum class Outcome { done, want_read, want_write, closed };

    Outcome outcome = Outcome::closed;
    std::size_t bytes = 0;  // when done
};

// Not thread-safe. Does not own the socket.
class Channel {
public:
    virtual ~Channel() = default;
    virtual Io read(char* into, std::size_t size) = 0;
    virtual Io write(std::string_view bytes) = 0;
    // Tells the peer that nothing more is written.
    virtual void finish() = 0;
};

// Makes the channels of accepted sockets. Thread-safe.
class ChannelFactory {
public:
    virtual ~ChannelFactory() = default;
    // Never fails; null only without memory.
    virtual std::unique_ptr<Channel> make(int fd) const = 0;
    virtual bool is_tls() const = 0;
};

std::unique_ptr<ChannelFactory> plain_channels();

// Errors: bad_config when the certificate or the key cannot be used.
Result<std::unique_ptr<ChannelFactory>> tls_channels(const std::string& certificate_file,
                                                     const std::string& key_file);

}  // namespace weir::http
