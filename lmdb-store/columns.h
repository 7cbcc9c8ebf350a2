// The columns of blocks, and what is in them. The encoders, the readers and the queries share these tables,
// so a member of a row is named once.
//
// A row says what it is about (its subject: a flow, or a request of a flow) and what was measured. Subjects
// recur from interval to interval, measures do not; so subjects are stored once for a whole segment
// (segment.h) and rows hold their numbers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/flow/batch.h"
#include "plugin/query/measures.h"

namespace weir::store {

// Sections of a block. Stored: numbers are only ever added. A section that is not there stands for a
// column of zeros (empty texts, empty histograms).
enum class Section : std::uint16_t {
    texts = 1,     // texts, by their number
    flow = 2,      // of each request or lookup: the number of its flow
    subjects = 3,  // of each row: the number of its subject

    // One value a flow.
    local = 10,
    remote = 11,
    local_port = 12,
    remote_port = 13,
    netns = 14,
    pid = 15,
    traits = 16,  // see traits_of()
    process = 17,
    peer_process = 18,
    container = 19,
    domain = 20,
    nat = 21,
    nat_port = 22,

    // One value a request or lookup.
    method = 30,
    path = 31,
    route = 32,
    status = 33,
    http_traits = 34,  // see http_traits_of()
    rcode = 35,        // zigzag

    // One number a row.
    bytes_written = 50,
    bytes_read = 51,
    retransmits = 52,
    tcp_established = 53,
    tcp_closed = 54,
    connect_failed = 55,
    count = 56,
    connect_refused = 57,
    connect_timed_out = 58,
    connect_unreachable = 59,
    connect_reset = 60,
    connect_failed_other = 61,
    minute = 62,  // of the endpoint table, which one of the entry: counted from its begin, from 0
    rows = 63,    // of the endpoint table: how many of the minute's rows were added up, less 1

    // One histogram a row.
    rtt = 70,
    rtt_var = 71,
    latency = 72,

