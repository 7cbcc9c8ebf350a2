#include <sys/socket.h>

#include <cerrno>

#include "http/net/channel.h"

namespace weir::http {
namespace {

class PlainChannel : public Channel {
public:
    explicit PlainChannel(int fd) : fd_(fd) {}

    Io read(char* into, std::size_t size) override {
        return io_of(::recv(fd_, into, size, 0), Io::Outcome::want_read, true);
    }

    Io write(std::string_view bytes) override {
        return io_of(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), Io::Outcome::want_write, false);
    }

    void finish() override { ::shutdown(fd_, SHUT_WR); }

private:
    static Io io_of(ssize_t n, Io::Outcome wanted, bool zero_is_end) {
        if (n > 0 || (n == 0 && !zero_is_end)) return {Io::Outcome::done, static_cast<std::size_t>(n)};
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {wanted, 0};
        return {Io::Outcome::closed, 0};
    }

    int fd_;
};

class PlainFactory : public ChannelFactory {
public:
    std::unique_ptr<Channel> make(int fd) const override { return std::make_unique<PlainChannel>(fd); }
    bool is_tls() const override { return false; }
};

}  // namespace

std::unique_ptr<ChannelFactory> plain_channels() { return std::make_unique<PlainFactory>(); }

}  // namespace weir::http
