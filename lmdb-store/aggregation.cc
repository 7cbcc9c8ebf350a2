#include "lmdb-store/aggregation.h"

#include <algorithm>
#include <numeric>

#include "plugin/query/field_values.h"

namespace weir::store {
namespace {

using query::Layer;
using query::Measure;
using query::Measures;
using query::MeasureSet;

template <typename... M>
constexpr MeasureSet measures(M... all) {
    return (query::set_of(all) | ...);
}

constexpr MeasureSet kSent = measures(Measure::client_sent, Measure::server_sent);
constexpr MeasureSet kStatuses = measures(Measure::errors, Measure::error_rate, Measure::status_3xx,
                                          Measure::status_4xx, Measure::status_5xx);

// The measures that a column is needed for.
constexpr MeasureSet measures_from(Section section) {
    switch (section) {
        case Section::bytes_written: return measures(Measure::bytes_written) | kSent;
        case Section::bytes_read: return measures(Measure::bytes_read) | kSent;
        case Section::retransmits: return measures(Measure::retransmits);
        case Section::tcp_established: return measures(Measure::tcp_established);
        case Section::tcp_closed: return measures(Measure::tcp_closed);
        case Section::connect_failed: return measures(Measure::connect_failed);
        case Section::count: return measures(Measure::count, Measure::rps) | kStatuses;
        case Section::rtt:
            return measures(Measure::rtt, Measure::rtt_p50, Measure::rtt_p95, Measure::rtt_max);
        case Section::rtt_var: return measures(Measure::rtt_var, Measure::rtt_var_p95);
        case Section::latency:
            return measures(Measure::latency, Measure::latency_p50, Measure::latency_p95,
                            Measure::latency_p99, Measure::latency_max);
        default: return 0;
    }
}

constexpr std::size_t kBudgetEvery = 4096;

tl::unexpected<Error> out_of_time() {
    return fail(ErrorCode::timeout, "the query took too long; ask for a shorter range or filter more");
}

}  // namespace

Aggregation::Aggregation(const query::AggregateQuery& query, std::size_t max_groups, MemoryPool& memory)
    : query_(query),
      measures_(query.measures | query::set_of(query.sort)),
      predicate_(query.filter, query.each_flow_once),
      groups_(query.by.size(), query.step_ns > 0, max_groups,
              query.limit == 0 || query.step_ns > 0 ? max_groups : query.limit, memory) {
    for (const query::Dimension& dimension : query.by) {
        dimensions_.push_back({dimension, dependencies_of(dimension), {}, nullptr, {}, {}});
        group_needs_.attributes |= dimensions_.back().needs.attributes;
        group_needs_.on_measures |= dimensions_.back().needs.on_measures;
    }
}

Dependencies Aggregation::needs() const {
    Dependencies out = group_needs_;
    if ((measures_ & kSent) != 0) out.attributes |= set_of(Attribute::traits);
    if (query_.layer == Layer::l7 && (measures_ & kStatuses) != 0)
        out.attributes |= set_of(Attribute::status);
    return out;
}

Status Aggregation::look_at(Frame& frame) {
    if (auto ok = frame.load(predicate_.needs()); !ok) return ok;
    predicate_.note_pairs(frame);
    return {};
}

Status Aggregation::add(Frame& frame, std::int64_t end_ns) {
    if (auto ok = frame.load(predicate_.needs()); !ok) return ok;
    if (predicate_.apply(frame, mask_) == 0) return {};
    if (auto ok = frame.load(needs()); !ok) return ok;
    const bool is_l4 = query_.layer == Layer::l4;
    if (auto ok = is_l4 ? load_measures<L4Row>(frame) : load_measures<L7Row>(frame); !ok) return ok;

    group_rows(frame, mask_);
    number_groups(frame, end_ns);
    for (std::size_t i = 0; i < local_.counts.size(); i++) {
        if (local_.counts[i] > 0) groups_.slot(local_.numbers[i]).rows += local_.counts[i];
    }
    is_l4 ? add_measures<L4Row>(frame) : add_measures<L7Row>(frame);
    return {};
}

void Aggregation::group_rows(Frame& frame, const Mask& mask) {
    local_.rows.clear();
    for (std::uint32_t row = 0; row < mask.size(); row++) {
        if (mask[row] != 0) local_.rows.push_back(row);
    }
    local_.tuples = group_needs_.on_measures ? nullptr : &frame.tuples(group_needs_.attributes);
    local_.group.resize(local_.rows.size());
    for (std::size_t i = 0; i < local_.rows.size(); i++) {
        const std::uint32_t row = local_.rows[i];
        local_.group[i] = local_.tuples == nullptr ? row : frame.code_of(*local_.tuples, row);
    }
    local_.counts.assign(local_.tuples == nullptr ? frame.rows() : local_.tuples->size(), 0);
    for (const std::uint32_t group : local_.group) local_.counts[group]++;
}

// The number of a row's part of the key, worked out once for each tuple that is taken.
std::uint32_t Aggregation::part_of(Frame& frame, std::size_t dimension, std::uint32_t row) {
    DimensionState& state = dimensions_[dimension];
    const auto number = [&](const Batch& batch, const auto& of) {
        return groups_.part(dimension, query::key_part(state.dimension, batch, of));
    };
    if (state.tuples == nullptr) return frame.with_row(row, number);
    const std::uint32_t code = frame.code_of(*state.tuples, row);
    if (state.known[code] == 0) {
        state.known[code] = 1;
        state.numbers[code] =
            state.memo.get(code, [&] { return frame.with_example(*state.tuples, code, number); });
    }
    return state.numbers[code];
}

// Which groups of the answer the block's groups are.
void Aggregation::number_groups(Frame& frame, std::int64_t end_ns) {
    for (DimensionState& state : dimensions_) {
        state.tuples = state.needs.on_measures ? nullptr : &frame.tuples(state.needs.attributes);
        if (state.tuples == nullptr) continue;
        state.memo.begin(frame, *state.tuples);
        state.numbers.resize(state.tuples->size());
        state.known.assign(state.tuples->size(), 0);
    }
    std::vector<std::uint32_t> parts(dimensions_.size());
    if (query_.step_ns > 0) parts.push_back(groups_.step(floor_to(end_ns - 1, query_.step_ns)));
    local_.numbers.assign(local_.counts.size(), GroupTable::kNone);
    std::vector<std::uint8_t> done(local_.counts.size(), 0);
    for (std::size_t i = 0; i < local_.rows.size(); i++) {
        const std::uint32_t group = local_.group[i];
        if (std::exchange(done[group], std::uint8_t{1}) != 0) continue;
        for (std::size_t d = 0; d < dimensions_.size(); d++) parts[d] = part_of(frame, d, local_.rows[i]);
        local_.numbers[group] = groups_.group(parts);
    }
}

template <typename Row>
Status Aggregation::load_measures(const Frame& frame) {
    using Columns = RowColumns<Row>;
    number_columns_.resize(Columns::kNumbers.size());
    histogram_columns_.resize(Columns::kHistograms.size());
    for (std::size_t i = 0; i < Columns::kNumbers.size(); i++) {
        const Section section = Columns::kNumbers[i].section;
        if ((measures_ & measures_from(section)) == 0) continue;
        if (auto ok = frame.reader().numbers(section, number_columns_[i]); !ok) return ok;
    }
    for (std::size_t i = 0; i < Columns::kHistograms.size(); i++) {
        const Section section = Columns::kHistograms[i].section;
        if ((measures_ & measures_from(section)) == 0) continue;
        if (auto ok = frame.reader().histograms(section, histogram_columns_[i]); !ok) return ok;
    }
    return {};
}

template <typename Row>
void Aggregation::add_measures(const Frame& frame) {
    using Columns = RowColumns<Row>;
    constexpr auto column_of = [](Section section) {
        std::size_t i = 0;
        while (i + 1 < Columns::kNumbers.size() && Columns::kNumbers[i].section != section) i++;
        return i;
    };
    for (std::size_t i = 0; i < Columns::kNumbers.size(); i++) {
        if ((measures_ & measures_from(Columns::kNumbers[i].section)) == 0) continue;
        add_sums(number_columns_[i], Columns::kNumbers[i].of_sum);
    }
    if ((measures_ & kSent) != 0) {
        add_sent(frame, number_columns_[column_of(Section::bytes_written)],
                 number_columns_[column_of(Section::bytes_read)]);
    }
    if (Columns::kLayer == Layer::l7 && (measures_ & kStatuses) != 0) {
        add_statuses(frame, number_columns_[column_of(Section::count)]);
    }
    bool sorted = false;
    for (std::size_t i = 0; i < Columns::kHistograms.size(); i++) {
        if ((measures_ & measures_from(Columns::kHistograms[i].section)) == 0) continue;
        if (!sorted) sort_rows_by_group();
        sorted = true;
        add_histograms(histogram_columns_[i], Columns::kHistograms[i].of_sum);
    }
}

void Aggregation::add_sums(const std::vector<std::uint64_t>& numbers, std::uint64_t Measures::*member) {
    sums_.assign(local_.counts.size(), 0);
    for (std::size_t i = 0; i < local_.rows.size(); i++) sums_[local_.group[i]] += numbers[local_.rows[i]];
    for (std::size_t group = 0; group < sums_.size(); group++) {
        if (sums_[group] != 0) groups_.slot(local_.numbers[group]).measures.*member += sums_[group];
    }
}

// Who sent what: the local end of a client's flow is the client.
void Aggregation::add_sent(const Frame& frame, const std::vector<std::uint64_t>& written,
                           const std::vector<std::uint64_t>& read) {
    const AttributeColumn& traits = frame.attribute(Attribute::traits);
    std::vector<std::uint8_t> is_client(traits.size());
    for (std::size_t code = 0; code < is_client.size(); code++) {
        Flow flow;
        set_traits(flow, traits.values[code]);
        is_client[code] = flow.is_client() ? 1 : 0;
    }
    std::vector<std::uint64_t> sent(frame.rows());
    const auto add = [&](bool by_client, std::uint64_t Measures::*member) {
        for (const std::uint32_t row : local_.rows) {
            const bool client = is_client[traits.codes[frame.row_flow()[row]]] != 0;
            sent[row] = client == by_client ? written[row] : read[row];
        }
        add_sums(sent, member);
    };
    add(true, &Measures::client_sent);
    add(false, &Measures::server_sent);
}

void Aggregation::add_statuses(const Frame& frame, const std::vector<std::uint64_t>& counts) {
    const AttributeColumn& status = frame.attribute(Attribute::status);
    std::vector<std::uint64_t> of_class(frame.rows());
    const auto add = [&](std::uint64_t status_class, std::uint64_t Measures::*member) {
        bool any = false;
        for (const std::uint64_t value : status.values) any |= value / 100 == status_class;
        if (!any) return;
        for (const std::uint32_t row : local_.rows) {
            of_class[row] = status.values[status.codes[row]] / 100 == status_class ? counts[row] : 0;
        }
        add_sums(of_class, member);
    };
    add(3, &Measures::status_3xx);
    add(4, &Measures::status_4xx);
    add(5, &Measures::status_5xx);
}

void Aggregation::sort_rows_by_group() {
    group_begin_.assign(local_.counts.size() + 1, 0);
    std::partial_sum(local_.counts.begin(), local_.counts.end(), group_begin_.begin() + 1);
    rows_by_group_.resize(local_.rows.size());
    std::vector<std::uint32_t> at(group_begin_.begin(), group_begin_.end() - 1);
    for (std::size_t i = 0; i < local_.rows.size(); i++)
        rows_by_group_[at[local_.group[i]]++] = local_.rows[i];
}

void Aggregation::add_histograms(const HistogramColumn& column, Histogram Measures::*member) {
    for (std::size_t group = 0; group < local_.counts.size(); group++) {
        bool any = false;
        for (std::uint32_t i = group_begin_[group]; i < group_begin_[group + 1]; i++) {
            const std::uint32_t row = rows_by_group_[i];
            if (column.begin[row] == column.begin[row + 1]) continue;
            histogram_sum_.add(column, row);
            any = true;
        }
        if (any) (groups_.slot(local_.numbers[group]).measures.*member).merge(histogram_sum_.take());
    }
}

// With steps: what the steps of each key add up to, by key.
std::vector<Measures> Aggregation::key_totals() const {
    std::vector<Measures> out(query_.step_ns > 0 ? groups_.keys() : 0);
    for (std::uint32_t group = 0; group < groups_.size() && !out.empty(); group++) {
        out[groups_.key_of(group)].merge(groups_.slot(group).measures);
    }
    return out;
}

// Keys that have rows, the highest (or lowest) first and those without a value last; as many of them sorted
// as the limit keeps. Equal ones by their texts, so that an answer is always the same.
std::vector<std::uint32_t> Aggregation::rank_keys(const std::vector<Measures>& totals) const {
    std::vector<std::optional<double>> values(groups_.keys());
    std::vector<std::uint32_t> order;
    std::vector<std::uint8_t> seen(groups_.keys(), 0);
    // Any two times may be asked for; their difference need not be one.
    const double range_seconds =
        (static_cast<double>(query_.range.to_ns) - static_cast<double>(query_.range.from_ns)) / 1e9;
    for (std::uint32_t group = 0; group < groups_.size(); group++) {
        const std::uint32_t key = groups_.key_of(group);
        if (groups_.slot(group).rows == 0 || std::exchange(seen[key], std::uint8_t{1}) != 0) continue;
        const Measures& sums = totals.empty() ? groups_.slot(group).measures : totals[key];
        values[key] = query::value(sums, query_.sort, range_seconds);
        order.push_back(key);
    }
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        if (values[a].has_value() != values[b].has_value()) return values[a].has_value();
        if (values[a] != values[b])
            return query_.descending ? *values[a] > *values[b] : *values[a] < *values[b];
        return a != b && groups_.parts_of(a) < groups_.parts_of(b);
    };
    const std::size_t kept = query_.limit == 0 ? order.size() : std::min(query_.limit, order.size());
    if (kept == order.size()) {
        std::sort(order.begin(), order.end(), before);
    } else {
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                          before);
    }
    return order;
}