    // One number a slow request.
    slow_time = 80,
    slow_latency = 81,
    slow_total = 82,
    slow_retransmits = 83,
    slow_rtt = 84,
    slow_unread_bytes = 85,
    slow_unsent_bytes = 86,
    slow_network_stall = 87,
    slow_connection_age = 88,
};

// What a block holds. Stored, and the parts are in the keys of rows, too.
enum class Part : std::uint8_t {
    header = 0,
    l4 = 4,
    dns = 5,
    l7 = 7,
    slow = 8,
    // Of segments:
    texts = 16,
    flows = 17,
    requests = 18,   // subjects of l7 and slow
    lookups = 19,    // subjects of dns
    endpoints = 20,  // subjects of all rows in the endpoint table
};
// In the order of their numbers, which is that of their keys.
inline constexpr std::array kRowParts = {Part::l4, Part::dns, Part::l7, Part::slow};
inline constexpr std::array kSegmentParts = {Part::texts, Part::flows, Part::requests, Part::lookups,
                                             Part::endpoints};

constexpr Part part_of(query::Layer layer) {
    switch (layer) {
        case query::Layer::l4: return Part::l4;
        case query::Layer::l7: return Part::l7;
        case query::Layer::dns: return Part::dns;
    }
    return Part::l4;
}
// Where the subjects of a part of rows are; those of rows in the endpoint table are given by themselves.
constexpr Part subjects_of(Part rows) {
    switch (rows) {
        case Part::l4: return Part::flows;
        case Part::dns: return Part::lookups;
        case Part::endpoints: return Part::endpoints;
        default: return Part::requests;
    }
}

// What a subject is. Dictionary-coded: filters and group keys are worked out once for each distinct value.
enum class Attribute : std::uint8_t {
    local,
    remote,
    nat,
    local_port,
    remote_port,
    nat_port,
    netns,
    pid,
    traits,
    process,
    peer_process,
    container,
    domain,
    method,  // from here on: of the request or lookup, not of the flow
    path,
    route,
    status,
    http_traits,
    rcode,
    count_
};
inline constexpr std::size_t kAttributeCount = static_cast<std::size_t>(Attribute::count_);

enum class AttributeType : std::uint8_t { number, text, address };

struct AttributeInfo {
    Section section;
    AttributeType type;
    std::uint64_t max = 0;  // of a number
};
inline constexpr std::array<AttributeInfo, kAttributeCount> kAttributes = {{
    {Section::local, AttributeType::address},
    {Section::remote, AttributeType::address},
    {Section::nat, AttributeType::address},
    {Section::local_port, AttributeType::number, 0xffff},
    {Section::remote_port, AttributeType::number, 0xffff},
    {Section::nat_port, AttributeType::number, 0xffffffff},
    {Section::netns, AttributeType::number, 0xffffffff},
    {Section::pid, AttributeType::number, 0xffffffff},
    {Section::traits, AttributeType::number, 0x3ffff},
    {Section::process, AttributeType::text},
    {Section::peer_process, AttributeType::text},
    {Section::container, AttributeType::text},
    {Section::domain, AttributeType::text},
    {Section::method, AttributeType::text},
    {Section::path, AttributeType::text},
    {Section::route, AttributeType::text},
    {Section::status, AttributeType::number, 0xffff},
    {Section::http_traits, AttributeType::number, 0x7ffff},
    {Section::rcode, AttributeType::number, 0xffff},
}};
constexpr const AttributeInfo& info(Attribute attribute) {
    return kAttributes[static_cast<std::size_t>(attribute)];
}
constexpr bool is_of_flow(Attribute attribute) { return attribute < Attribute::method; }

// A set of attributes, as bits.
using AttributeSet = std::uint32_t;
constexpr AttributeSet set_of(Attribute attribute) {
    return AttributeSet{1} << static_cast<unsigned>(attribute);
}
template <typename... More>
constexpr AttributeSet set_of(Attribute first, More... more) {
    return set_of(first) | set_of(more...);
}
constexpr bool has(AttributeSet set, Attribute attribute) { return (set & set_of(attribute)) != 0; }
inline constexpr AttributeSet kFlowAttributes = set_of(Attribute::method) - 1;
inline constexpr AttributeSet kRequestAttributes =
    set_of(Attribute::method, Attribute::path, Attribute::route, Attribute::status, Attribute::http_traits);
inline constexpr AttributeSet kLookupAttributes = set_of(Attribute::rcode);
inline constexpr AttributeSet kEndpointAttributes =
    set_of(Attribute::local, Attribute::traits, Attribute::status, Attribute::rcode);
// Of the subjects in such a part of a segment, those of their flow not included.
constexpr AttributeSet attributes_of(Part subjects) {
    switch (subjects) {
        case Part::flows: return kFlowAttributes;
        case Part::requests: return kRequestAttributes;
        case Part::lookups: return kLookupAttributes;
        case Part::endpoints: return kEndpointAttributes;
        default: return 0;
    }
}

// The small members of a flow in one number: few combinations occur, so the column takes a few bits.
inline std::uint64_t traits_of(const Flow& flow) {
    return static_cast<std::uint64_t>(flow.transport) | static_cast<std::uint64_t>(flow.direction) << 8 |
           std::uint64_t{flow.is_v6} << 16 | std::uint64_t{flow.peer_is_local} << 17;
}
inline void set_traits(Flow& flow, std::uint64_t traits) {
    flow.transport = static_cast<Transport>(traits & 0xff);
    flow.direction = static_cast<Direction>(traits >> 8 & 0xff);
    flow.is_v6 = (traits >> 16 & 1) != 0;
    flow.peer_is_local = (traits >> 17 & 1) != 0;
}

// A request as a subject; its flow and texts are numbers of the segment.
struct Request {
    std::uint32_t flow = 0;
    std::uint32_t method = 0;
    std::uint32_t path = 0;
    std::uint32_t route = 0;
    std::uint32_t http_traits = 0;
    std::uint32_t status = 0;
};
// In one number: the version, bit 8 truncated, from bit 9 on the gRPC status, less that of none. Row: L7Row
// or SlowRow, which has no gRPC status.
template <typename Row>
std::uint32_t http_traits_of(const Row& row) {
    std::uint32_t out = static_cast<std::uint32_t>(row.version) | std::uint32_t{row.truncated} << 8;
    if constexpr (requires { row.grpc_status; })
        out |= (static_cast<std::uint32_t>(row.grpc_status - L7Row::kNoGrpcStatus) & 0x3ff) << 9;
    return out;
}
template <typename Row>
void set_http_traits(Row& row, std::uint64_t traits) {
    row.version = static_cast<HttpVersion>(traits & 0xff);
    row.truncated = (traits >> 8 & 1) != 0;
    if constexpr (requires { row.grpc_status; }) {
        row.grpc_status =
            static_cast<std::int16_t>(L7Row::kNoGrpcStatus + static_cast<std::int16_t>(traits >> 9 & 0x3ff));
    }
}

// A DNS question's outcome as a subject.
struct Lookup {
    std::uint32_t flow = 0;
    std::uint32_t rcode = 0;  // zigzag
};

// What the endpoint table sums by: this host's end of flows, and how its requests or lookups came out. One
// list for all layers: what a layer has not is 0.
struct Endpoint {
    Address local;
    std::uint32_t traits = 0;  // see traits_of()
    std::uint32_t status = 0;
    std::uint32_t rcode = 0;  // zigzag
};

// Addresses of a flow.
constexpr Address Flow::*address_of(Attribute attribute) {
    return attribute == Attribute::local    ? &Flow::local
           : attribute == Attribute::remote ? &Flow::remote
                                            : &Flow::nat;
}
// The value of an attribute that is not an address.
inline std::uint64_t value_of(const Flow& flow, Attribute attribute) {
    switch (attribute) {
        case Attribute::local_port: return flow.local_port;
        case Attribute::remote_port: return flow.remote_port;
        case Attribute::nat_port: return flow.nat_port;
        case Attribute::netns: return flow.netns;
        case Attribute::pid: return flow.pid;
        case Attribute::traits: return traits_of(flow);
        case Attribute::process: return flow.process;
        case Attribute::peer_process: return flow.peer_process;
        case Attribute::container: return flow.container;
        case Attribute::domain: return flow.domain;
        default: return 0;
    }
}
inline void set_value(Flow& flow, Attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case Attribute::local_port: flow.local_port = static_cast<std::uint16_t>(value); break;
        case Attribute::remote_port: flow.remote_port = static_cast<std::uint16_t>(value); break;
        case Attribute::nat_port: flow.nat_port = static_cast<std::uint32_t>(value); break;
        case Attribute::netns: flow.netns = static_cast<std::uint32_t>(value); break;
        case Attribute::pid: flow.pid = static_cast<std::uint32_t>(value); break;
        case Attribute::traits: set_traits(flow, value); break;
        case Attribute::process: flow.process = static_cast<StringId>(value); break;
        case Attribute::peer_process: flow.peer_process = static_cast<StringId>(value); break;
        case Attribute::container: flow.container = static_cast<StringId>(value); break;
        case Attribute::domain: flow.domain = static_cast<StringId>(value); break;
        default: break;
    }
}
inline std::uint64_t value_of(const Request& request, Attribute attribute) {
    switch (attribute) {
        case Attribute::method: return request.method;
        case Attribute::path: return request.path;
        case Attribute::route: return request.route;
        case Attribute::status: return request.status;
        case Attribute::http_traits: return request.http_traits;
        default: return 0;
    }
}
inline std::uint64_t value_of(const Lookup& lookup, Attribute) { return lookup.rcode; }
inline std::uint64_t value_of(const Endpoint& endpoint, Attribute attribute) {
    switch (attribute) {
        case Attribute::traits: return endpoint.traits;
        case Attribute::status: return endpoint.status;
        case Attribute::rcode: return endpoint.rcode;
        default: return 0;
    }
}

