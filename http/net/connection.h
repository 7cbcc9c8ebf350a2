// One connection: its bytes in and out and where it stands between two requests.
//
// Nothing here blocks. A connection is in one phase at a time and has one deadline; how far it came
// does not move the deadline, so a peer that trickles bytes ends like a silent one.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "http/net/channel.h"
#include "http/net/handler.h"
#include "http/net/message.h"
#include "http/net/unique_fd.h"

namespace weir::http {

struct ConnectionLimits {
    std::chrono::milliseconds first_request{5000};  // from accept to the end of the request
    std::chrono::milliseconds request{5000};        // from a later request's first byte to its end
    std::chrono::milliseconds idle{30000};          // between requests
    std::chrono::milliseconds work{300000};         // for the handler, which has limits of its own
    std::chrono::milliseconds stall{10000};         // without a byte of the answer being taken
    std::chrono::milliseconds drain{1000};          // for the peer to close after the last answer
};

class Connection {
public:
    using Clock = std::chrono::steady_clock;

    enum class Phase {
        reading,   // a request, or waiting for one
        working,   // the handler has the request
        writing,   // the answer
        draining,  // all is said: swallow what still comes, so that no reset overtakes the answer
        closed,
    };

    Connection(UniqueFd fd, std::unique_ptr<Channel> channel, bool tls, Handler& handler,
               const ConnectionLimits& limits);
    ~Connection();

    // The socket is ready, or might be. A request that is complete then can be taken.
    void advance();
    bool has_request() const { return request_ready_; }
    Request take_request();
    void answer(const Response& response);

    // The deadline is over: says so to a peer that began a request, closes the others.
    void time_out();
    // The descriptor itself stays until this is destroyed.
    void close();

    int fd() const { return fd_.get(); }
    Phase phase() const { return phase_; }
    Clock::time_point deadline() const { return deadline_; }
    Clock::time_point since() const { return since_; }  // of the phase
    bool wants_write() const { return wants_write_; }
    bool wants_read() const { return !wants_write_ && phase_ != Phase::working; }
    std::size_t buffered() const { return out_.size(); }

private:
    void enter(Phase phase, std::chrono::milliseconds time);
    void read();
    void find_request();
    void write();
    void drain();
    void refuse(int status, std::string_view why);
    void send(const Response& response);

    UniqueFd fd_;
    std::unique_ptr<Channel> channel_;
    const bool tls_;
    Handler& handler_;
    const ConnectionLimits& limits_;
    Address local_address_;

    Phase phase_ = Phase::reading;
    Clock::time_point since_;
    Clock::time_point deadline_;
    bool wants_write_ = false;
    bool began_request_ = false;

    std::string in_;
    std::string out_;
    std::size_t written_ = 0;
    Request request_;  // parsed; its body may still be missing
    bool head_parsed_ = false;
    bool request_ready_ = false;
    bool head_only_ = false;
    bool keep_alive_ = false;
    std::shared_ptr<std::atomic<bool>> cancelled_;
};

}  // namespace weir::http
