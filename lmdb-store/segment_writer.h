// The segment in work: numbers what rows are about, and says what of it is yet to be written.
//
// Each text, flow, request and lookup is looked up once an interval and gets the number it has in every
// block of the segment; endpoints follow from these when they are new. What is new goes into the store with
// the interval that brought it. Numbers that were given for an interval which could not be stored are simply
// written with the next one.
//
// Not thread-safe.
#pragma once

#include <xxhash.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lmdb-store/block_writer.h"
#include "lmdb-store/format.h"
#include "lmdb-store/numbering.h"
#include "plugin/base/bytes_hash.h"
#include "plugin/flow/batch.h"

namespace weir::store {

struct SegmentTextHash {
    std::uint64_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};
using TextNumbering = Numbering<std::string, std::string_view, SegmentTextHash, std::equal_to<>>;
template <typename Subject>
using SubjectNumbering = Numbering<Subject, Subject, BytesHash<Subject>, BytesEqual<Subject>>;

// Of a subject whose endpoint found no room in the segment.
inline constexpr std::uint32_t kNoEndpoint = 0xffffffff;

// The subjects of a batch's rows: for each row of a part its subject's number.
struct RowSubjects {
    std::vector<std::uint32_t> l4, l7, dns, slow;

    template <typename Row>
    const std::vector<std::uint32_t>& of() const {
        constexpr Part kPart = RowColumns<Row>::kPart;
        return kPart == Part::l4 ? l4 : kPart == Part::l7 ? l7 : kPart == Part::dns ? dns : slow;
    }

    // For each subject of the segment its endpoint's number, or kNoEndpoint.
    std::vector<std::uint32_t> flow_endpoints, request_endpoints, lookup_endpoints;

    template <typename Row>
    const std::vector<std::uint32_t>& endpoints() const {
        constexpr Part kSubjects = subjects_of(RowColumns<Row>::kPart);
        return kSubjects == Part::flows      ? flow_endpoints
               : kSubjects == Part::requests ? request_endpoints
                                             : lookup_endpoints;
    }
};

class SegmentWriter {
public:
    // How much of each part is in the store: so many subjects. `open` are the first ones of its last blocks,
    // which new subjects may be joined to.
    struct Written {
        std::uint32_t count = 0;
        std::vector<std::uint32_t> open;
    };
    using Marks = std::array<Written, kSegmentParts.size()>;

    struct NewBlock {
        SegmentKey key;
        Block block;
        std::vector<std::uint32_t> replaced;  // blocks behind this one's key that are in it now
    };

    // When a segment should end: so long after (or before) its begin, and when it takes so much of the store.
    struct Limits {
        std::int64_t length_ns = 0;
        std::uint64_t bytes = 0;
    };

    // `first`: the interval that it begins with.
    SegmentWriter(std::uint64_t number, const Batch& first, const Limits& limits);

    std::uint64_t number() const { return number_; }
    // Whether an interval can be in this segment: the host is the same, and there is room, which for the
    // begin of a minute is half as much. So a minute is seldom cut.
    bool takes(const Batch& batch, bool begins_minute) const;

    // The batch must be sound (see check_batch()). The answer is valid until the next call.
    const RowSubjects& number_rows(const Batch& batch);

    // Blocks for what is not in the store, and the marks for when they are. New subjects make a block of
    // their own, joined with those before it that are not more than twice as large: so there are few blocks,
    // and each subject is written a few times only, however few come at once.
    std::vector<NewBlock> unwritten(Marks& marks) const;
    const Marks& written() const { return written_; }
    void set_written(const Marks& marks) { written_ = marks; }
    // What unwritten() will take in the store, about and at most.
    std::uint64_t unwritten_bytes() const;

private:
    void number_texts(const Batch& batch);
    void number_flows(const Batch& batch);
    template <typename Row>
    void number_requests(const std::vector<Row>& rows, std::vector<std::uint32_t>& out);
    void number_endpoints();
    std::uint32_t endpoint_number(const Endpoint& endpoint);
    std::size_t size_of(Part part) const;
    std::uint32_t block_end(Part part, std::uint32_t first) const;
    void add_unwritten(Part part, Written& mark, std::vector<NewBlock>& out) const;
    Block encode(Part part, std::uint32_t first, std::uint32_t end) const;
    template <typename Subject>
    void add_attributes(BlockWriter& out, Part part, const std::vector<Subject>& subjects,
                        std::uint32_t first, std::uint32_t end) const;

    const std::uint64_t number_;
    const Limits limits_;
    const std::string host_, service_;
    const std::int64_t begin_ns_;
    TextNumbering texts_;  // number 0 is the empty text
    std::size_t text_bytes_ = 0;
    SubjectNumbering<Flow> flows_;
    SubjectNumbering<Request> requests_;
    SubjectNumbering<Lookup> lookups_;
    SubjectNumbering<Endpoint> endpoints_;
    Marks written_;

    RowSubjects rows_;
    std::vector<std::uint32_t> text_numbers_;  // of the batch's texts that are in use
    std::vector<std::uint32_t> flow_numbers_;  // of the batch's flows
};

}  // namespace weir::store
