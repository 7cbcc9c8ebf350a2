#include "plugin/flow/flow_table.h"

#include <netinet/in.h>
#include <tsl/robin_map.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "plugin/base/bytes_hash.h"
#include "plugin/base/utf8.h"
#include "plugin/flow/fold.h"
#include "plugin/flow/recent.h"
#include "plugin/protocol/http_request.h"

namespace weir {
namespace {

Address address_of(const __u8 (&bytes)[16]) {
    Address out;
    std::copy(std::begin(bytes), std::end(bytes), out.bytes.begin());
    return out;
}

Transport transport_of(const weir_conn_id& id) {
    return id.transport == IPPROTO_UDP ? Transport::udp : Transport::tcp;
}

Direction direction_of(const weir_conn_id& id) {
    return id.direction == WEIR_OUTGOING ? Direction::outgoing : Direction::incoming;
}

// Where the server of a flow is, behind a translation.
const Address& server_of(const Flow& flow) { return flow.is_translated() ? flow.nat : flow.server(); }

ServerKey server_key(const Flow& flow) {
    const Address& address = server_of(flow);
    return {address, address.type() == AddressType::loopback ? flow.netns : 0,
            flow.is_translated() ? flow.nat_port : flow.server_port()};
}

// Which count a connect belongs to that ended with this errno. Without one it was given up: closed or reset
// by its own program before the peer had answered.
std::uint64_t L4Row::*failure_counter(std::uint32_t error) {
    switch (error) {
        case ECONNREFUSED: return &L4Row::connect_refused;
        case ETIMEDOUT: return &L4Row::connect_timed_out;
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EACCES:
        case EINVAL:  // a route of type blackhole
        case ENOPROTOOPT: return &L4Row::connect_unreachable;
        case 0:
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED: return &L4Row::connect_reset;
        default: return &L4Row::connect_failed_other;
    }
}

void add_latencies(const Request& request, Histogram& into) {
    if (request.has_latency) {
        into.add(request.latency_sum);
    } else if (!request.latencies.empty()) {
        into.add_buckets(request.latencies, request.count, request.latency_sum, request.latency_max);
    }
}

HttpVersion http1_version(std::uint8_t version) {
    switch (version) {
        case 10: return HttpVersion::http10;
        case 11: return HttpVersion::http11;
        default: return HttpVersion::unknown;
    }
}

// With rows that have become equal added up.
std::unique_ptr<Batch> merged(std::unique_ptr<Batch> batch) {
    BatchBuilder builder;
    builder.add(*batch);
    batch.reset();
    return builder.take();
}

}  // namespace

struct FlowTable::Memory {
    Recent<Address, bool> local_addresses;
    Recent<ServerKey, std::string> servers;  // to their process
    // Of this interval: the flow of connections that are alike but for what folds away. A busy server's
    // connections find their flow here, without naming anybody again.
    tsl::robin_map<weir_conn_id, std::uint32_t, BytesHash<weir_conn_id>, BytesEqual<weir_conn_id>> known;
    // Of those, the last one of each direction: the ends of a busy service's connections take turns.
    struct Last {
        weir_conn_id key{};
        std::uint32_t flow = 0;
        bool is_set = false;
    };
    std::array<Last, 2> last;
    RouteTable routes{{}};
    protocol::Redaction redaction;
    std::string redacted;

