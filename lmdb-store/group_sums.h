// What the rows of many groups add up to, as little as the query asks for.
//
// The sums of a group lie side by side, so that adding a row touches one place in memory. Places 0 and 1 are
// not groups: rows that are not taken are added to 0 and forgotten, which is cheaper than to ask for each
// row; 1 is the remainder, of rows whose groups found no room.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "lmdb-store/histogram_store.h"
#include "plugin/query/measures.h"

namespace weir::store {

class GroupSums {
public:
    static constexpr std::uint32_t kDiscard = 0;
    static constexpr std::uint32_t kRemainder = 1;
    static constexpr std::uint32_t kFirstGroup = 2;

    using Sum = std::uint64_t query::Measures::*;
    using Distribution = Histogram query::Measures::*;

    GroupSums(std::vector<Sum> sums, std::vector<Distribution> distributions, MemoryPool::Lease& lease);

    // Memory that a group takes, about; what its histograms need beyond is taken as they grow.
    std::size_t bytes_a_group() const;

    // Places below `size` may be used from now on.
    void resize(std::size_t size);

    // Adds rows [0, places.size()), or those in `rows`, each to its place. A column for each sum. `more`: for
    // how many rows each stands, less 1; none given: for itself.
    void add_numbers(std::span<const std::uint32_t> places, const std::vector<std::uint32_t>* rows,
                     std::span<const std::vector<std::uint64_t>* const> columns,
                     const std::vector<std::uint64_t>* more);
    void add_histograms(std::size_t distribution, std::span<const std::uint32_t> places,
                        const std::vector<std::uint32_t>* rows, const HistogramColumn& column);

    // Memory was not enough for the histograms: the answer would be wrong.
    bool is_exhausted() const;

    std::uint64_t rows(std::uint32_t place) const { return sums_[place * stride_]; }
    query::Measures measures(std::uint32_t place);
    // Without histograms, but for those that the measure is read off.
    query::Measures measures_for(std::uint32_t place, query::Measure measure);

    // The sum of many places.
    class Total {
    public:
        explicit Total(GroupSums& sums) : of_(sums), histograms_(sums.distributions_.size()) {}
        void add(std::uint32_t place);
        query::Measures take();

    private:
        GroupSums& of_;
        query::Measures sums_;
        std::vector<HistogramSum> histograms_;
    };

private:
    void set_sums(std::uint32_t place, query::Measures& out) const;

    const std::vector<Sum> members_;
    const std::vector<Distribution> distributions_;
    const std::size_t stride_;
    std::vector<std::uint64_t> sums_;  // of each place: rows, then the sums
    std::deque<HistogramStore> histograms_;
};

}  // namespace weir::store