// Row: L7Row or SlowRow.
template <typename Row>
void set_request_value(Row& row, Attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case Attribute::method: row.method = static_cast<StringId>(value); break;
        case Attribute::path: row.path = static_cast<StringId>(value); break;
        case Attribute::route: row.route = static_cast<StringId>(value); break;
        case Attribute::status: row.status = static_cast<std::uint16_t>(value); break;
        case Attribute::http_traits: set_http_traits(row, value); break;
        default: break;
    }
}
inline void set_value(L4Row&, Attribute, std::uint64_t) {}
inline void set_value(L7Row& row, Attribute attribute, std::uint64_t value) {
    set_request_value(row, attribute, value);
}
inline void set_value(SlowRow& row, Attribute attribute, std::uint64_t value) {
    set_request_value(row, attribute, value);
}
inline std::int16_t rcode_of(std::uint64_t stored) {
    return static_cast<std::int16_t>(static_cast<std::int64_t>(stored >> 1) ^
                                     -static_cast<std::int64_t>(stored & 1));
}
inline void set_value(DnsRow& row, Attribute attribute, std::uint64_t value) {
    if (attribute == Attribute::rcode) row.rcode = rcode_of(value);
}

// Numbers and histograms of a row: where they are stored, where they are in the row, and what they add to.
template <typename Row>
struct NumberColumn {
    Section section;
    std::uint64_t Row::*of_row;
    std::uint64_t query::Measures::*of_sum = nullptr;
};
template <typename Row>
struct HistogramMember {
    Section section;
    Histogram Row::*of_row;
    Histogram query::Measures::*of_sum;
};

template <typename Row>
struct RowColumns;

