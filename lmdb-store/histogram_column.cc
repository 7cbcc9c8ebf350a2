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

Histogram::Bucket unpack(const Histogram::Bucket& bucket) { return bucket; }

using Parts = HistogramColumn::Stored;

// Where the buckets of each row are; of chunks that are wanted. False when the tables do not fit the sizes.
bool place_rows(const Parts& parts, const ChunkSet* wanted, HistogramColumn& out,
                std::vector<std::uint32_t>& used_before) {
    const std::size_t rows = parts.sizes.size();
    out.begin.resize(rows);
    out.end.resize(rows);
    used_before.resize(rows);
    for (std::size_t chunk = 0; chunk < parts.buckets_until.size(); chunk++) {
        if (wanted != nullptr && !wanted->has(chunk)) continue;
        std::uint64_t at = chunk == 0 ? 0 : parts.buckets_until[chunk - 1];
        std::uint32_t used = chunk == 0 ? 0 : parts.used_until[chunk - 1];
        const std::size_t last = std::min(rows, (chunk + 1) * kChunk);
        for (std::size_t row = chunk * kChunk; row < last; row++) {
            out.begin[row] = static_cast<std::uint32_t>(at);
            used_before[row] = used;
            at += parts.sizes[row];
            used += parts.sizes[row] != 0 ? 1 : 0;
            out.end[row] = static_cast<std::uint32_t>(at);
        }
        if (at != parts.buckets_until[chunk] || used != parts.used_until[chunk]) return false;
    }
    return true;
}

// The sizes of rows, and how many there are in all.
bool read_sizes(ByteReader& in, std::size_t rows, std::size_t max_buckets, const ChunkSet* wanted,
                Parts& parts) {
    const std::size_t chunks = (rows + kChunk - 1) / kChunk;
    read_sequence(in, rows, parts.sizes, wanted);
    read_sequence(in, chunks, parts.buckets_until);
    read_sequence(in, chunks, parts.used_until);
    if (parts.sizes.size() != rows || parts.buckets_until.size() != chunks ||
        parts.used_until.size() != chunks || rows == 0) {
        return false;
    }
    const auto ascend = [](const auto& numbers) { return std::is_sorted(numbers.begin(), numbers.end()); };
    return ascend(parts.buckets_until) && ascend(parts.used_until) &&
           parts.buckets_until.back() <= max_buckets && parts.used_until.back() <= rows &&
           parts.used_until.back() <= parts.buckets_until.back();
}

// Which chunks of the sequences hold something of the wanted rows.
struct WantedParts {
    ChunkSet used, buckets, gaps;
};

WantedParts wanted_parts(const HistogramColumn& column, const Parts& parts,
                         const std::vector<std::uint32_t>& rows) {
    WantedParts out;
    for (const std::uint32_t row : rows) {
        if (!column.has_samples(row)) continue;
        const std::uint32_t used = parts.used_before[row];
        out.used.add(used, used + 1);
        out.buckets.add(column.begin[row], column.end[row]);
        // A row has one gap less than buckets.
        out.gaps.add(column.begin[row] - used, column.end[row] - used - 1);
    }
    return out;
}

// Reads the sequences; their lengths fit each other afterwards, or the reader failed.
void read_parts(ByteReader& in, std::size_t rows, std::size_t max_buckets,
                const std::vector<std::uint32_t>* wanted, Parts& parts, HistogramColumn& out) {
    ChunkSet wanted_rows;
    if (wanted != nullptr) {
        for (const std::uint32_t row : *wanted) wanted_rows.add(row, row + 1);
    }
    const auto only = [&](const ChunkSet& set) { return wanted == nullptr ? nullptr : &set; };
    if (!read_sizes(in, rows, max_buckets, only(wanted_rows), parts) ||
        !place_rows(parts, only(wanted_rows), out, parts.used_before)) {
        return in.fail();
    }
    const std::size_t used = parts.used_until.back();
    const std::size_t buckets = parts.buckets_until.back();
    WantedParts chunks;
    if (wanted != nullptr) chunks = wanted_parts(out, parts, *wanted);
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
    std::uint32_t at = out.end[row] - 1;
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
    if (!has_samples(row)) return {};
    std::vector<Histogram::Bucket> buckets;
    buckets.reserve(end[row] - begin[row]);
    for (std::uint32_t i = begin[row]; i < end[row]; i++) buckets.push_back({index[i], count[i]});
    return Histogram::from_parts(std::move(buckets), sum[row], max[row]);
}

