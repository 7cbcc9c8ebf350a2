#include "lmdb-store/endpoint_rollup.h"

#include <algorithm>
#include <utility>

#include "lmdb-store/block_format.h"
#include "lmdb-store/prefetch.h"

namespace weir::store {
namespace {

constexpr std::int64_t kLength = kHourMinutes * kMinute;
// Bound the memory to some twenty MiB, and how long the encoding takes. Hosts have few addresses: for most of
// them an hour is far from it.
constexpr std::size_t kMaxRows = 32 * 1024;
constexpr std::size_t kMaxBuckets = std::size_t{1} << 20;

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

template <typename Row>
std::size_t EndpointLayer<Row>::buckets() const {
    std::size_t out = 0;
    for (const HistogramColumnWriter& column : histograms) out += column.buckets();
    return out;
}

template <typename Row>
void EndpointLayer<Row>::add(const EndpointLayer& other, std::uint64_t minute) {
    append(endpoints, other.endpoints);
    append(counts, other.counts);
    minutes.resize(endpoints.size(), minute);
    for (std::size_t c = 0; c < numbers.size(); c++) append(numbers[c], other.numbers[c]);
    for (std::size_t c = 0; c < histograms.size(); c++) histograms[c].add(other.histograms[c]);
}

template <typename Row>
EndpointSums<Row>::EndpointSums(const RowRun<Row>& run) : run_(&run) {
    std::vector<std::uint32_t> endpoints(run.size());
    for (std::size_t i = 0; i < endpoints.size(); i++) endpoints[i] = run[i].endpoint();
    order_ = order_of(endpoints);
}

template <typename Row>
void EndpointSums<Row>::add(std::size_t rows) {
    for (const std::size_t end = at_ + rows; at_ != end; at_++) {
        if (left() > 2 * kAhead) prefetch((*run_)[order_[at_ + 2 * kAhead]].words());
        const RunRow<Row> row = (*run_)[order_[at_]];
        if (out_.endpoints.empty() || out_.endpoints.back() != row.endpoint()) {
            end_endpoint();
            out_.endpoints.push_back(row.endpoint());
        }
        add(row);
    }
}

template <typename Row>
void EndpointSums<Row>::add(const RunRow<Row>& row) {
    count_++;
    row.visit([&](std::size_t c, std::uint64_t number) { numbers_[c] += number; },
              [&](std::size_t c, const PackedHistogram& histogram) {
                  for (const std::uint64_t packed : histogram.buckets()) {
                      const auto [index, count] = unpack(packed);
                      histograms_[c].add(index, count);
                  }
                  histograms_[c].add_sum(histogram.sum(), histogram.max());
              });
}

template <typename Row>
void EndpointSums<Row>::end_endpoint() {
    if (out_.endpoints.empty()) return;
    out_.counts.push_back(std::exchange(count_, 0) - 1);
    for (std::size_t c = 0; c < numbers_.size(); c++)
        out_.numbers[c].push_back(std::exchange(numbers_[c], 0));
    for (std::size_t c = 0; c < histograms_.size(); c++) out_.histograms[c].add(histograms_[c].take());
}

template <typename Row>
EndpointLayer<Row> EndpointSums<Row>::take() {
    end_endpoint();
    return std::move(out_);
}

template <typename Row>
EndpointEncoder<Row>::EndpointEncoder(const EndpointLayer<Row>& layer)
    : layer_(&layer), order_(order_of(layer.endpoints)) {
    for (std::size_t c = 0; c < places_.size(); c++) places_[c] = layer.histograms[c].places();
}

template <typename Row>
std::pair<Block, std::uint32_t> EndpointEncoder<Row>::next() {
    take();
    BlockWriter out;
    gather(layer_->endpoints);
    const auto first = static_cast<std::uint32_t>(gathered_.front());
    out.add_sequence(Section::subjects, gathered_);
    for (const auto& [section, column] :
         {std::pair(Section::minute, &layer_->minutes), std::pair(Section::rows, &layer_->counts)}) {
        gather(*column);
        out.add_numbers(section, gathered_);
    }
    for (std::size_t c = 0; c < Columns::kNumbers.size(); c++) {
        gather(layer_->numbers[c]);
        out.add_numbers(Columns::kNumbers[c].section, gathered_);
    }
    for (std::size_t c = 0; c < Columns::kHistograms.size(); c++) {
        HistogramColumnWriter histograms;
        for (const std::uint32_t row : taken_) histograms.add(layer_->histograms[c], places_[c], row);
        if (histograms.empty()) continue;
        out.add(Columns::kHistograms[c].section, [&](ByteWriter& bytes) { histograms.write(bytes); });
    }
    return {out.finish(Columns::kPart, taken_.size()), first};
}

template <typename Row>
void EndpointEncoder<Row>::take() {
    buckets_ = 0;
    std::size_t end = at_;
    while (end < order_.size() && end - at_ < kEndpointBlockRows && buckets_ < kBlockBuckets) {
        for (const auto& column : layer_->histograms) buckets_ += column.buckets(order_[end]);
        end++;
    }
    taken_ = std::span(order_).subspan(at_, end - at_);
    at_ = end;
}

template <typename Row>
template <typename T>
void EndpointEncoder<Row>::gather(const std::vector<T>& column) {
    gathered_.resize(taken_.size());
    for (std::size_t i = 0; i < taken_.size(); i++) gathered_[i] = column[taken_[i]];
}

bool EndpointRollup::takes(const EntryHeader& minute, std::uint64_t sequence) const {
    if (empty()) return true;
    return minute.segment == header_.segment && sequence == header_.last_sequence + 1 &&
           rows_.size() < kMaxRows && rows_.buckets() < kMaxBuckets && minute.end_ns > header_.begin_ns &&
           minute.end_ns - header_.begin_ns <= kLength;
}

bool EndpointRollup::fits(const EndpointRows& rows) {
    return rows.size() <= kMaxRows && rows.buckets() <= kMaxBuckets;
}

void EndpointRollup::add(const EntryHeader& minute, std::uint64_t sequence, const EndpointRows& rows) {
    if (empty()) {
        header_.begin_ns = minute.end_ns - kMinute;
        header_.host = minute.host;
        header_.service = minute.service;
        header_.segment = minute.segment;
        header_.first_sequence = sequence;
    }
    header_.end_ns = std::max(header_.end_ns, minute.end_ns);
    header_.last_sequence = sequence;
    for (std::size_t i = 0; i < kLossCount; i++) header_.losses[i] += minute.losses[i];
    add_reconciled(header_.reconciled, minute.reconciled);
    const auto number = static_cast<std::uint64_t>((minute.end_ns - header_.begin_ns) / kMinute - 1);
    rows_.l4.add(rows.l4, number);
    rows_.l7.add(rows.l7, number);
    rows_.dns.add(rows.dns, number);
}

bool EndpointRollup::encode(std::size_t rows) {
    bool is_done = true;
    each_layer([&]<typename Row>(const EndpointLayer<Row>& layer, Encoding<Row>& encoding) {
        if (!encoding.encoder) encoding.encoder.emplace(layer);
        auto& encoder = *encoding.encoder;
        while (rows != 0 && encoder.left() != 0) {
            auto [block, first_subject] = encoder.next();
            encoding.blocks.push_back(std::move(block));
            encoding.first_subjects.push_back(first_subject);
            rows -= std::min(rows, encoder.weight());
        }
        is_done &= encoder.left() == 0;
    });
    return is_done;
}

NewEntry EndpointRollup::take() {
    NewEntry out;
    out.header = header_;
    each_layer([&]<typename Row>(const EndpointLayer<Row>& layer, Encoding<Row>& encoding) {
        append(out.header.first_subjects, encoding.first_subjects);
        out.set(RowColumns<Row>::kPart, layer.size(), std::move(encoding.blocks));
    });
    clear();
    return out;
}

template struct EndpointLayer<L4Row>;
template struct EndpointLayer<L7Row>;
template struct EndpointLayer<DnsRow>;
template class EndpointSums<L4Row>;
template class EndpointSums<L7Row>;
template class EndpointSums<DnsRow>;
template class EndpointEncoder<L4Row>;
template class EndpointEncoder<L7Row>;
template class EndpointEncoder<DnsRow>;

}  // namespace weir::store
