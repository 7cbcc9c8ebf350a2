#include "lmdb-store/histogram_column.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

// Differences wrap around, so any two values have one.
std::uint64_t zigzag_of(std::uint64_t difference) { return zigzag(static_cast<std::int64_t>(difference)); }
std::uint64_t difference_of(std::uint64_t stored) { return static_cast<std::uint64_t>(unzigzag(stored)); }

// The middle of each bucket.
constexpr auto kMiddles = [] {
    std::array<std::uint64_t, std::size_t{kLastBucket} + 1> out{};
    for (std::size_t i = 0; i < out.size(); i++) {
        const auto index = static_cast<std::uint16_t>(i);
        out[i] = Histogram::lower_bound(index) + (Histogram::width(index) - 1) / 2;
    }
    return out;
}();

// The sum of a row without its residual: one sample counts as the maximum, the others as the middles.
std::uint64_t estimate(const Histogram& histogram) {
    const auto buckets = histogram.buckets();
    std::uint64_t out = histogram.max() - kMiddles[buckets.back().index];
    for (const Histogram::Bucket& bucket : buckets) out += bucket.count * kMiddles[bucket.index];
    return out;
}

using Parts = HistogramColumn::Stored;

// How many buckets there are, and where those of each row are. False when there are too many.
bool place_rows(const std::vector<std::uint32_t>& sizes, std::size_t max_buckets, HistogramColumn& out,
                std::vector<std::uint32_t>& used_before) {
    out.begin.resize(sizes.size() + 1);
    used_before.resize(sizes.size() + 1);
    std::uint64_t at = 0;
    std::uint32_t used = 0;
    for (std::size_t row = 0; row < sizes.size(); row++) {
        out.begin[row] = static_cast<std::uint32_t>(at);
        used_before[row] = used;
        at += sizes[row];
        used += sizes[row] != 0 ? 1 : 0;
        if (at > max_buckets) return false;
    }
    out.begin[sizes.size()] = static_cast<std::uint32_t>(at);
    used_before[sizes.size()] = used;
    return true;
}

// Which chunks of the sequences hold something of the wanted rows.
struct WantedParts {
    ChunkSet used, buckets, gaps;
};

WantedParts wanted_parts(const HistogramColumn& column, const Parts& parts,
                         const std::vector<std::uint32_t>& rows) {
    WantedParts out;
    for (const std::uint32_t row : rows) {
        const std::uint32_t begin = column.begin[row];
        const std::uint32_t end = column.begin[row + 1];
        if (begin == end) continue;
        const std::uint32_t used = parts.used_before[row];
        out.used.add(used, used + 1);
        out.buckets.add(begin, end);
        // A row has one gap less than buckets.
        out.gaps.add(begin - used, end - used - 1);
    }
    return out;
}

// Reads the sequences; their lengths fit each other afterwards, or the reader failed.
void read_parts(ByteReader& in, std::size_t rows, std::size_t max_buckets,
                const std::vector<std::uint32_t>* wanted, Parts& parts, HistogramColumn& out) {
    read_sequence(in, rows, parts.sizes);
    if (parts.sizes.size() != rows || !place_rows(parts.sizes, max_buckets, out, parts.used_before)) {
        return in.fail();
    }
    const std::size_t used = parts.used_before[rows];
    const std::size_t buckets = out.begin[rows];
    WantedParts chunks;
    if (wanted != nullptr) chunks = wanted_parts(out, parts, *wanted);
    const auto only = [&](const ChunkSet& set) { return wanted == nullptr ? nullptr : &set; };
    read_sequence(in, used, parts.max, only(chunks.used));
    read_sequence(in, used, parts.highest, only(chunks.used));
    read_sequence(in, buckets - used, parts.gaps, only(chunks.gaps));
    read_sequence(in, buckets, parts.counts, only(chunks.buckets));
    read_sequence(in, used, parts.sums, only(chunks.used));
    if (parts.max.size() != used || parts.highest.size() != used || parts.gaps.size() != buckets - used ||
        parts.counts.size() != buckets || parts.sums.size() != used) {
        in.fail();
    }
}

