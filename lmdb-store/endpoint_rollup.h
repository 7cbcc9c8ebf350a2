// Rows of minutes by endpoint, collected for an hour: what becomes an entry of the endpoint table (format.h).
//
// A minute's rows are added up by endpoint when the minute is encoded, in such steps, too. What they came to
// is kept here until an hour is full, or the bound on memory is reached, and is then encoded step by step,
// too. It is lost with the process, as the table promises no more than the minutes do.
//
// Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "lmdb-store/block_writer.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/histogram_column.h"
#include "lmdb-store/histogram_sum.h"
#include "lmdb-store/row_run.h"

namespace weir::store {

// Rows of one layer, column by column: they are put in order and encoded so, and take no memory each.
template <typename Row>
struct EndpointLayer {
    std::vector<std::uint32_t> endpoints;
    Numbers minutes, counts;  // Section::minute and Section::rows
    std::array<Numbers, RowColumns<Row>::kNumbers.size()> numbers;
    std::array<HistogramColumnWriter, RowColumns<Row>::kHistograms.size()> histograms;

    std::size_t size() const { return endpoints.size(); }
    std::size_t buckets() const;
    // All rows of a minute, which has this number.
    void add(const EndpointLayer& other, std::uint64_t minute);
};

struct EndpointRows {
    EndpointLayer<L4Row> l4;
    EndpointLayer<L7Row> l7;
    EndpointLayer<DnsRow> dns;

    template <typename Row>
    EndpointLayer<Row>& of() {
        if constexpr (std::is_same_v<Row, L4Row>) {
            return l4;
        } else if constexpr (std::is_same_v<Row, L7Row>) {
            return l7;
        } else {
            return dns;
        }
    }
    std::size_t size() const { return l4.size() + l7.size() + dns.size(); }
    std::size_t buckets() const { return l4.buckets() + l7.buckets() + dns.buckets(); }
};

// Adds up a minute's rows of one layer, endpoint by endpoint: so the sum in work stays in the caches, however
// many endpoints there are.
template <typename Row>
class EndpointSums {
public:
    // All of its rows must have one. It must stay as it is until take().
    explicit EndpointSums(const RowRun<Row>& run);

    // How many rows are yet to be added.
    std::size_t left() const { return order_.size() - at_; }
    // So many of them.
    void add(std::size_t rows);
    // Without minutes. When all are added; nothing is left.
    EndpointLayer<Row> take();

private:
    using Columns = RowColumns<Row>;

    void add(const RunRow<Row>& row);
    void end_endpoint();

    const RowRun<Row>* run_;
    std::vector<std::uint32_t> order_;
    std::size_t at_ = 0;
    // Of the endpoint in work, whose number stands last in out_ already.
    std::uint64_t count_ = 0;
    std::array<std::uint64_t, Columns::kNumbers.size()> numbers_{};
    std::array<HistogramSum, Columns::kHistograms.size()> histograms_;
    EndpointLayer<Row> out_;
};

// Encodes the rows of a layer, ordered by endpoint and minute. The layer must stay as it is.
template <typename Row>
class EndpointEncoder {
public:
    explicit EndpointEncoder(const EndpointLayer<Row>& layer);

    std::size_t left() const { return order_.size() - at_; }
    // The next block, and its first endpoint. Not to be asked for when none are left.
    std::pair<Block, std::uint32_t> next();
    // What the last block was worth, in rows of some samples each.
    std::size_t weight() const { return std::max(taken_.size(), buckets_ / kUsualBuckets); }

private:
    using Columns = RowColumns<Row>;
    static constexpr std::size_t kUsualBuckets = 64;

    void take();
    template <typename T>
    void gather(const std::vector<T>& column);

    const EndpointLayer<Row>* layer_;
    std::vector<std::uint32_t> order_;
    std::array<HistogramColumnWriter::Places, Columns::kHistograms.size()> places_;
    std::size_t at_ = 0;
    std::span<const std::uint32_t> taken_;
    std::size_t buckets_ = 0;  // of these
    Numbers gathered_;
};

class EndpointRollup {
public:
    bool empty() const { return header_.first_sequence == 0; }
    std::uint64_t segment() const { return header_.segment; }
    std::uint64_t first_minute() const { return header_.first_sequence; }  // its sequence

    // Whether a minute goes into the entry in work, or another must begin: when an hour is full, the minute
    // does not follow on the last one, or is of another segment.
    bool takes(const EntryHeader& minute, std::uint64_t sequence) const;
    // Whether a minute is not too large for the table.
    static bool fits(const EndpointRows& rows);

    // `minute`: as it was written with this sequence.
    void add(const EntryHeader& minute, std::uint64_t sequence, const EndpointRows& rows);

    // Encodes about so many rows, fewer of many samples, to begin with; true when all are. Nothing is to be
    // added after that.
    bool encode(std::size_t rows);
    // When all is encoded; the rollup is empty afterwards.
    NewEntry take();
    void clear() { *this = EndpointRollup(); }

private:
    template <typename Row>
    struct Encoding {
        std::optional<EndpointEncoder<Row>> encoder;  // once it is begun
        std::vector<Block> blocks;
        std::vector<std::uint32_t> first_subjects;  // of the blocks
    };
    // In the order of kRowParts.
    template <typename F>
    void each_layer(F f) {
        f(rows_.l4, l4_);
        f(rows_.dns, dns_);
        f(rows_.l7, l7_);
    }

    EntryHeader header_;
    EndpointRows rows_;
    Encoding<L4Row> l4_;
    Encoding<DnsRow> dns_;
    Encoding<L7Row> l7_;
};

// How many minutes an entry is of at most.
inline constexpr std::int64_t kHourMinutes = 60;

// Of the rows of an entry: the end of the minute with this number, which is less than kHourMinutes.
constexpr std::int64_t minute_of(const EntryHeader& entry, std::uint64_t number) {
    return entry.begin_ns + static_cast<std::int64_t>(number + 1) * kMinute;
}

}  // namespace weir::store
