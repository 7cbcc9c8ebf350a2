#include "http/net/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace weir::http {
namespace {

constexpr std::size_t kReadBytes = 16 << 10;
constexpr int kReadsInARow = 16;

Address local_address_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    if (storage.ss_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &storage, sizeof(four));
        std::array<std::uint8_t, 4> b{};
        std::memcpy(b.data(), &four.sin_addr, b.size());
        return Address::v4(b[0], b[1], b[2], b[3]);
    }
    Address out;
    sockaddr_in6 six{};
    std::memcpy(&six, &storage, sizeof(six));
    std::memcpy(out.bytes.data(), &six.sin6_addr, out.bytes.size());
    return out;
}

}  // namespace

Connection::Connection(UniqueFd fd, std::unique_ptr<Channel> channel, bool tls, Handler& handler,
                       const ConnectionLimits& limits)
    : fd_(std::move(fd)),
      channel_(std::move(channel)),
      tls_(tls),
      handler_(handler),
      limits_(limits),
      local_address_(local_address_of(fd_.get())) {
    enter(Phase::reading, limits_.first_request);
}

Connection::~Connection() { close(); }

void Connection::enter(Phase phase, std::chrono::milliseconds time) {
    phase_ = phase;
    since_ = Clock::now();
    deadline_ = since_ + time;
}

void Connection::close() {
    if (cancelled_) cancelled_->store(true, std::memory_order_relaxed);
    phase_ = Phase::closed;
    channel_.reset();
}

void Connection::advance() {
    switch (phase_) {
        case Phase::reading: return read();
        case Phase::writing: return write();
        case Phase::draining: return drain();
        case Phase::working:
        case Phase::closed: return;
    }
}

void Connection::read() {
    wants_write_ = false;
    find_request();  // perhaps it came together with the one before
    while (phase_ == Phase::reading && !request_ready_) {
        std::array<char, kReadBytes> bytes;
        const Io io = channel_->read(bytes.data(), bytes.size());
        if (io.outcome == Io::Outcome::closed) return close();
        if (io.outcome != Io::Outcome::done) {
            wants_write_ = io.outcome == Io::Outcome::want_write;
            return;
        }
        in_.append(bytes.data(), io.bytes);
        find_request();
    }
}

// Looks for a request at the begin of what was read: its head, then its body.
void Connection::find_request() {
    if (in_.empty() || request_ready_) return;
    if (!began_request_) deadline_ = std::min(deadline_, Clock::now() + limits_.request);
    began_request_ = true;
    if (!head_parsed_) {
        ParsedHead head = parse_head(in_);
        if (head.state == ParsedHead::State::incomplete) return;
        if (head.state == ParsedHead::State::refused) return refuse(head.status, head.why);
        in_.erase(0, head.length);
        request_ = std::move(head.request);
        head_parsed_ = true;
        if (request_.content_length > handler_.body_limit(request_)) {
            return refuse(413, "a request like this may not have a body of that size");
        }
    }
    request_ready_ = in_.size() >= request_.content_length;
}

Request Connection::take_request() {
    request_.body = in_.substr(0, request_.content_length);
    in_.erase(0, request_.content_length);
    head_parsed_ = request_ready_ = began_request_ = false;
    head_only_ = request_.method == "HEAD";
    keep_alive_ = request_.keep_alive;
    cancelled_ = std::make_shared<std::atomic<bool>>(false);
    request_.local_address = local_address_;
    request_.tls = tls_;
    request_.cancelled = cancelled_;
    enter(Phase::working, limits_.work);
    return std::move(request_);
}

void Connection::refuse(int status, std::string_view why) {
    head_only_ = keep_alive_ = false;
    send(handler_.refuse(status, why));
}

void Connection::answer(const Response& response) {
    keep_alive_ = keep_alive_ && !response.close;
    cancelled_.reset();
    send(response);
}

void Connection::send(const Response& response) {
    out_ = serialize(response, head_only_, keep_alive_);
    written_ = 0;
    enter(Phase::writing, limits_.stall);
    write();
}

void Connection::write() {
    wants_write_ = true;
    while (written_ < out_.size()) {
        const Io io = channel_->write(std::string_view(out_).substr(written_));
        if (io.outcome == Io::Outcome::closed) return close();
        if (io.outcome != Io::Outcome::done) {
            wants_write_ = io.outcome == Io::Outcome::want_write;
            return;
        }
        written_ += io.bytes;
        deadline_ = Clock::now() + limits_.stall;
    }
    out_ = std::string();  // gives the memory back, too
    wants_write_ = false;
    if (!keep_alive_) {
        channel_->finish();
        enter(Phase::draining, limits_.drain);
        return drain();
    }
    enter(Phase::reading, limits_.idle);
    read();
}

void Connection::drain() {
    wants_write_ = false;
    for (int reads = 0; reads < kReadsInARow; reads++) {  // others wait, too
        std::array<char, kReadBytes> bytes;
        const Io io = channel_->read(bytes.data(), bytes.size());
        if (io.outcome == Io::Outcome::closed) return close();
        if (io.outcome != Io::Outcome::done) return;
    }
}

void Connection::time_out() {
    if (phase_ == Phase::reading && began_request_) {
        return refuse(408, "the request did not come to its end in time");
    }
    close();
}

}  // namespace weir::http
