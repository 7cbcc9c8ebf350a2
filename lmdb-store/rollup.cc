#include "lmdb-store/rollup.h"

#include <algorithm>
#include <utility>

namespace weir::store {
namespace {

// Bounds the memory of the minute in work. What does not fit is added up early; what is larger even so is
// written in parts.
constexpr std::size_t kMaxRows = 128 * 1024;
constexpr std::size_t kMaxBytes = std::size_t{40} << 20;
// Intervals of a second or two are added up now and then: each run costs the adding up some time for each
// row.
constexpr std::size_t kMaxRuns = 16;

}  // namespace

bool Rollup::takes(const EntryHeader& header) const {
    if (empty()) return true;
    return !begins_minute(header.end_ns) && header_.segment == header.segment && !is_full();
}

bool Rollup::is_full() const {
    std::size_t rows = 0;
    each_layer([&](const auto& layer) { rows += layer.rows(); });
    return rows >= kMaxRows || bytes() >= kMaxBytes;
}

std::size_t Rollup::bytes() const {
    std::size_t out = 0;
    each_layer([&](const auto& layer) { out += layer.bytes(); });
    return out;
}

void Rollup::add(RowRuns&& runs, const EntryHeader& header) {
    if (empty()) {
        header_ = EntryHeader();
        header_.begin_ns = header.begin_ns;
        header_.end_ns = minute_end(header.end_ns);
        header_.host = header.host;
        header_.service = header.service;
        header_.segment = header.segment;
        header_.first_sequence = header.first_sequence;
    }
    header_.begin_ns = std::min(header_.begin_ns, header.begin_ns);
    header_.last_sequence = header.last_sequence;
    for (std::size_t i = 0; i < kLossCount; i++) header_.losses[i] += header.losses[i];
    add_reconciled(header_.reconciled, header.reconciled);
    add_rows(std::move(runs));
}

void Rollup::add_rows(RowRuns&& runs) {
    each_layer([&]<typename Row>(Layer<Row>& layer) { layer.add(std::move(runs.of<Row>())); });
    if (bytes() >= kMaxBytes) each_layer([](auto& layer) { layer.add_up(); });
}

bool Rollup::encode(std::size_t rows) {
    bool is_done = true;
    each_layer([&](auto& layer) { is_done &= layer.encode(rows); });
    return is_done;
}

ClosedPart Rollup::take() {
    ClosedPart out;
    out.minute.header = std::exchange(header_, EntryHeader());
    EndpointRows by_endpoint;
    bool has_endpoints = true;
    each_layer([&](auto& layer) { layer.take(out, by_endpoint, has_endpoints); });
    if (has_endpoints) out.by_endpoint = std::move(by_endpoint);
    return out;
}

template <typename Row>
void Rollup::Layer<Row>::add(RowRun<Row>&& run) {
    if (run.size() == 0) return;
    runs.push_back(std::move(run));
    if (runs.size() >= kMaxRuns) add_up();
}

template <typename Row>
void Rollup::Layer<Row>::add_up() {
    if (runs.size() < 2) return;
    RowRun<Row> out;
    out.reserve_for(runs);
    RunMerge<Row> all(std::exchange(runs, {}));
    while (!all.is_done()) all.take(kBlockRows, out);
    runs.push_back(std::move(out));
}

template <typename Row>
std::size_t Rollup::Layer<Row>::bytes() const {
    std::size_t out = 0;
    for (const RowRun<Row>& run : runs) out += run.bytes();
    return out;
}

template <typename Row>
std::size_t Rollup::Layer<Row>::rows() const {
    std::size_t out = 0;
    for (const RowRun<Row>& run : runs) out = std::max(out, run.size());
    return out;
}

template <typename Row>
bool Rollup::Layer<Row>::encode(std::size_t& rows) {
    if (!encoder) begin_encoding();
    encode_blocks(rows);
    return merge->is_done() && encoder->left() == 0 && sum_endpoints(rows);
}

template <typename Row>
void Rollup::Layer<Row>::begin_encoding() {
    // what has nothing to be added up is as it should be
    if (runs.size() == 1 && !runs.front().has_repeated()) {
        sums = std::move(runs.front());
        runs.clear();
    }
    sums.reserve_for(runs);
    merge.emplace(std::exchange(runs, {}));
    encoder.emplace(sums);
}

// Adds up no more than is encoded next.
template <typename Row>
void Rollup::Layer<Row>::encode_blocks(std::size_t& rows) {
    while (rows != 0) {
        merge->take(kBlockRows - std::min(kBlockRows, encoder->left()), sums);
        const std::size_t left = encoder->left();
        if (left == 0) return;
        blocks.push_back(encoder->next());
        rows -= std::min(rows, left - encoder->left());
    }
}

// When all are encoded. True when there is nothing left to do.
template <typename Row>
bool Rollup::Layer<Row>::sum_endpoints(std::size_t& rows) {
    if constexpr (std::is_same_v<Row, SlowRow>) {
        return true;
    } else {
        if (!sums.has_endpoints()) return true;
        if (!by_endpoint) by_endpoint.emplace(sums);
        // two take about as long as one that is added up and encoded
        const std::size_t pairs = std::min(rows, (by_endpoint->left() + 1) / 2);
        by_endpoint->add(std::min(2 * pairs, by_endpoint->left()));
        rows -= pairs;
        return by_endpoint->left() == 0;
    }
}

template <typename Row>
void Rollup::Layer<Row>::take(ClosedPart& out, EndpointRows& sums_of_endpoints, bool& has_endpoints) {
    out.minute.set(RowColumns<Row>::kPart, sums.size(), std::move(blocks));
    if constexpr (!std::is_same_v<Row, SlowRow>) {
        if (by_endpoint) sums_of_endpoints.of<Row>() = by_endpoint->take();
        has_endpoints &= by_endpoint.has_value();
    }
    *this = Layer();
}

}  // namespace weir::store
