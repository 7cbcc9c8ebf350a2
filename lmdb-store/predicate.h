// A filter, made ready to be asked of blocks.
//
// The expression is taken apart into its terms; each term is decided once for each tuple of the attributes
// that it depends on (query::matches() decides), spread over the rows, and the terms' answers are joined.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "lmdb-store/dependencies.h"
#include "lmdb-store/frame.h"
#include "lmdb-store/memo.h"
#include "plugin/query/field_values.h"
#include "plugin/query/filter.h"

namespace weir::store {

// One byte a row: 1 = taken, 0 = not.
using Mask = std::vector<std::uint8_t>;

class Predicate {
public:
    // `each_flow_once`: leaves out the server's row of a pair (see query::is_servers_row_of_pair()) when the
    // client's row is selected, too.
    Predicate(const query::Filter& filter, bool each_flow_once);

    // What a frame must have loaded.
    const Dependencies& needs() const { return needs_; }

    // Whether all frames must be shown to note_pairs() before the first apply().
    bool needs_pairs() const { return needs_pairs_; }
    void note_pairs(Frame& frame);

    // Returns how many rows are taken.
    std::size_t apply(Frame& frame, Mask& out);

private:
    struct Node {
        query::Filter::Kind kind = query::Filter::Kind::all;
        std::vector<Node> operands;
        std::size_t term = 0;  // index into terms_, for a kind without operands
    };
    struct Term {
        query::Filter filter;
        Dependencies needs;
        Memo memo;
    };

    Node compile(const query::Filter& filter);
    void evaluate(const Node& node, Frame& frame, Mask& out);
    void evaluate_operands(const Node& node, Frame& frame, Mask& out);
    void evaluate_term(Term& term, Frame& frame, Mask& out);
    void leave_out_counted_elsewhere(Frame& frame, Mask& out);

    bool each_flow_once_;
    bool needs_pairs_;
    std::set<query::FlowPair> pairs_;  // whose client's row is selected; when needs_pairs_
    Dependencies needs_;
    std::deque<Term> terms_;
    Node root_;
    std::vector<std::uint32_t> verdicts_;
};

}  // namespace weir::store