    void forget_flows() {
        known.clear();
        last = {};
    }
};

FlowTable::FlowTable(FlowOptions options, Ledger& ledger, Identity* identity)
    : ledger_(ledger),
      identity_(identity),
      dns_(*this, ledger),
      memory_(std::make_unique<Memory>()),
      http2_(*this, ledger),
      slow_(ledger) {
    set_options(std::move(options));
}

FlowTable::~FlowTable() = default;

void FlowTable::set_options(FlowOptions options) {
    options_ = std::move(options);
    drops_any_ = options_.drop_v6 || options_.drop_loopback || options_.filter;
    dns_.set_options(options_.dns);
    // routes that are known stay known
    if (!(memory_->routes.options() == options_.routes)) memory_->routes = RouteTable(options_.routes);
    memory_->redaction = protocol::Redaction(options_.redact);
}

// Called before a record is looked at: indexes and string ids do not survive it.
inline void FlowTable::make_room() {
    if (rows_.largest() >= with_slack(options_.max_rows)) fold_early();
}

void FlowTable::on_tcp(const weir_tcp_record& record) {
    now_ = record.time;
    seen_.add(record);
    const bool is_folded = (record.flags & WEIR_TCP_FOLDED) != 0;
    if (options_.drop_tcp || (!is_folded && drops_any_ && is_dropped(record.id))) return;
    make_room();
    L4Row& row = rows_.l4(is_folded ? find_other(record.id) : find_flow(record.id));
    row.bytes_written += record.bytes_sent;
    row.bytes_read += record.bytes_received;
    row.retransmits += record.retransmits;
    row.tcp_established += (record.flags & WEIR_TCP_ESTABLISHED) != 0;
    row.tcp_closed += (record.flags & WEIR_TCP_CLOSED) != 0;
    if ((record.flags & WEIR_TCP_FAILED) != 0) {
        row.connect_failed++;
        row.*failure_counter(why_failed(record)) += 1;
    }
    if (record.rtt != 0) {
        row.rtt.add(record.rtt);
        row.rtt_var.add(record.rtt_var);
    }
    if (record.id.pid == 0 && (record.flags & WEIR_TCP_ESTABLISHED) != 0) ledger_.add(Loss::owner_unknown);
}

// A connect that came to nothing before there was a SYN brings no errno: the kernel is asked for the route.
std::uint32_t FlowTable::why_failed(const weir_tcp_record& record) {
    constexpr std::uint32_t kAnother = EADDRNOTAVAIL;
    if ((record.flags & WEIR_TCP_UNSENT) == 0 || record.error != 0) return record.error;
    if ((record.flags & WEIR_TCP_FOLDED) != 0 || identity_ == nullptr) return kAnother;
    const std::uint32_t error = identity_->route_error(record.id, now_);
    return error != 0 ? error : kAnother;
}

void FlowTable::on_udp(const weir_udp_record& record) {
    now_ = record.time;
    seen_.add(record);
    const bool is_folded = (record.flags & WEIR_UDP_FOLDED) != 0;
    const weir_conn_id id = is_folded ? record.id : with_source(record.id);
    if (!is_folded && is_dropped(id)) return;
    make_room();
    L4Row& row = rows_.l4(is_folded ? find_other(id) : find_flow(id));
    row.bytes_written += record.bytes_sent;
    row.bytes_read += record.bytes_received;
}

void FlowTable::on_dns(const weir_dns_record& record, std::span<const std::uint8_t> data) {
    now_ = record.time;
    dns_.add(record, data);
}

void FlowTable::on_lookup(const weir_conn_id& asked, std::int16_t rcode, std::uint64_t latency) {
    const weir_conn_id id = with_source(asked);
    if (is_dropped(id)) return;
    make_room();
    DnsRow& row = rows_.dns(find_flow(id), rcode);
    row.count++;
    if (rcode != DnsRow::kTimeout) row.latency.add(latency);
}

// Also of lookups that are not reported: what they resolved is.
void FlowTable::on_answer(const weir_conn_id& id, const protocol::DnsMessage& answer, std::uint64_t time) {
    if (identity_ == nullptr) return;
    for (const protocol::DnsAnswer& found : protocol::dns_answers(answer)) {
        identity_->learn_domain(id.netns, {found.address}, answer.name, found.ttl, time);
    }
}

void FlowTable::on_http(const weir_http_record& record, std::string_view head) {
    now_ = record.time;
    if (!http2_.hold(record)) add_http(record, head);
}

void FlowTable::on_chunk(const weir_chunk_record& record, std::span<const std::uint8_t> data) {
    now_ = record.time;
    if (!is_dropped(record.id)) http2_.on_chunk(record, data);
}

void FlowTable::add_http(const weir_http_record& record, std::string_view head) {
    Request request;
    request.is_folded = (record.flags & WEIR_HTTP_FOLDED) != 0;
    if (const auto parsed = protocol::parse_request_head(head, record.method_len)) {
        request.method = parsed->method;
        request.path = parsed->path;
    } else if (!request.is_folded) {
        ledger_.add(Loss::record_malformed);
    }
    request.truncated = (record.flags & WEIR_HTTP_PATH_TRUNCATED) != 0;
    request.version = http1_version(record.version);
    request.status = record.status;
    request.is_server = (record.flags & WEIR_HTTP_SERVER) != 0;
    // a record of one request tells its latency itself, one of several tells their buckets
    request.has_latency = record.count == 1 && record.latencies == 1 && !request.is_folded;
    if (!request.has_latency) request.latencies = {record.latency, record.latencies};
    request.latency_sum = record.latency_sum;
    request.latency_max = record.latency_max;
    request.count = record.count;
    request.request_bytes = record.request_bytes;
    request.response_bytes = record.response_bytes;
    request.begin_ns = record.time;
    request.total = record.total;
    request.evidence = {record.age, record.retransmits, record.rtt, record.unread, record.unsent};
    on_request(record.id, request);
}

void FlowTable::on_request(const weir_conn_id& id, const Request& request) {
    if (is_dropped(id)) return;
    make_room();
    // without a namespace: what the kernel side had no room for by flow
    const bool is_rest = request.is_folded && id.netns == 0;
    const std::uint32_t flow = is_rest ? find_other(id) : find_flow(id);
    L7Row& row = find_request(flow, request);
    row.bytes_read += request.is_server ? request.request_bytes : request.response_bytes;
    row.bytes_written += request.is_server ? request.response_bytes : request.request_bytes;
    row.count += request.count;
    add_latencies(request, row.latency);
    const bool is_timed = request.has_latency || !request.latencies.empty();
    if (is_timed && request.count != 0 && !request.is_folded) note_slow(row, request);
}

void FlowTable::note_slow(const L7Row& row, const Request& request) {
    const Flow& flow = rows_.flow_at(row.flow);
    SlowRow* const slow =
        slow_.add(server_key(flow), !flow.is_client(), request.latency_max, request.begin_ns);
    if (slow == nullptr) return;
    slow->flow = row.flow;
    slow->method = row.method;
    slow->path = row.path;
    slow->route = row.route;
    slow->status = row.status;
    slow->version = row.version;
    slow->truncated = row.truncated;
    slow->time_ns = static_cast<std::int64_t>(request.begin_ns);  // boot time until it is reported
    slow->total = request.total;
    slow->retransmits = request.evidence.retransmits;
    slow->rtt = request.evidence.rtt;
    slow->unread_bytes = request.evidence.unread;
    slow->unsent_bytes = request.evidence.unsent;
    slow->network_stall = network_stall(request);
    slow->connection_age = request.evidence.age;
}

void FlowTable::report_slow() {
    slow_.drain([&](const SlowRow& row) { rows_.add_slow() = row; });
}

void FlowTable::expire(std::uint64_t now) {
    interval_end_ = now;
    dns_.expire(now);
    http2_.flush(now);
}

std::unique_ptr<Batch> FlowTable::finish(std::int64_t begin_ns, std::int64_t end_ns) {
    for (const weir_http_record& record : http2_.release()) add_http(record, {record.head, record.head_len});
    report_slow();
    memory_->forget_flows();
    const bool joined = join_twins();
    std::unique_ptr<Batch> batch = rows_.take();
    learn_local_ends(*batch);
    const bool is_over = batch->flows.size() > options_.max_rows || batch->l7.size() > options_.max_rows;
    if (is_over) batch = fold(std::move(batch));
    if (is_over || joined) batch = merged(std::move(batch));
    batch->begin_ns = begin_ns;
    batch->end_ns = end_ns;
    batch->host = options_.host;
    batch->service = options_.service;
    for (SlowRow& row : batch->slow) row.time_ns += end_ns - static_cast<std::int64_t>(interval_end_);
    name_local_peers(*batch);
    memory_->routes.forget_old(end_ns);
    return batch;
}

// A datagram socket need not be bound to an address.
weir_conn_id FlowTable::with_source(const weir_conn_id& id) {
    weir_conn_id out = id;
    const Address local = address_of(id.local);
    if (identity_ == nullptr || (local != Address() && local != Address::v4(0, 0, 0, 0))) return out;
    if (const auto source = identity_->source(id, now_)) {
        std::copy(source->bytes.begin(), source->bytes.end(), std::begin(out.local));
        if (out.direction == WEIR_OUTGOING) memory_->local_addresses.set(*source, true);
    }
    return out;
}

bool FlowTable::is_dropped(const weir_conn_id& id) {
    const Address remote = address_of(id.remote);
    if (options_.drop_v6 && !remote.is_v4()) return true;
    if (options_.drop_loopback &&
        (remote.type() == AddressType::loopback || address_of(id.local).type() == AddressType::loopback)) {
        return true;
    }
    const bool is_filtered = options_.filter && options_.filter->leaves_out({id});
    filtered_ += is_filtered;
    return is_filtered;
}

// `id` as find_flow() has folded it.
Flow FlowTable::flow_of(const weir_conn_id& id, const std::optional<Translation>& translation) {
    Flow flow;
    flow.local = address_of(id.local);
    flow.remote = address_of(id.remote);
    flow.netns = id.netns;
    flow.pid = id.pid;
    flow.local_port = id.local_port;
    flow.remote_port = id.remote_port;
    flow.transport = transport_of(id);
    flow.direction = direction_of(id);
    flow.is_v6 = !flow.remote.is_v4();
    flow.peer_is_local = id.peer_is_local != 0;
    flow.process = intern({id.process, strnlen(id.process, sizeof(id.process))});
    if (identity_ == nullptr) return flow;
    flow.container = intern(identity_->container(id.cgroup, id.pid, now_));
    if (flow.is_client()) flow.domain = intern(identity_->domain(flow.netns, flow.remote, now_));
    if (translation) {
        flow.nat = translation->address;
        flow.nat_port = translation->port;
        memory_->local_addresses.set(flow.local, true);
    }
    return flow;
}

StringId FlowTable::intern(std::string_view text) { return rows_.intern(to_utf8(text, scratch_)); }

void FlowTable::fold_client_port(std::uint16_t& port) const {
    if (options_.ephemeral_port != 0 && port >= options_.ephemeral_port) port = 0;
}

std::uint32_t FlowTable::find_flow(const weir_conn_id& id) {
    weir_conn_id key = id;
    const bool is_client = id.direction == WEIR_OUTGOING;
    fold_client_port(is_client ? key.local_port : key.remote_port);
    const auto translation =
        is_client && identity_ != nullptr ? identity_->translation(id, now_) : std::nullopt;
    if (!is_client) key.peer_is_local = is_client_local(id);
    // connections to one service may be sent to different ends behind it
    if (translation) return rows_.flow(flow_of(key, translation));
    Memory::Last& last = memory_->last[is_client ? 1 : 0];
    if (last.is_set && BytesEqual<weir_conn_id>()(last.key, key)) return last.flow;
    last = {key, known_flow(key), true};
    return last.flow;
}

// Without a translation.
std::uint32_t FlowTable::known_flow(const weir_conn_id& key) {
    if (const auto at = memory_->known.find(key); at != memory_->known.end()) return at->second;
    const std::uint32_t flow = rows_.flow(flow_of(key, std::nullopt));
    if (memory_->known.size() < options_.max_rows) memory_->known.emplace(key, flow);
    return flow;
}

// The client of an incoming connection: also one of this host behind an address that does not look like one
// of this host's.
bool FlowTable::is_client_local(const weir_conn_id& id) {
    if (id.peer_is_local != 0 || identity_ == nullptr) return id.peer_is_local != 0;
    // the kernel side does not see the addresses of sockets that are bound to none
    if (id.transport == IPPROTO_UDP && memory_->local_addresses.find(address_of(id.remote)) != nullptr)
        return true;
    const auto client = identity_->client_behind(id);
    return client && memory_->local_addresses.find(*client) != nullptr;
}

std::uint32_t FlowTable::find_other(const weir_conn_id& like) {
    Flow flow;
    flow.transport = transport_of(like);
    flow.direction = direction_of(like);
    return rows_.flow(other_flow(flow, rows_.intern(kOther)));
}

void FlowTable::fold_early() {
    memory_->forget_flows();
    report_slow();
    auto batch = rows_.take();
    learn_local_ends(*batch);
    rows_.add(*fold(std::move(batch)));
}

std::unique_ptr<Batch> FlowTable::fold(std::unique_ptr<Batch> batch) {
    const Folded folded = fold_smallest(*batch, options_.max_rows);
    ledger_.add(Loss::flow_table_full, folded.flows);
    ledger_.add(Loss::paths_folded, folded.requests);
    return batch;
}

// A client's address may become known as this host's own between two records of one flow, which must not be
// two flows: points would have the same tags. Of datagrams the client may come after the server.
bool FlowTable::join_twins() {
    bool any = false;
    for (std::uint32_t i = 0; i < rows_.flow_count(); i++) {
        Flow twin = rows_.flow_at(i);
        if (twin.is_client()) continue;
        twin.peer_is_local = !twin.peer_is_local;
        if (twin.peer_is_local) {
            if (twin.transport != Transport::udp || memory_->local_addresses.find(twin.remote) == nullptr)
                continue;
            rows_.set_peer_is_local(i);
            any = any || rows_.has_flow(twin);
        } else if (rows_.has_flow(twin)) {
            rows_.set_peer_is_local(rows_.flow(twin));
            any = true;
        }
    }
    return any;
}

L7Row& FlowTable::find_request(std::uint32_t flow, const Request& request) {
    if (request.is_folded) return folded_requests(flow, request.status);
    L7Key key{
        flow,
        intern(request.method),
        intern(memory_->redaction.apply(request.path, memory_->redacted) ? memory_->redacted : request.path),
        request.status,
        request.version,
        request.truncated,
        request.grpc_status};
    bool is_new = false;
    L7Row& row = rows_.l7(key, is_new);
    if (is_new) {
        row.route = intern(memory_->routes.route(server_key(rows_.flow_at(flow)), rows_.text(key.path)));
    }
    return row;
}

L7Row& FlowTable::folded_requests(std::uint32_t flow, std::uint16_t status) {
    L7Key folded;
    folded.flow = flow;
    folded.path = rows_.intern(kOther);
    folded.status = static_cast<std::uint16_t>(status / 100 * 100);
    return rows_.l7(folded);
}

// Before anything is folded.
void FlowTable::learn_local_ends(const Batch& batch) {
    for (const Flow& flow : batch.flows) {
        if (is_other_flow(batch, flow)) continue;
        memory_->local_addresses.set(flow.local, true);
        if (!flow.is_client() && flow.process != 0) {
            memory_->servers.set(server_key(flow), std::string(batch.strings[flow.process]));
        }
    }
}

// Names the other end of flows that stay on this host, from what all flows together say.
void FlowTable::name_local_peers(Batch& batch) {
    tsl::robin_map<std::string, StringId> names;
    for (Flow& flow : batch.flows) {
        if (!flow.is_client() || memory_->local_addresses.find(server_of(flow)) == nullptr) continue;
        flow.peer_is_local = true;
        const std::string* process = memory_->servers.find(server_key(flow));
        if (process == nullptr) continue;
        const auto [at, is_new] = names.try_emplace(*process, 0);
        if (is_new) at.value() = batch.strings.append(*process);
        flow.peer_process = at->second;
    }
}

}  // namespace weir