void HistogramColumn::set_empty(std::size_t rows) {
    begin.assign(rows, 0);
    end.assign(rows, 0);
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

void HistogramColumnWriter::add(const Histogram& histogram) { add_any(histogram); }
void HistogramColumnWriter::add(const PackedHistogram& histogram) { add_any(histogram); }

template <typename Any>
void HistogramColumnWriter::add_any(const Any& histogram) {
    const auto buckets = histogram.buckets();
    sizes_.push_back(buckets.size());
    if (buckets.empty()) return;
    const std::size_t gaps = gaps_.size();
    const std::size_t counts = counts_.size();
    gaps_.resize(gaps + buckets.size() - 1);
    counts_.resize(counts + buckets.size());
    std::uint64_t estimate = 0;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < buckets.size(); i++) {
        const auto [index, count] = unpack(buckets[i]);
        if (i != 0) gaps_[gaps + i - 1] = index - last - 1;
        counts_[counts + i] = count - 1;
        estimate += count * kMiddles[index];
        last = index;
    }
    estimate += histogram.max() - kMiddles[last];
    max_.push_back(histogram.max());
    highest_.push_back(zigzag_of(last - Histogram::bucket_of(histogram.max())));
    sums_.push_back(zigzag_of(histogram.sum() - estimate));
}

void HistogramColumnWriter::add(const HistogramColumnWriter& other) {
    for (const auto part :
         {&HistogramColumnWriter::sizes_, &HistogramColumnWriter::max_, &HistogramColumnWriter::highest_,
          &HistogramColumnWriter::gaps_, &HistogramColumnWriter::counts_, &HistogramColumnWriter::sums_}) {
        (this->*part).insert((this->*part).end(), (other.*part).begin(), (other.*part).end());
    }
}

HistogramColumnWriter::Places HistogramColumnWriter::places() const {
    Places out;
    std::uint32_t buckets = 0;
    std::uint32_t used = 0;
    for (const std::uint64_t size : sizes_) {
        out.buckets.push_back(buckets);
        out.used.push_back(used);
        buckets += static_cast<std::uint32_t>(size);
        used += size != 0 ? 1 : 0;
    }
    return out;
}

void HistogramColumnWriter::add(const HistogramColumnWriter& other, const Places& places, std::uint32_t row) {
    const std::size_t size = other.buckets(row);
    sizes_.push_back(size);
    if (size == 0) return;
    const std::size_t used = places.used[row];
    const std::size_t bucket = places.buckets[row];
    const auto copy = [](const auto& from, std::size_t begin, std::size_t count, auto& to) {
        const auto at = from.begin() + static_cast<std::ptrdiff_t>(begin);
        to.insert(to.end(), at, at + static_cast<std::ptrdiff_t>(count));
    };
    max_.push_back(other.max_[used]);
    highest_.push_back(other.highest_[used]);
    sums_.push_back(other.sums_[used]);
    copy(other.counts_, bucket, size, counts_);
    copy(other.gaps_, bucket - used, size - 1, gaps_);
}

void HistogramColumnWriter::write(ByteWriter& out) const {
    std::vector<std::uint64_t> buckets_until, used_until;
    std::uint64_t buckets = 0;
    std::uint64_t used = 0;
    for (std::size_t row = 0; row < sizes_.size(); row++) {
        buckets += sizes_[row];
        used += sizes_[row] != 0 ? 1 : 0;
        if ((row + 1) % kChunk != 0 && row + 1 != sizes_.size()) continue;
        buckets_until.push_back(buckets);
        used_until.push_back(used);
    }
    for (const std::vector<std::uint64_t>* part : std::initializer_list<const std::vector<std::uint64_t>*>{
             &sizes_, &buckets_until, &used_until, &max_, &highest_, &gaps_, &counts_, &sums_}) {
        write_sequence(out, *part);
    }
}

void HistogramColumnWriter::clear() {
    for (auto* part : {&sizes_, &max_, &highest_, &gaps_, &counts_, &sums_}) part->clear();
}

void read_histograms(ByteReader& in, std::size_t rows, std::size_t max_buckets, HistogramColumn& out,
                     const std::vector<std::uint32_t>* wanted) {
    Parts& parts = out.stored;
    read_parts(in, rows, max_buckets, wanted, parts, out);
    if (in.failed()) return;
    out.index.resize(std::max<std::size_t>(out.index.size(), parts.buckets_until.back()));
    out.count.resize(out.index.size());
    out.max.resize(std::max(out.max.size(), rows));
    out.sum.resize(out.max.size());
    const auto place = [&](std::uint32_t row) {
        if (out.has_samples(row) && !place_buckets(parts, row, out)) in.fail();
    };
    if (wanted != nullptr) {
        for (const std::uint32_t row : *wanted) place(row);
    } else {
        for (std::uint32_t row = 0; row < rows; row++) place(row);
    }
}

}  // namespace weir::store
