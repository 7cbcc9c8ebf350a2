#include "lmdb-store/run_merge.h"

#include <algorithm>
#include <utility>

namespace weir::store {
namespace {

// In order, each index once.
void fold(std::vector<std::uint64_t>& buckets) {
    std::sort(buckets.begin(), buckets.end());
    std::size_t size = 0;
    for (const std::uint64_t bucket : buckets) {
        if (size != 0 && buckets[size - 1] >> kCountBits == bucket >> kCountBits) {
            buckets[size - 1] += unpack(bucket).count;
        } else {
            buckets[size++] = bucket;
        }
    }
    buckets.resize(size);
}

}  // namespace

template <typename Row>
RunMerge<Row>::RunMerge(std::vector<RowRun<Row>> runs) {
    for (RowRun<Row>& run : runs) {
        if (run.size() == 0) continue;
        const std::uint32_t subject = run[0].subject();
        runs_.push_back({std::move(run), 0, subject});
    }
}

template <typename Row>
void RunMerge<Row>::take(std::size_t rows, RowRun<Row>& out) {
    for (const std::size_t end = out.size() + rows; out.size() < end && !is_done();) {
        collect(next_subject());
        if (rows_.size() == 1 || std::is_same_v<Row, SlowRow>) {
            for (const RunRow<Row>& row : rows_) out.add(row);
        } else {
            add_up(out);
        }
        if (has_ended_) std::erase_if(runs_, [](const Input& input) { return input.at == input.run.size(); });
        has_ended_ = false;
    }
}

template <typename Row>
std::uint32_t RunMerge<Row>::next_subject() const {
    std::uint32_t out = runs_.front().subject;
    for (const Input& input : runs_) out = std::min(out, input.subject);
    return out;
}

template <typename Row>
void RunMerge<Row>::collect(std::uint32_t subject) {
    rows_.clear();
    for (Input& input : runs_) {
        while (input.subject == subject) {
            rows_.push_back(input.run[input.at++]);
            if (input.at == input.run.size()) {
                has_ended_ = true;
                break;
            }
            input.subject = input.run[input.at].subject();
        }
    }
}

template <typename Row>
void RunMerge<Row>::add_up(RowRun<Row>& out) {
    std::array<std::uint64_t, kRunNumbers<Row>> numbers{};
    std::array<std::uint64_t, RowRun<Row>::kHistograms> max{}, sum{};
    for (auto& buckets : buckets_) buckets.clear();
    for (const RunRow<Row>& row : rows_) {
        row.visit([&](std::size_t c, std::uint64_t number) { numbers[c] += number; },
                  [&](std::size_t c, const PackedHistogram& histogram) {
                      max[c] = std::max(max[c], histogram.max());
                      sum[c] += histogram.sum();
                      const auto more = histogram.buckets();
                      buckets_[c].insert(buckets_[c].end(), more.begin(), more.end());
                  });
    }
    std::array<PackedHistogram, RowRun<Row>::kHistograms> histograms;
    for (std::size_t c = 0; c < histograms.size(); c++) {
        fold(buckets_[c]);
        histograms[c] = {max[c], sum[c], buckets_[c]};
    }
    out.add(rows_.front().subject(), rows_.front().endpoint(), numbers, histograms);
}

template class RunMerge<L4Row>;
template class RunMerge<L7Row>;
template class RunMerge<DnsRow>;
template class RunMerge<SlowRow>;

}  // namespace weir::store
