// stdout: a pipe, a terminal or a file that somebody else opened and shares with us. It is not switched to
// non-blocking, which would change it for the others too. Instead each write is no larger than what a ready
// pipe takes at once (PIPE_BUF), so that a reader who pauses holds up poll(), which can be interrupted.
//
// Protobuf messages simply follow each other: PBPoints is one repeated field, so their concatenation is again
// one PBPoints message.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "abi/host/printable.h"
#include "abi/host/target.h"

namespace weir::host {
namespace {

class StdoutTarget final : public Target {
public:
    StdoutTarget()
        : interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), terminal_(isatty(STDOUT_FILENO) == 1) {}
    ~StdoutTarget() override { close(interrupt_); }
    StdoutTarget(const StdoutTarget&) = delete;
    StdoutTarget& operator=(const StdoutTarget&) = delete;

    std::string name() const override { return "stdout"; }
    Delivery deliver(const Batch& batch) override;
    void interrupt() override { eventfd_write(interrupt_, 1); }
    // A part of the batch under way may have been written.
    bool outlasts_a_run() const override { return false; }

private:
    Delivery write_rest(std::string_view text);
    bool wait_for_room() const;

    int interrupt_;
    bool terminal_;
    std::size_t written_ = 0;  // of the batch under way
};

Delivery StdoutTarget::deliver(const Batch& batch) {
    Delivery delivery =
        terminal_ ? write_rest(printable(batch.bytes, Newlines::keep)) : write_rest(batch.bytes);
    if (delivery.result == Delivery::Result::done) written_ = 0;
    return delivery;
}

Delivery StdoutTarget::write_rest(std::string_view text) {
    using Result = Delivery::Result;
    while (written_ < text.size()) {
        if (!wait_for_room()) return {Result::retry, "nobody reads it", {}};
        const std::string_view part = text.substr(written_, PIPE_BUF);
        const ssize_t written = write(STDOUT_FILENO, part.data(), part.size());
        if (written >= 0) {
            written_ += static_cast<std::size_t>(written);
        } else if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
            return {Result::retry, std::strerror(errno), {}};
        } else if (errno != EINTR && errno != EAGAIN) {
            return {Result::closed, std::strerror(errno), {}};
        }
    }
    return {};
}

// False when interrupted.
bool StdoutTarget::wait_for_room() const {
    pollfd sources[] = {{STDOUT_FILENO, POLLOUT, 0}, {interrupt_, POLLIN, 0}};
    while (poll(sources, 2, -1) < 0 && errno == EINTR) {
    }
    return sources[0].revents != 0;
}

}  // namespace

Expected<std::unique_ptr<Target>> make_stdout_target(const std::string& /*rest*/,
                                                     const TargetSettings& /*settings*/) {
    return std::make_unique<StdoutTarget>();
}

}  // namespace weir::host
