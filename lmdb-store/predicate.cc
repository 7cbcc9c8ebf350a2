#include "lmdb-store/predicate.h"

#include <algorithm>
#include <numeric>

namespace weir::store {
namespace {

using query::Filter;

// Both ends of a flow, and which one is the client's.
constexpr AttributeSet kPairs = set_of(Attribute::local, Attribute::remote, Attribute::local_port,
                                       Attribute::remote_port, Attribute::traits);

bool has_operands(Filter::Kind kind) {
    return kind == Filter::Kind::conjunction || kind == Filter::Kind::disjunction ||
           kind == Filter::Kind::negation;
}

// Spreads what was decided for each tuple over the rows.
void spread(const Frame& frame, const Tuples& tuples, const std::vector<std::uint32_t>& by_code, Mask& out) {
    for (std::size_t row = 0; row < out.size(); row++) {
        out[row] = static_cast<std::uint8_t>(by_code[frame.code_of(tuples, static_cast<std::uint32_t>(row))]);
    }
}

}  // namespace

Predicate::Predicate(const Filter& filter, bool each_flow_once)
    : each_flow_once_(each_flow_once), needs_pairs_(each_flow_once && query::tells_sides_apart(filter)) {
    if (each_flow_once) needs_.attributes |= needs_pairs_ ? kPairs : set_of(Attribute::traits);
    root_ = compile(filter);
}

Predicate::Node Predicate::compile(const Filter& filter) {
    Node node;
    node.kind = filter.kind;
    if (has_operands(filter.kind)) {
        for (const Filter& operand : filter.operands) node.operands.push_back(compile(operand));
    } else if (filter.kind != Filter::Kind::all) {
        node.term = terms_.size();
        terms_.push_back({filter, dependencies_of(filter), {}});
        needs_.attributes |= terms_.back().needs.attributes;
        needs_.on_measures |= terms_.back().needs.on_measures;
    }
    return node;
}

std::size_t Predicate::apply(Frame& frame, Mask& out) {
    out.resize(frame.rows());
    evaluate(root_, frame, out);
    if (each_flow_once_) leave_out_counted_elsewhere(frame, out);
    return std::accumulate(out.begin(), out.end(), std::size_t{0});
}

void Predicate::evaluate(const Node& node, Frame& frame, Mask& out) {
    if (node.kind == Filter::Kind::all) {
        std::fill(out.begin(), out.end(), std::uint8_t{1});
    } else if (has_operands(node.kind)) {
        evaluate_operands(node, frame, out);
    } else {
        evaluate_term(terms_[node.term], frame, out);
    }
}

// As query::matches(): all of a conjunction, any of a disjunction, none of a negation.
void Predicate::evaluate_operands(const Node& node, Frame& frame, Mask& out) {
    const bool is_conjunction = node.kind == Filter::Kind::conjunction;
    std::fill(out.begin(), out.end(), static_cast<std::uint8_t>(is_conjunction ? 1 : 0));
    Mask one(out.size());
    for (const Node& operand : node.operands) {
        evaluate(operand, frame, one);
        for (std::size_t i = 0; i < out.size(); i++) {
            out[i] = static_cast<std::uint8_t>(is_conjunction ? out[i] & one[i] : out[i] | one[i]);
        }
    }
    if (node.kind != Filter::Kind::negation) return;
    for (std::uint8_t& taken : out) taken ^= 1;
}

void Predicate::evaluate_term(Term& term, Frame& frame, Mask& out) {
    const auto decide = [&term](const Batch& batch, const auto& row) {
        return query::matches(term.filter, batch, row);
    };
    if (term.needs.on_measures) {
        for (std::size_t row = 0; row < out.size(); row++) out[row] = frame.with_row(row, decide) ? 1 : 0;
        return;
    }
    const Tuples& tuples = frame.tuples(term.needs.attributes);
    term.memo.begin(frame, tuples);
    verdicts_.resize(tuples.size());
    for (std::uint32_t code = 0; code < verdicts_.size(); code++) {
        verdicts_[code] =
            term.memo.get(code, [&] { return frame.with_example(tuples, code, decide) ? 1u : 0u; });
    }
    spread(frame, tuples, verdicts_, out);
}

void Predicate::note_pairs(Frame& frame) {
    Mask selected(frame.rows());
    evaluate(root_, frame, selected);
    const Tuples& tuples = frame.tuples(kPairs);
    std::vector<std::uint8_t> noted(tuples.size(), 0);
    for (std::uint32_t row = 0; row < selected.size(); row++) {
        if (selected[row] == 0) continue;
        const std::uint32_t code = frame.code_of(tuples, row);
        if (std::exchange(noted[code], std::uint8_t{1}) != 0) continue;
        frame.with_example(tuples, code, [this](const Batch& batch, const auto&) {
            const Flow& flow = batch.flows[0];
            if (query::is_clients_row_of_pair(flow)) pairs_.insert(query::pair_of(flow));
        });
    }
}

void Predicate::leave_out_counted_elsewhere(Frame& frame, Mask& out) {
    const Tuples& tuples = frame.tuples(needs_pairs_ ? kPairs : set_of(Attribute::traits));
    verdicts_.resize(tuples.size());
    for (std::uint32_t code = 0; code < verdicts_.size(); code++) {
        verdicts_[code] = frame.with_example(tuples, code, [this](const Batch& batch, const auto&) {
            const Flow& flow = batch.flows[0];
            if (!query::is_servers_row_of_pair(flow)) return 1u;
            return needs_pairs_ && !pairs_.contains(query::pair_of(flow)) ? 1u : 0u;
        });
    }
    Mask counted(out.size());
    spread(frame, tuples, verdicts_, counted);
    for (std::size_t i = 0; i < out.size(); i++) out[i] &= counted[i];
}

}  // namespace weir::store
