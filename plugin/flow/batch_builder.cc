#include "plugin/flow/batch_builder.h"

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string>

#include "plugin/base/bytes_hash.h"
#include "plugin/protocol/route.h"

namespace weir {
namespace {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};

template <typename Row>
void add_bytes(Row& into, const Row& from) {
    into.bytes_written += from.bytes_written;
    into.bytes_read += from.bytes_read;
}

constexpr std::array kConnectCounts = {
    &L4Row::connect_failed,      &L4Row::connect_refused, &L4Row::connect_timed_out,
    &L4Row::connect_unreachable, &L4Row::connect_reset,   &L4Row::connect_failed_other,
};

struct DnsKey {
    std::uint32_t flow = 0;
    std::int32_t rcode = 0;
};

}  // namespace

struct BatchBuilder::Index {
    tsl::robin_map<std::string, StringId, TextHash, std::equal_to<>> strings;
    tsl::robin_map<Flow, std::uint32_t, BytesHash<Flow>, BytesEqual<Flow>> flows;
    tsl::robin_map<L7Key, std::uint32_t, BytesHash<L7Key>, BytesEqual<L7Key>> l7;
    tsl::robin_map<DnsKey, std::uint32_t, BytesHash<DnsKey>, BytesEqual<DnsKey>> dns;
    std::string route;
};

BatchBuilder::BatchBuilder() : batch_(std::make_unique<Batch>()), index_(std::make_unique<Index>()) {}
BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

StringId BatchBuilder::intern(std::string_view text) {
    if (text.empty()) return 0;
    if (const auto at = index_->strings.find(text); at != index_->strings.end()) return at->second;
    const StringId id = batch_->strings.append(text);
    index_->strings.emplace(std::string(text), id);
    return id;
}

std::uint32_t BatchBuilder::flow(const Flow& flow) {
    const auto next = static_cast<std::uint32_t>(batch_->flows.size());
    const auto [at, is_new] = index_->flows.try_emplace(flow, next);
    if (is_new) {
        batch_->flows.push_back(flow);
        l4_of_.push_back(kNone);
        largest_ = std::max(largest_, batch_->flows.size());
    }
    return at->second;
}

bool BatchBuilder::has_flow(const Flow& flow) const { return index_->flows.contains(flow); }

L4Row& BatchBuilder::new_l4(std::uint32_t flow) {
    l4_of_[flow] = static_cast<std::uint32_t>(batch_->l4.size());
    L4Row& row = batch_->l4.emplace_back();
    row.flow = flow;
    return row;
}

L7Row& BatchBuilder::l7(const L7Key& key) {
    bool is_new = false;
    L7Row& row = l7(key, is_new);
    if (is_new) {
        protocol::fold_route(text(key.path), index_->route);
        row.route = intern(index_->route);
    }
    return row;
}

L7Row& BatchBuilder::l7(const L7Key& key, bool& is_new) {
    const auto next = static_cast<std::uint32_t>(batch_->l7.size());
    const auto found = index_->l7.try_emplace(key, next);
    is_new = found.second;
    if (is_new) {
        L7Row& row = batch_->l7.emplace_back();
        largest_ = std::max(largest_, batch_->l7.size());
        row.flow = key.flow;
        row.method = key.method;
        row.path = key.path;
        row.status = key.status;
        row.version = key.version;
        row.truncated = key.truncated;
        row.grpc_status = key.grpc_status;
    }
    return batch_->l7[found.first->second];
}

DnsRow& BatchBuilder::dns(std::uint32_t flow, std::int16_t rcode) {
    const auto next = static_cast<std::uint32_t>(batch_->dns.size());
    const auto [at, is_new] = index_->dns.try_emplace(DnsKey{flow, rcode}, next);
    if (is_new) {
        DnsRow& row = batch_->dns.emplace_back();
        row.flow = flow;
        row.rcode = rcode;
    }
    return batch_->dns[at->second];
}

SlowRow& BatchBuilder::add_slow() { return batch_->slow.emplace_back(); }

void BatchBuilder::add(const Batch& from) {
    if (batch_->end_ns == 0) {
        batch_->begin_ns = from.begin_ns;
        batch_->host = from.host;
        batch_->service = from.service;
    }
    batch_->begin_ns = std::min(batch_->begin_ns, from.begin_ns);
    batch_->end_ns = std::max(batch_->end_ns, from.end_ns);
    for (std::size_t i = 0; i < kLossCount; i++) batch_->losses[i] += from.losses[i];
    add_reconciled(batch_->reconciled, from.reconciled);

    std::vector<std::uint32_t> flows;
    flows.reserve(from.flows.size());
    for (Flow copy : from.flows) {
        copy.process = intern(from.strings[copy.process]);
        copy.peer_process = intern(from.strings[copy.peer_process]);
        copy.container = intern(from.strings[copy.container]);
        copy.domain = intern(from.strings[copy.domain]);
        flows.push_back(flow(copy));
    }
    for (const L4Row& row : from.l4) {
        L4Row& into = l4(flows[row.flow]);
        add_bytes(into, row);
        into.retransmits += row.retransmits;
        into.tcp_established += row.tcp_established;
        into.tcp_closed += row.tcp_closed;
        for (const auto member : kConnectCounts) into.*member += row.*member;
        into.rtt.merge(row.rtt);
        into.rtt_var.merge(row.rtt_var);
    }
    for (const L7Row& row : from.l7) {
        bool is_new = false;
        L7Row& into = l7({flows[row.flow], intern(from.strings[row.method]), intern(from.strings[row.path]),
                          row.status, row.version, row.truncated, row.grpc_status},
                         is_new);
        add_bytes(into, row);
        if (is_new) into.route = intern(from.strings[row.route]);
        into.count += row.count;
        into.latency.merge(row.latency);
    }
    for (const DnsRow& row : from.dns) {
        DnsRow& into = dns(flows[row.flow], row.rcode);
        into.count += row.count;
        into.latency.merge(row.latency);
    }
    for (SlowRow row : from.slow) {
        row.flow = flows[row.flow];
        row.method = intern(from.strings[row.method]);
        row.path = intern(from.strings[row.path]);
        row.route = intern(from.strings[row.route]);
        batch_->slow.push_back(std::move(row));
    }
}

std::unique_ptr<Batch> BatchBuilder::take() {
    auto out = std::move(batch_);
    *this = BatchBuilder();
    return out;
}

}  // namespace weir
