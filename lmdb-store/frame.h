// One block under a query: its columns, decoded as they are asked for, and for a set of attributes the
// combinations of values that occur in it.
//
// A combination ("tuple") gets a code, and an example: a flow or a row that has it. What depends on these
// attributes only is worked out once a tuple, on the example, and looked up by code for all rows. A frame
// is used for block after block and keeps its memory.
//
// Not thread-safe.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "lmdb-store/block_reader.h"
#include "lmdb-store/dependencies.h"
#include "lmdb-store/format.h"

namespace weir::store {

struct Tuples {
    AttributeSet attributes = 0;
    bool by_row = false;                  // else by flow
    std::vector<std::uint32_t> codes;     // of each row (or flow)
    std::vector<std::uint32_t> examples;  // by code
    std::size_t size() const { return examples.size(); }
};

// The values of a tuple as a number that is the same in every block (and for other values, with near
// certainty, another), so that what was worked out for it in one block is known in the next.
struct Fingerprint {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Fingerprint&) const = default;
};

class Frame {
public:
    // `block` and `header` must stay valid until the next open(). Errors of all: storage.
    Status open(Bytes block, const EntryHeader& header, query::Layer layer);

    std::size_t rows() const { return reader_.rows(); }
    std::size_t flows() const { return reader_.flows(); }
    query::Layer layer() const { return reader_.layer(); }
    const BlockReader& reader() const { return reader_; }

    // Decodes what is needed for the functions below; to be called before them.
    Status load(const Dependencies& needed);

    const std::vector<std::uint32_t>& row_flow() const { return row_flow_; }
    const AttributeColumn& attribute(Attribute attribute) const {
        return columns_[static_cast<std::size_t>(attribute)];
    }

    // The tuples of these attributes. Valid until the next open().
    const Tuples& tuples(AttributeSet attributes);
    // The tuple of a row.
    std::uint32_t code_of(const Tuples& tuples, std::uint32_t row) const {
        return tuples.codes[tuples.by_row ? row : row_flow_[row]];
    }
    // For each tuple, in `out`.
    void fingerprints(const Tuples& tuples, std::vector<Fingerprint>& out);

    // Calls f(batch, row) with a batch and a row that have the values of a tuple, and no others.
    template <typename F>
    auto with_example(const Tuples& tuples, std::uint32_t code, F f) {
        set_example(tuples, tuples.examples[code]);
        return layer() == query::Layer::l4 ? f(std::as_const(example_), std::as_const(example_.l4[0]))
                                           : f(std::as_const(example_), std::as_const(example_.l7[0]));
    }
    // Calls f(batch, row) with a whole row; after load() with on_measures.
    template <typename F>
    auto with_row(std::size_t row, F f) const {
        return layer() == query::Layer::l4 ? f(whole_, whole_.l4[row]) : f(whole_, whole_.l7[row]);
    }

    // All of the block; after load() with on_measures.
    const Batch& whole() const { return whole_; }

private:
    Status load_attribute(Attribute attribute);
    Status load_texts();
    void set_example(const Tuples& tuples, std::uint32_t at);
    void combine(Tuples& tuples, Attribute attribute);
    void number(Tuples& tuples, std::uint64_t limit);
    std::uint32_t code_at(Attribute attribute, bool by_row, std::uint32_t at) const;
    void hash_values(Attribute attribute);

    BlockReader reader_;
    const EntryHeader* header_ = nullptr;
    AttributeSet loaded_ = 0;
    bool texts_loaded_ = false;
    bool row_flow_loaded_ = false;
    bool whole_loaded_ = false;
    bool example_has_texts_ = false;

    std::vector<std::uint32_t> row_flow_;
    std::array<AttributeColumn, kAttributeCount> columns_;
    std::vector<std::string_view> texts_;
    std::deque<Tuples> tuples_;  // the first tuples_used_; references stay valid
    std::size_t tuples_used_ = 0;
    std::array<std::vector<Fingerprint>, kAttributeCount> hashes_;  // by code; empty = not worked out yet
    Batch example_;
    Batch whole_;

    std::vector<std::uint64_t> combined_;
    std::vector<std::uint32_t> table_;
    tsl::robin_map<std::uint64_t, std::uint32_t> numbers_;
};

}  // namespace weir::store