template <>
struct RowColumns<L4Row> {
    static constexpr Part kPart = Part::l4;
    static constexpr std::array<NumberColumn<L4Row>, 11> kNumbers = {{
        {Section::bytes_written, &L4Row::bytes_written, &query::Measures::bytes_written},
        {Section::bytes_read, &L4Row::bytes_read, &query::Measures::bytes_read},
        {Section::retransmits, &L4Row::retransmits, &query::Measures::retransmits},
        {Section::tcp_established, &L4Row::tcp_established, &query::Measures::tcp_established},
        {Section::tcp_closed, &L4Row::tcp_closed, &query::Measures::tcp_closed},
        {Section::connect_failed, &L4Row::connect_failed, &query::Measures::connect_failed},
        {Section::connect_refused, &L4Row::connect_refused, &query::Measures::connect_refused},
        {Section::connect_timed_out, &L4Row::connect_timed_out, &query::Measures::connect_timed_out},
        {Section::connect_unreachable, &L4Row::connect_unreachable, &query::Measures::connect_unreachable},
        {Section::connect_reset, &L4Row::connect_reset, &query::Measures::connect_reset},
        {Section::connect_failed_other, &L4Row::connect_failed_other, &query::Measures::connect_failed_other},
    }};
    static constexpr std::array<HistogramMember<L4Row>, 2> kHistograms = {{
        {Section::rtt, &L4Row::rtt, &query::Measures::rtt},
        {Section::rtt_var, &L4Row::rtt_var, &query::Measures::rtt_var},
    }};
    static const std::vector<L4Row>& rows(const Batch& batch) { return batch.l4; }
    static std::vector<L4Row>& rows(Batch& batch) { return batch.l4; }
};

template <>
struct RowColumns<L7Row> {
    static constexpr Part kPart = Part::l7;
    static constexpr std::array<NumberColumn<L7Row>, 3> kNumbers = {{
        {Section::bytes_written, &L7Row::bytes_written, &query::Measures::bytes_written},
        {Section::bytes_read, &L7Row::bytes_read, &query::Measures::bytes_read},
        {Section::count, &L7Row::count, &query::Measures::count},
    }};
    static constexpr std::array<HistogramMember<L7Row>, 1> kHistograms = {{
        {Section::latency, &L7Row::latency, &query::Measures::latency},
    }};
    static const std::vector<L7Row>& rows(const Batch& batch) { return batch.l7; }
    static std::vector<L7Row>& rows(Batch& batch) { return batch.l7; }
};

template <>
struct RowColumns<DnsRow> {
    static constexpr Part kPart = Part::dns;
    static constexpr std::array<NumberColumn<DnsRow>, 1> kNumbers = {{
        {Section::count, &DnsRow::count, &query::Measures::count},
    }};
    static constexpr std::array<HistogramMember<DnsRow>, 1> kHistograms = {{
        {Section::latency, &DnsRow::latency, &query::Measures::latency},
    }};
    static const std::vector<DnsRow>& rows(const Batch& batch) { return batch.dns; }
    static std::vector<DnsRow>& rows(Batch& batch) { return batch.dns; }
};

// Records only: nothing adds up. The time is stored beside these (Section::slow_time).
template <>
struct RowColumns<SlowRow> {
    static constexpr Part kPart = Part::slow;
    static constexpr std::array<NumberColumn<SlowRow>, 8> kNumbers = {{
        {Section::slow_latency, &SlowRow::latency},
        {Section::slow_total, &SlowRow::total},
        {Section::slow_retransmits, &SlowRow::retransmits},
        {Section::slow_rtt, &SlowRow::rtt},
        {Section::slow_unread_bytes, &SlowRow::unread_bytes},
        {Section::slow_unsent_bytes, &SlowRow::unsent_bytes},
        {Section::slow_network_stall, &SlowRow::network_stall},
        {Section::slow_connection_age, &SlowRow::connection_age},
    }};
    static constexpr std::array<HistogramMember<SlowRow>, 0> kHistograms{};
    static const std::vector<SlowRow>& rows(const Batch& batch) { return batch.slow; }
    static std::vector<SlowRow>& rows(Batch& batch) { return batch.slow; }
};

// Calls f.template operator()<Row>() for the rows of a part.
template <typename F>
auto with_row_type(Part part, F f) {
    switch (part) {
        case Part::l7: return f.template operator()<L7Row>();
        case Part::dns: return f.template operator()<DnsRow>();
        case Part::slow: return f.template operator()<SlowRow>();
        default: return f.template operator()<L4Row>();
    }
}

}  // namespace weir::store