// One row's buckets, highest first. False when they leave the range.
bool place_buckets(const Parts& parts, std::size_t row, HistogramColumn& out) {
    const std::uint32_t used = parts.used_before[row];
    const std::uint32_t begin = out.begin[row];
    std::uint32_t at = out.begin[row + 1] - 1;
    const std::uint64_t max = parts.max[used];
    std::uint64_t index = Histogram::bucket_of(max) + difference_of(parts.highest[used]);
    if (index > kLastBucket) return false;
    std::uint64_t sum = difference_of(parts.sums[used]) + max - kMiddles[index];
    for (;; at--) {
        const std::uint64_t count = parts.counts[at] + 1;
        if (count > kMaxBucketCount) return false;
        out.index[at] = static_cast<std::uint16_t>(index);
        out.count[at] = count;
        sum += count * kMiddles[index];
        if (at == begin) break;
        const std::uint64_t gap = parts.gaps[at - 1 - used];
        if (gap >= index) return false;
        index -= gap + 1;
    }
    out.max[row] = max;
    out.sum[row] = sum;
    return true;
}

}  // namespace

Histogram HistogramColumn::at(std::size_t row) const {
    std::vector<Histogram::Bucket> buckets;
    buckets.reserve(begin[row + 1] - begin[row]);
    for (std::uint32_t i = begin[row]; i < begin[row + 1]; i++) buckets.push_back({index[i], count[i]});
    return Histogram::from_parts(std::move(buckets), sum[row], max[row]);
}

void HistogramColumn::set_empty(std::size_t rows) {
    begin.assign(rows + 1, 0);
    index.clear();
    count.clear();
    max.assign(rows, 0);
    sum.assign(rows, 0);
}

bool is_storable(const Histogram& histogram) {
    const auto buckets = histogram.buckets();
    for (std::size_t i = 0; i < buckets.size(); i++) {
        if (buckets[i].index > kLastBucket || (i > 0 && buckets[i].index <= buckets[i - 1].index))
            return false;
        if (buckets[i].count > kMaxBucketCount) return false;
    }
    return true;
}

void HistogramColumnWriter::add(const Histogram& histogram) {
    const auto buckets = histogram.buckets();
    sizes_.push_back(buckets.size());
    if (buckets.empty()) return;
    max_.push_back(histogram.max());
    highest_.push_back(
        zigzag_of(std::uint64_t{buckets.back().index} - Histogram::bucket_of(histogram.max())));
    for (std::size_t i = 0; i + 1 < buckets.size(); i++) {
        gaps_.push_back(std::uint64_t{buckets[i + 1].index} - buckets[i].index - 1);
    }
    for (const Histogram::Bucket& bucket : buckets) counts_.push_back(bucket.count - 1);
    sums_.push_back(zigzag_of(histogram.sum() - estimate(histogram)));
}

void HistogramColumnWriter::write(ByteWriter& out) const {
    for (const auto* part : {&sizes_, &max_, &highest_, &gaps_, &counts_, &sums_}) write_sequence(out, *part);
}

void HistogramColumnWriter::clear() {
    for (auto* part : {&sizes_, &max_, &highest_, &gaps_, &counts_, &sums_}) part->clear();
}

void read_histograms(ByteReader& in, std::size_t rows, std::size_t max_buckets, HistogramColumn& out,
                     const std::vector<std::uint32_t>* wanted) {
    Parts& parts = out.stored;
    read_parts(in, rows, max_buckets, wanted, parts, out);
    if (in.failed()) return;
    out.index.resize(out.begin[rows]);
    out.count.resize(out.begin[rows]);
    out.max.assign(rows, 0);
    out.sum.assign(rows, 0);
    const auto place = [&](std::uint32_t row) {
        if (out.begin[row] != out.begin[row + 1] && !place_buckets(parts, row, out)) in.fail();
    };
    if (wanted != nullptr) {
        for (const std::uint32_t row : *wanted) place(row);
    } else {
        for (std::uint32_t row = 0; row < rows; row++) place(row);
    }
}

}  // namespace weir::store
