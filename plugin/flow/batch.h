// What one interval saw: the flow layer's product, handed as a shared immutable pointer to the
// point encoder and the store.
//
// Strings are interned once per batch: rows hold ids into `strings`, id 0 is the empty string. All
// strings from traffic or processes are raw bytes and hostile; whoever writes them out escapes them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/ledger.h"
#include "plugin/flow/address.h"
#include "plugin/flow/histogram.h"

namespace weir {

enum class Direction : std::uint8_t { unknown = 0, incoming = 1, outgoing = 2 };
enum class Transport : std::uint8_t { tcp = 6, udp = 17 };

std::string_view to_string(Direction direction);
std::string_view to_string(Transport transport);

using StringId = std::uint32_t;

class StringTable {
public:
    StringTable() : strings_(1) {}
    explicit StringTable(std::vector<std::string> strings) : strings_(std::move(strings)) {
        if (strings_.empty()) strings_.emplace_back();
    }

    // Appends; finding equal strings is the caller's business (see Interner).
    StringId append(std::string_view text) {
        strings_.emplace_back(text);
        return static_cast<StringId>(strings_.size() - 1);
    }
    std::string_view operator[](StringId id) const { return strings_[id]; }
    std::size_t size() const { return strings_.size(); }

private:
    std::vector<std::string> strings_;
};

// Who talked to whom: the identity of a flow. `local` is this host's end. A port of 0 stands for
// many (folded), or for none that is known.
struct Flow {
    Address local;
    Address remote;
    std::uint32_t netns = 0;
    std::uint32_t pid = 0;  // 0 = unknown
    std::uint16_t local_port = 0;
    std::uint16_t remote_port = 0;
    Transport transport = Transport::tcp;
    Direction direction = Direction::unknown;
    bool is_v6 = false;
    // The remote address is one of this host's own, so the other end reports this flow, too. Where
    // a flow is to be counted once, the incoming side of such a pair is left out.
    bool peer_is_local = false;
    std::uint32_t nat_port = 0;  // of `nat`; 0: the remote address is not translated
    StringId process = 0;
    StringId peer_process = 0;  // server's process of an outgoing flow to this same host, else 0
    StringId container = 0;     // id of the container of the local end's process, 0 = none
    StringId domain = 0;        // that the remote address was resolved from, 0 = unknown
    Address nat;                // behind a translated remote address

    bool is_client() const { return direction == Direction::outgoing; }
    bool is_translated() const { return nat_port != 0; }
    const Address& client() const { return is_client() ? local : remote; }
    const Address& server() const { return is_client() ? remote : local; }
    std::uint16_t client_port() const { return is_client() ? local_port : remote_port; }
    std::uint16_t server_port() const { return is_client() ? remote_port : local_port; }
};

struct L4Row {
    std::uint32_t flow = 0;           // index into Batch::flows
    std::uint64_t bytes_written = 0;  // by the local end
    std::uint64_t bytes_read = 0;
    std::uint64_t retransmits = 0;
    std::uint64_t tcp_established = 0;
    std::uint64_t tcp_closed = 0;
    std::uint64_t connect_failed = 0;  // the sum of the five below
    std::uint64_t connect_refused = 0;
    std::uint64_t connect_timed_out = 0;
    std::uint64_t connect_unreachable = 0;
    std::uint64_t connect_reset = 0;
    std::uint64_t connect_failed_other = 0;
    Histogram rtt;      // us, one sample a connection and interval in which it was active
    Histogram rtt_var;  // us
};

enum class HttpVersion : std::uint8_t { unknown = 0, http10 = 10, http11 = 11, http2 = 20 };
std::string_view to_string(HttpVersion version);

struct L7Row {
    static constexpr std::int16_t kNoGrpcStatus = -1;

