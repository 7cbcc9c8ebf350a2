// A segment as queries see it: what the rows of its entries are about.
//
// Columns are put together from the segment's blocks for the attributes that a query names; whole flows and
// requests, for records, are decoded block by block as they are asked for. What a damaged block held is
// lost: its subjects are known to be there and not what they are, and rows that refer to them are counted as
// unreadable.
//
// Views into a snapshot, which must outlive it. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lmdb-store/block_reader.h"
#include "lmdb-store/environment.h"
#include "lmdb-store/format.h"

namespace weir::store {

class Segment {
public:
    // Finds the blocks. `rows`: the part whose subjects are wanted; endpoints, for rows of the endpoint
    // table, are taken for flows of which no more is known. Returns 0 or an LMDB error code.
    int open(const Transaction& transaction, std::uint64_t number, Part rows);

    // The same from blocks that are given one by one, in the order of their keys: begin(), add(), end().
    void begin(Part rows);
    void add(const SegmentKey& key, Bytes block);
    void end();

    std::size_t flows() const { return flows_.size; }
    std::size_t subjects() const { return subjects_in_flows_ ? flows_.size : subjects_.size; }
    bool subjects_are_flows() const { return subjects_in_flows_; }

    // Whether there may be more subjects than are known: rows may refer to them.
    bool is_damaged() const { return is_damaged_ || subjects() == 0; }

    // Before text(), and before flow() and set_subject().
    void load_texts();
    // By its number; empty when it is lost.
    std::string_view text(std::uint64_t number) const {
        return number < texts_by_number_.size() ? texts_by_number_[number] : std::string_view();
    }

    // Columns over all flows, or all requests or lookups. What is lost has some code and is marked.
    void attribute(Attribute attribute, AttributeColumn& out);
    void flows_of_subjects(std::vector<std::uint32_t>& out);
    // Whether a column that was asked for could not be read for this subject, or flow.
    bool is_lost(std::uint32_t subject) const {
        return subjects_in_flows_ ? is_lost_flow(subject) : subject >= lost_.size() || lost_[subject] != 0;
    }
    bool is_lost_flow(std::uint32_t flow) const {
        return flow >= lost_flows_.size() || lost_flows_[flow] != 0;
    }

    // A whole flow, with texts by their numbers; nullptr when it is lost. Valid until open().
    const Flow* flow(std::uint32_t number);
    // Sets the members of a row that its subject has (texts by their numbers), `flow` to the flow's number.
    // False when the subject is lost.
    template <typename Row>
    bool set_subject(std::uint32_t subject, Row& row);

private:
    struct Chunk {
        std::uint32_t first = 0;
        BlockReader reader;
    };
    struct Chunks {
        std::vector<Chunk> list;  // ascending
        std::uint32_t size = 0;   // numbers given, those in missing blocks included

        void clear();
    };
    // Whole subjects of a chunk; none when it is not decoded yet.
    template <typename Subject>
    using Decoded = std::vector<std::vector<Subject>>;

    bool is_wanted(Part part) const;
    Chunks& chunks_of(Part part);
    // Whether the attribute is looked up by the numbers of flows (or endpoints), else by those of subjects.
    bool lies_with_flows(Attribute attribute) const {
        return is_of_flow(attribute) || subjects_part_ == Part::endpoints;
    }
    bool is_known_text(std::uint64_t number) const;
    template <typename Value>
    void merge(Attribute attribute, const Chunks& chunks, std::vector<Value> AttributeColumn::*member,
               AttributeColumn& out);
    void mark_lost(bool of_flows, std::uint32_t first, std::uint32_t end);
    void check_texts(bool of_flows, const AttributeColumn& column);
    template <typename Subject>
    const Subject* whole(Chunks& chunks, Decoded<Subject>& decoded, AttributeSet attributes,
                         std::uint32_t number);
    template <typename Subject>
    bool decode(const BlockReader& block, AttributeSet attributes, std::vector<Subject>& out);

    bool is_damaged_ = false;
    bool subjects_in_flows_ = true;
    Part subjects_part_ = Part::flows;
    Chunks texts_, flows_, subjects_;
    std::vector<std::string_view> texts_by_number_;
    std::vector<std::uint8_t> text_known_;
    std::vector<std::uint8_t> lost_, lost_flows_;
    Decoded<Flow> whole_flows_;
    Decoded<Request> whole_requests_;
    Decoded<Lookup> whole_lookups_;
    AttributeColumn column_;  // of the chunk at hand
    std::vector<std::uint32_t> codes_;
};

}  // namespace weir::store
