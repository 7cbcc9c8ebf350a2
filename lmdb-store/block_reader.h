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
#include "plugin/query/measures.h"

namespace weir::store {

// An attribute of a block's flows, or rows.
struct AttributeColumn {
    std::vector<std::uint32_t> codes;   // by flow (or row): index into what follows
    std::vector<std::uint64_t> values;  // distinct values; texts: ids into the block's texts
    std::vector<Address> addresses;     // instead of values, for local and remote

    std::size_t size() const { return values.size() + addresses.size(); }
};

// A view: `data` must stay as it is while the reader is used. Errors of all functions: ErrorCode::storage.
class BlockReader {
public:
    // Checks the header and the directory, no column yet.
    static Result<BlockReader> open(Bytes data);

    query::Layer layer() const { return layer_; }
    std::size_t rows() const { return rows_; }
    std::size_t flows() const { return flows_; }

    // Each replaces `out`. Codes and flows are in range, values fit their members.
    Status row_flow(std::vector<std::uint32_t>& out) const;
    Status attribute(Attribute attribute, AttributeColumn& out) const;
    Status numbers(Section section, std::vector<std::uint64_t>& out) const;
    Status histograms(Section section, HistogramColumn& out) const;
    // By id; the texts point into the block.
    Status texts(std::vector<std::string_view>& out) const;

private:
    struct Place {
        Section section{};
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
        std::uint32_t checksum = 0;
    };

    // The section's bytes, checked; empty when the block has no such section.
    Result<Bytes> section(Section section) const;

    Bytes data_;
    query::Layer layer_ = query::Layer::l4;
    std::size_t rows_ = 0;
    std::size_t flows_ = 0;
    std::vector<Place> directory_;
};

}  // namespace weir::store
