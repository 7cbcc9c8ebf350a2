#include "lmdb-store/histogram_column.h"

#include <algorithm>

#include "lmdb-store/sequence.h"

namespace weir::store {
namespace {

// Differences wrap around, so any two values have one.
std::uint64_t zigzag_of(std::uint64_t difference) { return zigzag(static_cast<std::int64_t>(difference)); }
std::uint64_t difference_of(std::uint64_t stored) { return static_cast<std::uint64_t>(unzigzag(stored)); }

std::uint64_t middle(std::uint16_t index) {
    return Histogram::lower_bound(index) + (Histogram::width(index) - 1) / 2;
}

std::uint64_t highest_minus_estimate(std::uint64_t max, std::uint16_t highest) {
    return max - middle(highest);
}

// The sum of a row without its residual.
template <typename Index, typename Count>
std::uint64_t estimate(std::size_t buckets, std::uint64_t max, Index index, Count count) {
    std::uint64_t out = highest_minus_estimate(max, index(buckets - 1));
    for (std::size_t i = 0; i < buckets; i++) out += count(i) * middle(index(i));
    return out;
}

std::uint64_t estimate(const Histogram& histogram) {
    const auto buckets = histogram.buckets();
    return estimate(
        buckets.size(), histogram.max(), [&](std::size_t i) { return buckets[i].index; },
        [&](std::size_t i) { return buckets[i].count; });
}

struct Parts {
    std::vector<std::uint64_t> sizes, max, highest, gaps, counts, sums;
};

// Reads the sequences; their lengths fit each other afterwards, or the reader failed.
void read_parts(ByteReader& in, std::size_t rows, std::size_t max_buckets, Parts& parts,
                std::size_t& buckets) {
    read_sequence(in, rows, parts.sizes);
    if (parts.sizes.size() != rows) return in.fail();
    std::size_t used = 0;
    buckets = 0;
    for (const std::uint64_t size : parts.sizes) {
        if (size > max_buckets) return in.fail();
        used += size > 0 ? 1 : 0;
        buckets += static_cast<std::size_t>(size);
        if (buckets > max_buckets) return in.fail();
    }
    read_sequence(in, used, parts.max);
    read_sequence(in, used, parts.highest);
    read_sequence(in, buckets - used, parts.gaps);
    read_sequence(in, buckets, parts.counts);
    read_sequence(in, used, parts.sums);
    if (parts.max.size() != used || parts.highest.size() != used || parts.gaps.size() != buckets - used ||
        parts.counts.size() != buckets || parts.sums.size() != used) {
        in.fail();
    }
}

// Bucket numbers of one row, highest first, from its gaps. False when they leave the range.
bool place_buckets(std::uint64_t highest, std::span<const std::uint64_t> gaps,
                   std::span<std::uint16_t> index) {
    if (highest > kLastBucket) return false;
    index.back() = static_cast<std::uint16_t>(highest);
    for (std::size_t i = gaps.size(); i-- > 0;) {
        if (gaps[i] >= index[i + 1]) return false;
        index[i] = static_cast<std::uint16_t>(index[i + 1] - 1 - gaps[i]);
    }
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
    }
    return true;
}

void write_histograms(ByteWriter& out, std::span<const Histogram* const> rows) {
    Parts parts;
    parts.sizes.reserve(rows.size());
    for (const Histogram* histogram : rows) {
        const auto buckets = histogram->buckets();
        parts.sizes.push_back(buckets.size());
        if (buckets.empty()) continue;
        const std::uint16_t highest = buckets.back().index;
        parts.max.push_back(histogram->max());
        parts.highest.push_back(zigzag_of(std::uint64_t{highest} - Histogram::bucket_of(histogram->max())));
        for (std::size_t i = 0; i + 1 < buckets.size(); i++) {
            parts.gaps.push_back(std::uint64_t{buckets[i + 1].index} - buckets[i].index - 1);
        }
        for (const Histogram::Bucket& bucket : buckets) parts.counts.push_back(bucket.count - 1);
        parts.sums.push_back(zigzag_of(histogram->sum() - estimate(*histogram)));
    }
    for (const auto* part :
         {&parts.sizes, &parts.max, &parts.highest, &parts.gaps, &parts.counts, &parts.sums}) {
        write_sequence(out, *part);
    }
}

void read_histograms(ByteReader& in, std::size_t rows, std::size_t max_buckets, HistogramColumn& out) {
    Parts parts;
    std::size_t buckets = 0;
    read_parts(in, rows, max_buckets, parts, buckets);
    if (in.failed()) return;
    out.set_empty(rows);
    out.index.resize(buckets);
    out.count.resize(buckets);
    std::size_t used = 0;
    std::size_t gap = 0;
    std::uint32_t at = 0;
    for (std::size_t row = 0; row < rows; row++) {
        out.begin[row] = at;
        const auto size = static_cast<std::uint32_t>(parts.sizes[row]);
        if (size == 0) continue;
        const std::uint64_t highest =
            Histogram::bucket_of(parts.max[used]) + difference_of(parts.highest[used]);
        const std::span<const std::uint64_t> gaps(parts.gaps.data() + gap, size - 1);
        if (!place_buckets(highest, gaps, {out.index.data() + at, size})) return in.fail();
        for (std::uint32_t i = at; i < at + size; i++) out.count[i] = parts.counts[i] + 1;
        out.max[row] = parts.max[used];
        out.sum[row] = difference_of(parts.sums[used]) +
                       estimate(
                           size, out.max[row], [&](std::size_t i) { return out.index[at + i]; },
                           [&](std::size_t i) { return out.count[at + i]; });
        used++;
        gap += size - 1;
        at += size;
    }
    out.begin[rows] = at;
}

}  // namespace weir::store
