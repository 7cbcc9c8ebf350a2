#include "lmdb-store/predicate.h"

#include <algorithm>
#include <numeric>

namespace weir::store {
namespace {

using query::Comparison;
using query::Filter;

// Both ends of a flow, and which one is the client's.
constexpr AttributeSet kPairs = set_of(Attribute::local, Attribute::remote, Attribute::local_port,
                                       Attribute::remote_port, Attribute::traits);

bool has_operands(Filter::Kind kind) {
    return kind == Filter::Kind::conjunction || kind == Filter::Kind::disjunction ||
           kind == Filter::Kind::negation;
}

// Joins masks as query::matches() does: all of a conjunction, any of a disjunction, none of a negation.
void begin_join(Filter::Kind kind, Mask& out) {
    std::fill(out.begin(), out.end(), static_cast<std::uint8_t>(kind == Filter::Kind::conjunction ? 1 : 0));
}
void join(Filter::Kind kind, const Mask& one, Mask& out) {
    for (std::size_t i = 0; i < out.size(); i++) {
        out[i] =
            static_cast<std::uint8_t>(kind == Filter::Kind::conjunction ? out[i] & one[i] : out[i] | one[i]);
    }
}
void end_join(Filter::Kind kind, Mask& out) {
    if (kind != Filter::Kind::negation) return;
    for (std::uint8_t& taken : out) taken ^= 1;
}

// What a number is in an expression: see FieldValue.
double as_compared(std::uint64_t stored) { return static_cast<double>(static_cast<std::int64_t>(stored)); }

}  // namespace

Predicate::Predicate(const Filter& filter, query::Layer layer, bool each_flow_once)
    : each_flow_once_(each_flow_once), needs_pairs_(each_flow_once && query::tells_sides_apart(filter)) {
    root_ = compile(filter, layer);
    needs_ = terms_need_;
    if (each_flow_once) needs_ |= needs_pairs_ ? kPairs : set_of(Attribute::traits);
    looks_at_rows_ = root_.looks_at_rows;
}

Predicate::Node Predicate::compile(const Filter& filter, query::Layer layer) {
    Node node;
    node.kind = filter.kind;
    if (has_operands(filter.kind)) {
        for (const Filter& operand : filter.operands) {
            node.operands.push_back(compile(operand, layer));
            node.looks_at_rows |= node.operands.back().looks_at_rows;
        }
    } else if (filter.kind != Filter::Kind::all) {
        node.term = terms_.size();
        Term& term = terms_.emplace_back();
        term.filter = filter;
        term.needs = dependencies_of(filter, layer);
        if (filter.kind == Filter::Kind::field && filter.comparison != Comparison::matches)
            term.column = number_column(filter.field);
        node.looks_at_rows = term.needs.on_measures;
        if (!node.looks_at_rows) terms_need_ |= term.needs.attributes;
    }
    return node;
}

std::size_t Predicate::begin(Frame& frame, bool counting, Mask& out) {
    for (Term& term : terms_) {
        if (!term.needs.on_measures) decide_subjects(term, frame);
    }
    out.resize(frame.subjects());
    may_match(root_, out);
    if (each_flow_once_ && counting) leave_out_counted_elsewhere(frame, out);
    return std::accumulate(out.begin(), out.end(), std::size_t{0});
}

void Predicate::decide_subjects(Term& term, Frame& frame) {
    const auto decide = [&term](const Batch& batch, const auto& row) {
        return query::matches(term.filter, batch, row);
    };
    const Tuples& tuples = frame.tuples(term.needs.attributes);
    term.memo.begin(frame, tuples);
    verdicts_.resize(tuples.size());
    for (std::uint32_t code = 0; code < verdicts_.size(); code++) {
        verdicts_[code] = static_cast<std::uint8_t>(
            term.memo.get(code, [&] { return frame.with_example(tuples, code, decide) ? 1u : 0u; }));
    }
    term.subjects.resize(frame.subjects());
    for (std::uint32_t subject = 0; subject < term.subjects.size(); subject++)
        term.subjects[subject] = verdicts_[frame.code_of(tuples, subject)];
}

// What looks at rows may match, and may not.
void Predicate::may_match(const Node& node, Mask& out) const {
    if (node.kind == Filter::Kind::all || (node.looks_at_rows && node.operands.empty()) ||
        (node.looks_at_rows && node.kind == Filter::Kind::negation)) {
        std::fill(out.begin(), out.end(), std::uint8_t{1});
    } else if (!has_operands(node.kind)) {
        out = terms_[node.term].subjects;
    } else {
        begin_join(node.kind, out);
        Mask one(out.size());
        for (const Node& operand : node.operands) {
            may_match(operand, one);
            join(node.kind, one, out);
        }
        end_join(node.kind, out);
    }
}

Status Predicate::apply(RowBlock& block, Mask& out) {
    out.resize(block.rows());
    return evaluate(root_, block, out);
}

Status Predicate::evaluate(const Node& node, RowBlock& block, Mask& out) {
    if (node.kind == Filter::Kind::all) {
        std::fill(out.begin(), out.end(), std::uint8_t{1});
        return {};
    }
    if (!has_operands(node.kind)) return evaluate_term(terms_[node.term], block, out);
    begin_join(node.kind, out);
    Mask one(out.size());
    for (const Node& operand : node.operands) {
        if (auto ok = evaluate(operand, block, one); !ok) return ok;
        join(node.kind, one, out);
    }
    end_join(node.kind, out);
    return {};
}

Status Predicate::evaluate_term(const Term& term, RowBlock& block, Mask& out) {
    const std::vector<std::uint32_t>& subjects = block.subjects();
    if (!term.needs.on_measures) {
        for (std::size_t row = 0; row < out.size(); row++)
            out[row] = subjects[row] < term.subjects.size() ? term.subjects[subjects[row]] : std::uint8_t{0};
        return {};
    }
    if (term.column && block.reader().part() != Part::slow) return compare_column(term, block, out);
    if (auto ok = block.load_whole(); !ok) return ok;
    for (std::size_t row = 0; row < out.size(); row++) {
        out[row] = block.with_row(
            row, [&](const Batch& batch, const auto& of) { return query::matches(term.filter, batch, of); });
    }
    return {};
}

Status Predicate::compare_column(const Term& term, const RowBlock& block, Mask& out) {
    const auto decide = [&term](std::uint64_t number) {
        return static_cast<std::uint8_t>(
            query::compares(as_compared(number), term.filter.comparison, term.filter.number));
    };
    Bounds bounds;
    if (auto ok = block.reader().bounds(*term.column, bounds); !ok) return ok;
    // Comparisons are monotonic: where both ends agree, all between them do.
    const bool in_order = as_compared(bounds.lowest) <= as_compared(bounds.highest);
    if (in_order && decide(bounds.lowest) == decide(bounds.highest)) {
        std::fill(out.begin(), out.end(), decide(bounds.lowest));
        return {};
    }
    if (auto ok = block.reader().numbers(*term.column, numbers_); !ok) return ok;
    std::transform(numbers_.begin(), numbers_.end(), out.begin(), decide);
    return {};
}

// For each combination of traits, whether `is` says so of its flows.
void Predicate::look_at_traits(Frame& frame, const Tuples& traits, bool (*is)(const Flow&)) {
    verdicts_.resize(traits.size());
    for (std::uint32_t code = 0; code < verdicts_.size(); code++) {
        verdicts_[code] = frame.with_example(
            traits, code, [is](const Batch& batch, const auto&) { return std::uint8_t{is(batch.flows[0])}; });
    }
}

// Most hosts talk to others only: then there is one small column to read.
std::size_t Predicate::begin_pairs(Frame& frame, Mask& out) {
    frame.load(set_of(Attribute::traits));
    const Tuples& traits = frame.tuples(set_of(Attribute::traits));
    look_at_traits(frame, traits, query::is_clients_row_of_pair);
    if (std::find(verdicts_.begin(), verdicts_.end(), 1) == verdicts_.end()) return 0;
    frame.load(needs());
    if (begin(frame, false, out) == 0) return 0;
    look_at_traits(frame, traits, query::is_clients_row_of_pair);
    std::size_t count = 0;
    for (std::uint32_t subject = 0; subject < out.size(); subject++) {
        out[subject] &= verdicts_[frame.code_of(traits, subject)];
        count += out[subject];
    }
    return count;
}

void Predicate::note_pairs(Frame& frame, const Mask& shown) {
    for (std::uint32_t subject = 0; subject < shown.size(); subject++) {
        if (shown[subject] == 0) continue;
        frame.with_subject(kPairs, subject, [this](const Batch& batch, const auto&) {
            return pairs_.insert(query::pair_of(batch.flows[0])).second;
        });
    }
}

// Few subjects are of a pair and taken as well, so each of these is looked at by itself.
void Predicate::leave_out_counted_elsewhere(Frame& frame, Mask& out) {
    const Tuples& traits = frame.tuples(set_of(Attribute::traits));
    look_at_traits(frame, traits, query::is_servers_row_of_pair);
    for (std::uint32_t subject = 0; subject < out.size(); subject++) {
        if (out[subject] == 0 || verdicts_[frame.code_of(traits, subject)] == 0) continue;
        const bool is_there =
            !needs_pairs_ || frame.with_subject(kPairs, subject, [this](const Batch& batch, const auto&) {
                return pairs_.contains(query::pair_of(batch.flows[0]));
            });
        if (is_there) out[subject] = 0;
    }
}

}  // namespace weir::store
