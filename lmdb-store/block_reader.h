// Reads columns of a block (block_format.h). Trusts nothing in it: a damaged or hostile block gives an
// error, never more memory than its limits and never a read outside of it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lmdb-store/bytes.h"
#include "lmdb-store/columns.h"
#include "lmdb-store/histogram_column.h"
#include "plugin/base/status.h"
#include "plugin/flow/address.h"

namespace weir::store {

// An attribute of subjects.
struct AttributeColumn {
    std::vector<std::uint32_t> codes;   // by subject: index into what follows
    std::vector<std::uint64_t> values;  // distinct values; of texts their numbers
    std::vector<Address> addresses;     // instead of values, for addresses

    std::size_t size() const { return values.size() + addresses.size(); }
};

// Numbers that a column may hold.
struct Bounds {
    std::uint64_t lowest = 0;
    std::uint64_t highest = 0;
};

// A view: `data` must stay as it is while the reader is used. Errors of all functions: ErrorCode::storage.
class BlockReader {
public:
    // Checks the header and the directory, no column yet.
    static Result<BlockReader> open(Bytes data);

    Part part() const { return part_; }
    std::size_t rows() const { return rows_; }  // or subjects
    std::uint32_t first() const { return first_; }

    // Each replaces `out`. Codes are in range, values fit their members.
    Status subjects(std::vector<std::uint32_t>& out) const;  // ascending
    Status flows(std::vector<std::uint32_t>& out) const;     // of requests or lookups
    Status attribute(Attribute attribute, AttributeColumn& out) const;
    // `wanted`: rows that will be looked at, ascending; none given: all. What else is in `out` means nothing.
    Status numbers(Section section, std::vector<std::uint64_t>& out,
                   const std::vector<std::uint32_t>* wanted = nullptr) const;
    Status bounds(Section section, Bounds& out) const;  // of numbers
    Status histograms(Section section, HistogramColumn& out,
                      const std::vector<std::uint32_t>* wanted = nullptr) const;
    // The texts point into the block.
    Status texts(std::vector<std::string_view>& out) const;

private:
    static constexpr std::size_t kMaxSections = 32;
    struct Place {
        Section section{};
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        std::uint32_t checksum = 0;
    };

    // The section's bytes, checked; empty when the block has no such section.
    Result<Bytes> section(Section section) const;

    Bytes data_;
    Part part_ = Part::l4;
    std::size_t rows_ = 0;
    std::uint32_t first_ = 0;
    std::array<Place, kMaxSections> directory_{};
    std::size_t sections_ = 0;
};

}  // namespace weir::store
