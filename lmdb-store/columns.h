// The columns of a block, and what is in them. The encoder, the reader and the queries share these tables,
// so a member of a row is named once.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "plugin/flow/batch.h"
#include "plugin/query/measures.h"

namespace weir::store {

// Sections of a block. Stored: numbers are only ever added. A section that is not there stands for a
// column of zeros (empty texts, empty histograms).
enum class Section : std::uint16_t {
    texts = 1,     // the block's strings; id 0 is the empty one and is not stored
    row_flow = 2,  // for each row, its flow

    // One value a flow, dictionary-coded.
    local = 10,
    remote = 11,
    local_port = 12,
    remote_port = 13,
    netns = 14,
    pid = 15,
    traits = 16,  // see traits_of()
    process = 17,
    peer_process = 18,

    // One value an L7 row, dictionary-coded.
    method = 30,
    path = 31,
    route = 32,
    status = 33,
    http_traits = 34,  // see http_traits_of()

    // One number a row.
    bytes_written = 50,
    bytes_read = 51,
    retransmits = 52,
    tcp_established = 53,
    tcp_closed = 54,
    connect_failed = 55,
    count = 56,

    // One histogram a row.
    rtt = 70,
    rtt_var = 71,
    latency = 72,
};

// What a flow or an L7 row is, as opposed to what it measured. Attributes are dictionary-coded in a block:
// filters and group keys are worked out once for each distinct value instead of once for each row.
enum class Attribute : std::uint8_t {
    local,
    remote,
    local_port,
    remote_port,
    netns,
    pid,
    traits,
    process,
    peer_process,
    method,  // from here on: of the row, not of the flow
    path,
    route,
    status,
    http_traits,
    count_
};
inline constexpr std::size_t kAttributeCount = static_cast<std::size_t>(Attribute::count_);

struct AttributeInfo {
    Section section;
    std::uint64_t max;  // of a value; of a text, whatever ids there are
    bool is_text = false;
    bool is_address = false;
};
inline constexpr std::array<AttributeInfo, kAttributeCount> kAttributes = {{
    {Section::local, 0, false, true},
    {Section::remote, 0, false, true},
    {Section::local_port, 0xffff},
    {Section::remote_port, 0xffff},
    {Section::netns, 0xffffffff},
    {Section::pid, 0xffffffff},
    {Section::traits, 0x3ffff},
    {Section::process, 0xffffffff, true},
    {Section::peer_process, 0xffffffff, true},
    {Section::method, 0xffffffff, true},
    {Section::path, 0xffffffff, true},
    {Section::route, 0xffffffff, true},
    {Section::status, 0xffff},
    {Section::http_traits, 0x7ffff},
}};
constexpr const AttributeInfo& info(Attribute attribute) {
    return kAttributes[static_cast<std::size_t>(attribute)];
}
constexpr bool is_of_row(Attribute attribute) { return attribute >= Attribute::method; }

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
inline constexpr AttributeSet kRowAttributes =
    set_of(Attribute::method, Attribute::path, Attribute::route, Attribute::status, Attribute::http_traits);
inline constexpr AttributeSet kTextAttributes =
    set_of(Attribute::process, Attribute::peer_process, Attribute::method, Attribute::path, Attribute::route);

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
inline std::uint64_t http_traits_of(const L7Row& row) {
    const auto grpc = static_cast<std::uint64_t>(row.grpc_status - L7Row::kNoGrpcStatus);
    return static_cast<std::uint64_t>(row.version) | std::uint64_t{row.truncated} << 8 | grpc << 9;
}
inline void set_http_traits(L7Row& row, std::uint64_t traits) {
    row.version = static_cast<HttpVersion>(traits & 0xff);
    row.truncated = (traits >> 8 & 1) != 0;
    row.grpc_status =
        static_cast<std::int16_t>(L7Row::kNoGrpcStatus + static_cast<std::int16_t>(traits >> 9 & 0x3ff));
}

// Value of an attribute that is not an address; texts are ids of the batch.
inline std::uint64_t value_of(const Flow& flow, Attribute attribute) {
    switch (attribute) {
        case Attribute::local_port: return flow.local_port;
        case Attribute::remote_port: return flow.remote_port;
        case Attribute::netns: return flow.netns;
        case Attribute::pid: return flow.pid;
        case Attribute::traits: return traits_of(flow);
        case Attribute::process: return flow.process;
        case Attribute::peer_process: return flow.peer_process;
        default: return 0;
    }
}
inline void set_value(Flow& flow, Attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case Attribute::local_port: flow.local_port = static_cast<std::uint16_t>(value); break;
        case Attribute::remote_port: flow.remote_port = static_cast<std::uint16_t>(value); break;
        case Attribute::netns: flow.netns = static_cast<std::uint32_t>(value); break;
        case Attribute::pid: flow.pid = static_cast<std::uint32_t>(value); break;
        case Attribute::traits: set_traits(flow, value); break;
        case Attribute::process: flow.process = static_cast<StringId>(value); break;
        case Attribute::peer_process: flow.peer_process = static_cast<StringId>(value); break;
        default: break;
    }
}
inline std::uint64_t value_of(const L7Row& row, Attribute attribute) {
    switch (attribute) {
        case Attribute::method: return row.method;
        case Attribute::path: return row.path;
        case Attribute::route: return row.route;
        case Attribute::status: return row.status;
        case Attribute::http_traits: return http_traits_of(row);
        default: return 0;
    }
}
inline void set_value(L7Row& row, Attribute attribute, std::uint64_t value) {
    switch (attribute) {
        case Attribute::method: row.method = static_cast<StringId>(value); break;
        case Attribute::path: row.path = static_cast<StringId>(value); break;
        case Attribute::route: row.route = static_cast<StringId>(value); break;
        case Attribute::status: row.status = static_cast<std::uint16_t>(value); break;
        case Attribute::http_traits: set_http_traits(row, value); break;
        default: break;
    }
}

// Numbers and histograms of a row: where they are stored, where they are in the row, and what they add to.
template <typename Row>
struct NumberColumn {
    Section section;
    std::uint64_t Row::*of_row;
    std::uint64_t query::Measures::*of_sum;
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
    static constexpr query::Layer kLayer = query::Layer::l4;
    static constexpr AttributeSet kAttributes = 0;
    static constexpr std::array<NumberColumn<L4Row>, 6> kNumbers = {{
        {Section::bytes_written, &L4Row::bytes_written, &query::Measures::bytes_written},
        {Section::bytes_read, &L4Row::bytes_read, &query::Measures::bytes_read},
        {Section::retransmits, &L4Row::retransmits, &query::Measures::retransmits},
        {Section::tcp_established, &L4Row::tcp_established, &query::Measures::tcp_established},
        {Section::tcp_closed, &L4Row::tcp_closed, &query::Measures::tcp_closed},
        {Section::connect_failed, &L4Row::connect_failed, &query::Measures::connect_failed},
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
    static constexpr query::Layer kLayer = query::Layer::l7;
    static constexpr AttributeSet kAttributes = kRowAttributes;
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

}  // namespace weir::store