Result<query::AggregateResult> Aggregation::finish() {
    if (query_.budget.exceeded()) return out_of_time();
    const std::vector<std::uint32_t> order = rank_keys(key_totals());
    const std::size_t kept = query_.limit == 0 ? order.size() : std::min(query_.limit, order.size());
    std::vector<std::uint32_t> rank(groups_.keys(), GroupTable::kNone);
    for (std::uint32_t i = 0; i < kept; i++) rank[order[i]] = i;

    query::AggregateResult out;
    out.group_count = order.size();
    MeasureSum rest;
    MeasureSum totals;
    rest.add(groups_.remainder().measures);
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t group = 0; group < groups_.size(); group++) {
        if (group % kBudgetEvery == 0 && query_.budget.exceeded()) return out_of_time();
        if (groups_.slot(group).rows == 0) continue;
        if (rank[groups_.key_of(group)] != GroupTable::kNone) {
            chosen.push_back(group);
            totals.add(groups_.slot(group).measures);
        } else {
            rest.add(groups_.slot(group).measures);
        }
    }
    out.rest = rest.take();
    totals.add(out.rest);
    out.totals = totals.take();
    std::sort(chosen.begin(), chosen.end(), [&](std::uint32_t a, std::uint32_t b) {
        const std::uint32_t rank_a = rank[groups_.key_of(a)];
        const std::uint32_t rank_b = rank[groups_.key_of(b)];
        return rank_a != rank_b ? rank_a < rank_b : groups_.time_of(a) < groups_.time_of(b);
    });
    for (const std::uint32_t group : chosen) {
        GroupTable::Slot& slot = groups_.slot(group);
        out.groups.push_back({groups_.parts_of(groups_.key_of(group)), groups_.time_of(group), slot.rows,
                              std::move(slot.measures)});
    }
    return out;
}

}  // namespace weir::store
