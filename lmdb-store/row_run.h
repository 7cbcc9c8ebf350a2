// Rows of one part in the order of their subjects, packed one behind the other: a run.
//
// Rows come from the flow table in no order, and their histograms lie elsewhere: each look at one is a wait
// for memory. So they are looked at once, and all that follows goes over runs from front to back: encoding
// them, adding up those of a minute (run_merge.h), encoding what that came to.
//
// A row, in words of 64 bits; in memory only:
//   subject (the lower 32 bits), and which numbers are not 0 (a bit for each)
//   endpoint (the lower 32 bits), and how many buckets each histogram has (16 bits for each)
//   the numbers that are not 0
//   of each histogram that has buckets: maximum, sum, and for each bucket its index (the upper 16 bits) and
//   its
//     count (the lower 48), ascending
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

#include "lmdb-store/columns.h"
#include "lmdb-store/histogram_column.h"
#include "lmdb-store/segment_writer.h"

namespace weir::store {

// The rows in the order of their subjects, and those of a subject in the order in which they are given.
std::vector<std::uint32_t> order_of(std::span<const std::uint32_t> subjects);

// A slow request has its time besides what RowColumns names: behind those.
template <typename Row>
inline constexpr std::size_t kRunNumbers = RowColumns<Row>::kNumbers.size() +
                                           (std::is_same_v<Row, SlowRow> ? 1 : 0);

// A row of a run, for as long as nothing is added to the run.
template <typename Row>
class RunRow {
public:
    explicit RunRow(std::span<const std::uint64_t> words) : words_(words) {}

    std::uint32_t subject() const { return static_cast<std::uint32_t>(words_[0]); }
    std::uint32_t endpoint() const { return static_cast<std::uint32_t>(words_[1]); }
    std::span<const std::uint64_t> words() const { return words_; }

    // Calls on_number(place, number) for those that are not 0, and on_histogram(place, histogram) for those
    // that have samples.
    template <typename OnNumber, typename OnHistogram>
    void visit(const OnNumber& on_number, const OnHistogram& on_histogram) const {
        const std::uint64_t* at = words_.data() + 2;
        for (auto left = static_cast<std::uint32_t>(words_[0] >> 32); left != 0; left &= left - 1)
            on_number(static_cast<std::size_t>(std::countr_zero(left)), *at++);
        std::uint64_t sizes = words_[1] >> 32;
        for (std::size_t c = 0; c < RowColumns<Row>::kHistograms.size(); c++, sizes >>= 16) {
            const std::size_t size = sizes & 0xffff;
            if (size == 0) continue;
            on_histogram(c, PackedHistogram(at[0], at[1], {at + 2, size}));
            at += 2 + size;
        }
    }

private:
    std::span<const std::uint64_t> words_;
};

template <typename Row>
class RowRun {
public:
    static constexpr std::size_t kHistograms = RowColumns<Row>::kHistograms.size();
    static_assert(kRunNumbers<Row> <= 32 && kHistograms <= 2 && kLastBucket < 0xffff);

    // In any order. Their histograms must be storable. `endpoints`: of each subject.
    RowRun(std::span<const Row> rows, std::span<const std::uint32_t> subjects,
           std::span<const std::uint32_t> endpoints);
    RowRun() = default;

    // For what these may come to: it then grows in its place. Memory that is not used is not touched, either.
    void reserve_for(std::span<const RowRun> runs);

    // These add at the end, where no subject may come before another.
    void add(const RunRow<Row>& row);
    void add(std::uint32_t subject, std::uint32_t endpoint,
             const std::array<std::uint64_t, kRunNumbers<Row>>& numbers,
             const std::array<PackedHistogram, kHistograms>& histograms);

    std::size_t size() const { return begins_.size(); }
    RunRow<Row> operator[](std::size_t row) const {
        const std::size_t end = row + 1 < size() ? begins_[row + 1] : words_.size();
        return RunRow<Row>(std::span(words_).subspan(begins_[row], end - begins_[row]));
    }
    // In use: what is reserved beyond that takes no memory.
    std::size_t bytes() const {
        return words_.size() * sizeof(std::uint64_t) + begins_.size() * sizeof(std::size_t);
    }
    // Every row has one.
    bool has_endpoints() const { return has_endpoints_; }
    // Several rows have the same subject.
    bool has_repeated() const { return has_repeated_; }

private:
    void sort(std::span<const std::uint32_t> order);
    void reserve(std::size_t rows, std::size_t words);
    // histogram_of(place): its maximum, sum and buckets.
    template <typename HistogramOf>
    void put(std::uint32_t subject, std::uint32_t endpoint,
             const std::array<std::uint64_t, kRunNumbers<Row>>& numbers, const HistogramOf& histogram_of);
    void put(std::uint32_t subject, std::uint32_t endpoint, const Row& row);
    void note(std::uint32_t subject, std::uint32_t endpoint);

    std::vector<std::uint64_t> words_;
    std::vector<std::size_t> begins_;
    std::uint32_t last_subject_ = 0;
    bool has_endpoints_ = true;
    bool has_repeated_ = false;
};

// What a batch brings.
struct RowRuns {
    std::tuple<RowRun<L4Row>, RowRun<L7Row>, RowRun<DnsRow>, RowRun<SlowRow>> runs;

    template <typename Row>
    RowRun<Row>& of() {
        return std::get<RowRun<Row>>(runs);
    }
    template <typename Row>
    const RowRun<Row>& of() const {
        return std::get<RowRun<Row>>(runs);
    }
};

RowRuns make_runs(const Batch& batch, const RowSubjects& subjects);

extern template class RowRun<L4Row>;
extern template class RowRun<L7Row>;
extern template class RowRun<DnsRow>;
extern template class RowRun<SlowRow>;

}  // namespace weir::store
