// Matches DNS queries with their answers, at either end of the exchange.
//
// A lookup is told by the ports and the peer, the transport, the message's id and what was asked, and by the
// local address where it is known both times: a socket that is bound to none may show it in one direction and
// not in the other. What was asked again before the time was over is the same lookup, and its latency counts
// from the first try, since that is what the program waited. A resolver that asks several servers at once (as
// musl's does, from one socket) takes the first good answer: what the others were asked is not waited for any
// more, and is no time-out.
//
// Bounded. Owned by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "bpf/events.h"
#include "plugin/base/ledger.h"
#include "plugin/protocol/dns.h"

namespace weir {

struct DnsOptions {
    std::uint64_t timeout_ns = 5'000'000'000;  // what resolvers wait for a server by default
    std::size_t max_lookups = 16384;           // that wait for their answer
    std::size_t max_streams = 1024;            // TCP connections in the middle of a message
};

class DnsListener {
public:
    virtual ~DnsListener() = default;

    // A lookup is over: answered after `latency` ns, or not answered in time (rcode is DnsRow::kTimeout).
    // `id` has the direction of the lookup: outgoing where this end asked.
    virtual void on_lookup(const weir_conn_id& id, std::int16_t rcode, std::uint64_t latency) = 0;
    // This end got an answer to what it had asked; at boot time `time`.
    virtual void on_answer(const weir_conn_id& id, const protocol::DnsMessage& answer,
                           std::uint64_t time) = 0;
};

class DnsTracker {
public:
    // Both must outlive the tracker.
    DnsTracker(DnsListener& listener, Ledger& ledger);
    ~DnsTracker();
    DnsTracker(const DnsTracker&) = delete;
    DnsTracker& operator=(const DnsTracker&) = delete;

    void set_options(const DnsOptions& options) { options_ = options; }

    void add(const weir_dns_record& record, std::span<const std::uint8_t> data);
    // Ends lookups that have waited too long at boot time `now`.
    void expire(std::uint64_t now);

private:
    struct State;

    void expire_lookups(std::uint64_t now);
    std::uint64_t limit_at(std::uint64_t now) const;
    void on_message(const weir_dns_record& record, std::span<const std::uint8_t> message);
    void on_query(const weir_dns_record& record, const protocol::DnsMessage& message);
    void on_response(const weir_dns_record& record, const protocol::DnsMessage& message);

    DnsOptions options_;
    DnsListener& listener_;
    Ledger& ledger_;
    std::unique_ptr<State> state_;
};

}  // namespace weir
