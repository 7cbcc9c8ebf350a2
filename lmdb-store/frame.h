// A segment under a query: the columns that it names, and for a set of attributes the combinations of values
// that occur among the subjects.
//
// A combination ("tuple") gets a code, and an example: a subject that has it. What depends on these
// attributes only is worked out once a tuple, on the example, and looked up by code for all subjects. A frame
// is used for segment after segment and keeps its memory.
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

#include "lmdb-store/dependencies.h"
#include "lmdb-store/entries.h"
#include "lmdb-store/segment.h"

namespace weir::store {

struct Tuples {
    AttributeSet attributes = 0;
    bool of_flows = false;                // else of subjects
    std::vector<std::uint32_t> codes;     // of each flow (or subject)
    std::vector<std::uint32_t> examples;  // by code
    std::size_t size() const { return examples.size(); }
};

// The values of a tuple as a number that is the same in every segment (and for other values, with near
// certainty, another), so that what was worked out for it in one segment is known in the next.
struct Fingerprint {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Fingerprint&) const = default;
};

class Frame {
public:
    // For rows of an entry: its host and service are those of the segment. The transaction must stay open
    // while the frame is used. Returns 0 or an LMDB error code.
    int open(const Transaction& transaction, const Entry& entry, query::Layer layer);

    std::size_t subjects() const { return segment_.subjects(); }
    std::size_t flows() const { return segment_.flows(); }
    query::Layer layer() const { return layer_; }
    const std::string& host() const { return example_.host; }
    const std::string& service() const { return example_.service; }
    Segment& segment() { return segment_; }

    // Decodes what is needed for the functions below; to be called before them.
    void load(AttributeSet attributes);

    // Whether something of the subject that was loaded could not be read.
    bool is_lost(std::uint32_t subject) const {
        return segment_.is_lost(subject) ||
               (!segment_.subjects_are_flows() && segment_.is_lost_flow(flow_of_[subject]));
    }
    std::uint32_t flow_of(std::uint32_t subject) const {
        return segment_.subjects_are_flows() ? subject : flow_of_[subject];
    }
    const AttributeColumn& attribute(Attribute attribute) const {
        return columns_[static_cast<std::size_t>(attribute)];
    }

    // The tuples of these attributes. Valid until the next open().
    const Tuples& tuples(AttributeSet attributes);
    // The tuple of a subject.
    std::uint32_t code_of(const Tuples& tuples, std::uint32_t subject) const {
        return tuples.codes[tuples.of_flows ? flow_of(subject) : subject];
    }
    // For each tuple, in `out`.
    void fingerprints(const Tuples& tuples, std::vector<Fingerprint>& out);

    // Calls f(batch, row) with a batch and a row that have the values of a tuple, and no others.
    template <typename F>
    auto with_example(const Tuples& tuples, std::uint32_t code, F f) {
        set_example(tuples.attributes, tuples.of_flows, tuples.examples[code]);
        return with_what_is_set(f);
    }
    // The same with these attributes of one subject.
    template <typename F>
    auto with_subject(AttributeSet attributes, std::uint32_t subject, F f) {
        set_example(attributes, false, subject);
        return with_what_is_set(f);
    }

private:
    template <typename F>
    auto with_what_is_set(F f) {
        const Batch& batch = example_;
        switch (layer_) {
            case query::Layer::l7: return f(batch, batch.l7[0]);
            case query::Layer::dns: return f(batch, batch.dns[0]);
            case query::Layer::l4: break;
        }
        return f(batch, batch.l4[0]);
    }
    void set_example(AttributeSet attributes, bool of_flows, std::uint32_t at);
    void combine(Tuples& tuples, Attribute attribute);
    void number(Tuples& tuples, std::uint64_t limit);
    std::uint32_t code_at(Attribute attribute, bool of_flows, std::uint32_t at) const;
    void hash_values(Attribute attribute);

    Segment segment_;
    query::Layer layer_ = query::Layer::l4;
    AttributeSet loaded_ = 0;
    bool flow_of_loaded_ = false;

    std::vector<std::uint32_t> flow_of_;
    std::array<AttributeColumn, kAttributeCount> columns_;
    std::deque<Tuples> tuples_;  // the first tuples_used_; references stay valid
    std::size_t tuples_used_ = 0;
    std::array<std::vector<Fingerprint>, kAttributeCount> hashes_;  // by code; empty = not worked out yet
    Batch example_;

    std::vector<std::uint64_t> combined_;
    std::vector<std::uint32_t> table_;
    tsl::robin_map<std::uint64_t, std::uint32_t> numbers_;
};

}  // namespace weir::store