    std::uint32_t flow = 0;  // index into Batch::flows
    StringId method = 0;
    StringId path = 0;         // without query string
    StringId route = 0;        // path with its ids folded
    std::uint16_t status = 0;  // 0 = no response
    HttpVersion version = HttpVersion::unknown;
    bool truncated = false;                    // path is only its beginning
    std::int16_t grpc_status = kNoGrpcStatus;  // 0 to 999, from the trailers of a gRPC call
    std::uint64_t count = 0;
    std::uint64_t bytes_written = 0;  // by the local end
    std::uint64_t bytes_read = 0;
    Histogram latency;  // ns, request's first byte to response's first byte
};

// What one server answered, by result.
struct DnsRow {
    static constexpr std::int16_t kTimeout = -1;

    std::uint32_t flow = 0;  // index into Batch::flows
    std::int16_t rcode = 0;  // RFC 1035 and 6895, kTimeout = no answer in time
    std::uint64_t count = 0;
    Histogram latency;  // ns, query to answer
};

// One of the slowest requests, with what its socket said at that moment.
struct SlowRow {
    std::uint32_t flow = 0;  // index into Batch::flows
    StringId method = 0;
    StringId path = 0;
    StringId route = 0;
    std::uint16_t status = 0;
    HttpVersion version = HttpVersion::unknown;
    bool truncated = false;
    std::int64_t time_ns = 0;          // wall time of the request's first byte
    std::uint64_t latency = 0;         // ns, request's first byte to response's first byte
    std::uint64_t total = 0;           // ns, to the response's last byte, 0 = unknown
    std::uint64_t retransmits = 0;     // during the request
    std::uint64_t rtt = 0;             // us, smoothed, 0 = unknown
    std::uint64_t unread_bytes = 0;    // received and not read by the program
    std::uint64_t unsent_bytes = 0;    // written and not acknowledged by the peer
    std::uint64_t network_stall = 0;   // ns of the latency that the network explains
    std::uint64_t connection_age = 0;  // ns, 0 = older than Weir's start
};

// A counter of the kernel's own against what Weir saw of the same in one interval, summed over the
// network namespaces.
struct Reconciled {
    std::uint64_t kernel = 0;
    std::uint64_t seen = 0;
};

// X(name, the kernel's counter)
#define WEIR_RECONCILED(X)                          \
    X(active_opens, "Tcp ActiveOpens")              \
    X(passive_opens, "Tcp PassiveOpens")            \
    X(attempt_fails, "Tcp AttemptFails")            \
    X(estab_resets, "Tcp EstabResets")              \
    X(retransmits, "Tcp RetransSegs")               \
    X(udp_in_datagrams, "Udp and Udp6 InDatagrams") \
    X(udp_out_datagrams, "Udp and Udp6 OutDatagrams")

enum class KernelCounter : std::uint8_t {
#define WEIR_X(name, counter) name,
    WEIR_RECONCILED(WEIR_X)
#undef WEIR_X
        count_
};
inline constexpr std::size_t kKernelCounters = static_cast<std::size_t>(KernelCounter::count_);
inline constexpr std::array<std::string_view, kKernelCounters> kKernelCounterNames = {{
#define WEIR_X(name, counter) #name,
    WEIR_RECONCILED(WEIR_X)
#undef WEIR_X
}};
// Nothing where the kernel's counters could not be read.
using ReconciledCounts = std::array<std::optional<Reconciled>, kKernelCounters>;
void add_reconciled(ReconciledCounts& into, const ReconciledCounts& from);

struct Batch {
    std::int64_t begin_ns = 0;  // wall time
    std::int64_t end_ns = 0;
    std::string host;     // tag `host`
    std::string service;  // tag `service`
    StringTable strings;
    std::vector<Flow> flows;
    std::vector<L4Row> l4;
    std::vector<L7Row> l7;
    std::vector<DnsRow> dns;
    std::vector<SlowRow> slow;
    LossCounts losses{};  // of this interval
    ReconciledCounts reconciled{};
};

using BatchPtr = std::shared_ptr<const Batch>;

}  // namespace weir
