// A filter, made ready to be asked of segments and blocks.
//
// The expression is taken apart into its terms. A term on what a subject is, is decided once for each tuple
// of the attributes that it depends on (query::matches() decides) and spread over the subjects. A comparison
// with a number that is stored as a column is made on the column, unless the column's bounds say enough. What
// is left (a term on a mean, say) is decided row by row. So most filters never look at rows, and a segment
// without a subject that may match is passed over as a whole.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "lmdb-store/dependencies.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/memo.h"
#include "lmdb-store/row_block.h"
#include "plugin/query/field_values.h"
#include "plugin/query/filter.h"

namespace weir::store {

// One byte a subject, or a row: 1 = taken, 0 = not.
using Mask = std::vector<std::uint8_t>;

class Predicate {
public:
    // `each_flow_once`: leaves out the server's row of a pair (see query::is_servers_row_of_pair()) when the
    // client's row is selected, too.
    Predicate(const query::Filter& filter, query::Layer layer, bool each_flow_once);

    // What a frame must have loaded.
    AttributeSet needs() const { return needs_; }
    // What its terms depend on.
    AttributeSet terms_need() const { return terms_need_; }

    // Whether all segments and their blocks must be shown to note_pairs() before the first begin().
    bool needs_pairs() const { return needs_pairs_; }
    // Turns to a segment for that: subjects that may be the client's side of a pair and be taken, whatever
    // their rows. Returns how many; without any there is nothing to note. Loads what it needs.
    std::size_t begin_pairs(Frame& frame, Mask& out);
    // `shown`: those of them that rows which apply() takes are about.
    void note_pairs(Frame& frame, const Mask& shown);
    bool has_pairs() const { return !pairs_.empty(); }

    // Turns to a segment: which subjects may be taken, whatever their rows. `counting`: without what is
    // counted elsewhere. Returns how many.
    std::size_t begin(Frame& frame, bool counting, Mask& out);

    // Whether rows of a subject that may be taken must be looked at, too.
    bool looks_at_rows() const { return looks_at_rows_; }
    // Of a block in the segment: which rows the filter takes. Errors: storage.
    Status apply(RowBlock& block, Mask& out);

private:
    struct Node {
        query::Filter::Kind kind = query::Filter::Kind::all;
        std::vector<Node> operands;
        std::size_t term = 0;        // index into terms_, for a kind without operands
        bool looks_at_rows = false;  // it, or one of its operands
    };
    struct Term {
        query::Filter filter;
        Dependencies needs;
        std::optional<Section> column;  // a comparison with it
        Memo memo;
        Mask subjects;  // of the segment, unless it looks at rows
    };

    Node compile(const query::Filter& filter, query::Layer layer);
    void decide_subjects(Term& term, Frame& frame);
    void may_match(const Node& node, Mask& out) const;
    Status evaluate(const Node& node, RowBlock& block, Mask& out);
    Status evaluate_term(const Term& term, RowBlock& block, Mask& out);
    Status compare_column(const Term& term, const RowBlock& block, Mask& out);
    void leave_out_counted_elsewhere(Frame& frame, Mask& out);
    void look_at_traits(Frame& frame, const Tuples& traits, bool (*is)(const Flow&));

    bool each_flow_once_;
    bool needs_pairs_;
    bool looks_at_rows_ = false;
    std::set<query::FlowPair> pairs_;  // whose client's row is selected; when needs_pairs_
    AttributeSet needs_ = 0;
    AttributeSet terms_need_ = 0;
    std::deque<Term> terms_;
    Node root_;
    std::vector<std::uint8_t> verdicts_;
    std::vector<std::uint64_t> numbers_;
};

}  // namespace weir::store
