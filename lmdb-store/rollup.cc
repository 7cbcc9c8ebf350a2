#include "lmdb-store/rollup.h"

#include <algorithm>

namespace weir::store {
namespace {

// Bounds the memory of the minute in work, to some ten MiB; a larger minute is written in parts.
constexpr std::size_t kMaxRows = 128 * 1024;

}  // namespace

bool Rollup::takes(const EntryHeader& header) const {
    if (empty()) return true;
    return !begins_minute(header.end_ns) && header_.segment == header.segment && rows() < kMaxRows;
}

void Rollup::add(const Batch& batch, const RowSubjects& subjects, const EntryHeader& header) {
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
    add_rows(batch, subjects);
}

void Rollup::add_rows(const Batch& batch, const RowSubjects& subjects) {
    each_layer([&](auto& layer) { layer.add(batch, subjects); });
    slow_.add(batch.slow, subjects.slow);
}

bool Rollup::encode(std::size_t rows) {
    const auto go_on = [&](auto& encoder, std::vector<Block>& blocks) {
        return encode_some(encoder, rows, [&](Block block) { blocks.push_back(std::move(block)); });
    };
    bool is_done = true;
    each_layer([&](auto& layer) {
        if (!layer.encoder) layer.begin_encoding();
        const std::size_t encoded = go_on(*layer.encoder, layer.blocks);
        if (layer.by_endpoint) layer.by_endpoint->add(encoded);
        is_done &= layer.encoder->left() == 0;
    });
    if (!slow_encoder_) slow_encoder_.emplace(slow_.encoder());
    go_on(*slow_encoder_, slow_blocks_);
    return is_done && slow_encoder_->left() == 0;
}

ClosedPart Rollup::take() {
    ClosedPart out;
    out.minute.header = std::exchange(header_, EntryHeader());
    EndpointRows by_endpoint;
    bool has_endpoints = true;
    each_layer([&](auto& layer) {
        has_endpoints &= layer.has_endpoints;
        layer.take(out, by_endpoint);
    });
    if (has_endpoints) out.by_endpoint = std::move(by_endpoint);
    out.minute.set(Part::slow, slow_.size(), std::exchange(slow_blocks_, {}));
    slow_encoder_.reset();
    slow_.clear();
    return out;
}

template <typename Row>
void Rollup::Layer<Row>::add(const Batch& batch, const RowSubjects& subjects) {
    rows.add(RowColumns<Row>::rows(batch), subjects.of<Row>());
    for (std::size_t i = endpoints.size(); i < rows.size(); i++) {
        endpoints.push_back(subjects.endpoints<Row>()[rows.subjects()[i]]);
        has_endpoints &= endpoints.back() != kNoEndpoint;
    }
}

template <typename Row>
void Rollup::Layer<Row>::begin_encoding() {
    encoder.emplace(rows.encoder());
    if (has_endpoints) by_endpoint.emplace(rows.rows(), endpoints);
}

template <typename Row>
void Rollup::Layer<Row>::take(ClosedPart& out, EndpointRows& sums) {
    out.minute.set(RowColumns<Row>::kPart, rows.size(), std::exchange(blocks, {}));
    if (by_endpoint) sums.of<Row>() = by_endpoint->take();
    encoder.reset();
    by_endpoint.reset();
    rows.clear();
    endpoints.clear();
    has_endpoints = true;
}

}  // namespace weir::store
