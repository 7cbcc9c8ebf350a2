#include "lmdb-store/aggregation.h"

#include <algorithm>
#include <numeric>

#include "lmdb-store/endpoint_rollup.h"
#include "plugin/query/field_values.h"

namespace weir::store {
namespace {

using query::Layer;
using query::Measure;
using query::Measures;
using query::MeasureSet;

constexpr std::uint32_t kDiscard = GroupSums::kDiscard;
constexpr std::uint32_t kRemainder = GroupSums::kRemainder;
constexpr std::uint32_t kFirstGroup = GroupSums::kFirstGroup;
// Of a subject instead of a place: it is not worked out yet; it cannot be read.
constexpr std::uint32_t kUnknown = 0xffffffff;
constexpr std::uint32_t kLost = 0xfffffffe;
// Of a dimension's tuple instead of a part's number: there is no room for its text.
constexpr std::uint32_t kNoRoom = 0xfffffffd;

// Where fewer rows than this share of a block are taken, only these are read.
constexpr std::size_t kSparse = 16;

constexpr std::size_t kBudgetEvery = 4096;

template <typename... M>
constexpr MeasureSet measures(M... all) {
    return (query::set_of(all) | ...);
}

constexpr MeasureSet kSent = measures(Measure::client_sent, Measure::server_sent);
constexpr MeasureSet kStatuses = measures(Measure::errors, Measure::error_rate, Measure::status_3xx,
                                          Measure::status_4xx, Measure::status_5xx);

// The measures that a column is needed for, in itself.
constexpr MeasureSet measures_from(Section section) {
    switch (section) {
        case Section::bytes_written: return measures(Measure::bytes_written);
        case Section::bytes_read: return measures(Measure::bytes_read);
        case Section::retransmits: return measures(Measure::retransmits);
        case Section::tcp_established: return measures(Measure::tcp_established);
        case Section::tcp_closed: return measures(Measure::tcp_closed);
        case Section::connect_failed: return measures(Measure::connect_failed);
        case Section::connect_refused: return measures(Measure::connect_refused);
        case Section::connect_timed_out: return measures(Measure::connect_timed_out);
        case Section::connect_unreachable: return measures(Measure::connect_unreachable);
        case Section::connect_reset: return measures(Measure::connect_reset);
        case Section::connect_failed_other: return measures(Measure::connect_failed_other);
        case Section::count: return measures(Measure::count, Measure::rps, Measure::error_rate);
        case Section::rtt:
            return measures(Measure::rtt, Measure::rtt_p50, Measure::rtt_p95, Measure::rtt_max);
        case Section::rtt_var: return measures(Measure::rtt_var, Measure::rtt_var_p95);
        case Section::latency:
            return measures(Measure::latency, Measure::latency_p50, Measure::latency_p95,
                            Measure::latency_p99, Measure::latency_max);
        default: return 0;
    }
}

tl::unexpected<Error> out_of_time() {
    return fail(ErrorCode::timeout, "the query took too long; ask for a shorter range or filter more");
}

tl::unexpected<Error> out_of_memory() {
    return fail(ErrorCode::no_memory,
                "the query needs too much memory; ask for a shorter range or fewer groups, or filter more");
}

constexpr std::uint32_t place_of(std::uint32_t number) {
    return number == GroupTable::kNone ? kRemainder : number + kFirstGroup;
}

}  // namespace

Aggregation::Aggregation(const query::AggregateQuery& query, std::size_t max_groups, MemoryPool& memory)
    : query_(query),
      measures_(query.measures | query::set_of(query.sort)),
      lease_(memory),
      predicate_(query.filter, query.layer, query.each_flow_once) {
    for (const query::Dimension& dimension : query.by) {
        dimensions_.push_back({dimension, dependencies_of(dimension, query.layer), {}, nullptr, {}});
        keys_on_measures_ |= dimensions_.back().needs.on_measures;
    }
    plan_sums();
    std::vector<GroupSums::Sum> members;
    for (const SumSource& source : sources_) members.push_back(source.member);
    sums_.emplace(std::move(members), distributions_, lease_);
    groups_.emplace(query.by.size(), query.step_ns > 0, max_groups,
                    query.limit == 0 || query.step_ns > 0 ? max_groups : query.limit, sums_->bytes_a_group(),
                    lease_);
    sums_->resize(groups_->size() + kFirstGroup);
}

void Aggregation::plan_sums() {
    const auto wants = [this](MeasureSet any) { return (measures_ & any) != 0; };
    const auto add = [this](SumSource::Kind kind, GroupSums::Sum member, std::uint64_t status_class = 0) {
        sources_.push_back({kind, Section::count, status_class, member});
    };
    with_row_type(store::part_of(query_.layer), [this]<typename Row>() { plan_columns<Row>(); });
    if (query_.layer != Layer::dns && wants(measures(Measure::client_sent, Measure::server_sent))) {
        add(SumSource::Kind::client_sent, &Measures::client_sent);
        add(SumSource::Kind::server_sent, &Measures::server_sent);
    }
    if (query_.layer == Layer::l7) {
        const MeasureSet errors = measures(Measure::errors, Measure::error_rate);
        if (wants(measures(Measure::status_3xx)))
            add(SumSource::Kind::status_class, &Measures::status_3xx, 3);
        if (wants(errors | measures(Measure::status_4xx)))
            add(SumSource::Kind::status_class, &Measures::status_4xx, 4);
        if (wants(errors | measures(Measure::status_5xx)))
            add(SumSource::Kind::status_class, &Measures::status_5xx, 5);
    }
    if (query_.layer == Layer::dns && wants(measures(Measure::errors, Measure::error_rate)))
        add(SumSource::Kind::dns_error, &Measures::dns_errors);
    columns_.resize(sources_.size());
    histogram_columns_.resize(distributions_.size());
}

template <typename Row>
void Aggregation::plan_columns() {
    for (const auto& column : RowColumns<Row>::kNumbers) {
        if ((measures_ & measures_from(column.section)) != 0)
            sources_.push_back({SumSource::Kind::column, column.section, 0, column.of_sum});
    }
    for (const auto& column : RowColumns<Row>::kHistograms) {
        if ((measures_ & measures_from(column.section)) == 0) continue;
        histogram_sections_.push_back(column.section);
        distributions_.push_back(column.of_sum);
    }
}

AttributeSet Aggregation::needs() const {
    AttributeSet out = 0;
    for (const DimensionState& dimension : dimensions_) out |= dimension.needs.attributes;
    for (const SumSource& source : sources_) {
        switch (source.kind) {
            case SumSource::Kind::client_sent:
            case SumSource::Kind::server_sent: out |= set_of(Attribute::traits); break;
            case SumSource::Kind::status_class: out |= set_of(Attribute::status); break;
            case SumSource::Kind::dns_error: out |= set_of(Attribute::rcode); break;
            case SumSource::Kind::column: break;
        }
    }
    return out;
}

bool Aggregation::fits_endpoints() const {
    const AttributeSet known =
        kEndpointAttributes & (kFlowAttributes | attributes_of(subjects_of(store::part_of(query_.layer))));
    return !keys_on_measures_ && !predicate_.looks_at_rows() &&
           ((needs() | predicate_.terms_need()) & ~known) == 0;
}

bool Aggregation::begin_look(Frame& frame) {
    const bool any = predicate_.begin_pairs(frame, mask_) > 0;
    shown_.assign(mask_.size(), 0);
    return any;
}

Status Aggregation::look_at(RowBlock& block) {
    if (predicate_.looks_at_rows()) {
        if (auto ok = predicate_.apply(block, row_mask_); !ok) return ok;
    }
    for (std::size_t row = 0; row < block.rows(); row++) {
        const std::uint32_t subject = block.subjects()[row];
        if (subject >= mask_.size()) break;
        if (mask_[subject] != 0 && (!predicate_.looks_at_rows() || row_mask_[row] != 0)) shown_[subject] = 1;
    }
    return {};
}

void Aggregation::end_look(Frame& frame) { predicate_.note_pairs(frame, shown_); }

bool Aggregation::begin(Frame& frame) {
    frame_ = &frame;
    frame.load(predicate_.needs());
    const bool any = predicate_.begin(frame, true, mask_) > 0;
    if (any) frame.load(needs());
    key_of_subject_.resize(mask_.size());
    bool any_lost = false;
    for (std::uint32_t subject = 0; subject < mask_.size(); subject++) {
        const bool is_lost = frame.is_lost(subject);
        any_lost |= is_lost;
        key_of_subject_[subject] = is_lost ? kLost : mask_[subject] != 0 ? kUnknown : kDiscard;
    }
    // What cannot be read is counted, row by row.
    if (!any) return any_lost || frame.segment().is_damaged();
    for (DimensionState& state : dimensions_) {
        if (state.needs.on_measures) continue;
        state.tuples = &frame.tuples(state.needs.attributes);
        state.memo.begin(frame, *state.tuples);
        state.numbers.assign(state.tuples->size(), kUnknown);
    }
    const AttributeColumn& traits = frame.attribute(Attribute::traits);
    is_client_.clear();
    if (has(needs(), Attribute::traits)) {
        for (const std::uint32_t code : traits.codes) {
            Flow flow;
            set_traits(flow, traits.values[code]);
            is_client_.push_back(flow.is_client() ? 1 : 0);
        }
    }
    return true;
}

std::uint32_t Aggregation::part_of(std::size_t dimension, std::uint32_t subject) {
    DimensionState& state = dimensions_[dimension];
    const std::uint32_t code = frame_->code_of(*state.tuples, subject);
    std::uint32_t& number = state.numbers[code];
    if (number == kUnknown) {
        number = state.memo.get(code, [&] {
            return frame_->with_example(*state.tuples, code, [&](const Batch& batch, const auto& of) {
                return groups_->part(dimension, query::key_part(state.dimension, batch, of));
            });
        });
        if (number == GroupTable::kNone) number = kNoRoom;
    }
    return number == kNoRoom ? GroupTable::kNone : number;
}

// The key of a subject, as a place.
std::uint32_t Aggregation::number_subject(std::uint32_t subject) {
    parts_.resize(dimensions_.size());
    for (std::size_t d = 0; d < dimensions_.size(); d++) parts_[d] = part_of(d, subject);
    return place_of(groups_->key(parts_));
}

void Aggregation::begin_step(std::int64_t end_ns) {
    if (query_.step_ns <= 0) return;
    const std::int64_t step_ns = floor_to(end_ns - 1, query_.step_ns);
    if (step_ns == step_ns_) return;
    step_ns_ = step_ns;
    step_ = groups_->step(step_ns);
    for (const std::uint32_t key : keys_of_step_) place_of_key_[key] = kUnknown;
    keys_of_step_.clear();
}

// Of a key that is given as a place: the place of its group in this step.
std::uint32_t Aggregation::place_of_key(std::uint32_t key) {
    if (query_.step_ns <= 0 || key < kFirstGroup) return key;
    if (key >= place_of_key_.size()) place_of_key_.resize(key + 1, kUnknown);
    std::uint32_t& place = place_of_key_[key];
    if (place == kUnknown) {
        place = place_of(groups_->group(key - kFirstGroup, step_));
        keys_of_step_.push_back(key);
    }
    return place;
}

// The same by their subjects.
std::size_t Aggregation::place_subjects(const RowBlock& block) {
    const std::vector<std::uint32_t>& subjects = block.subjects();
    const bool has_steps = query_.step_ns > 0;
    const std::size_t known = static_cast<std::size_t>(
        std::lower_bound(subjects.begin(), subjects.end(), key_of_subject_.size()) - subjects.begin());
    places_.resize(subjects.size());
    std::fill(places_.begin() + static_cast<std::ptrdiff_t>(known), places_.end(), kDiscard);
    lost_ = subjects.size() - known;
    std::size_t taken = 0;
    for (std::size_t row = 0; row < known; row++) {
        const std::uint32_t key = key_of(subjects[row]);
        if (key == kDiscard) {
            places_[row] = kDiscard;
            continue;
        }
        places_[row] = has_steps ? place_of_key(key) : key;
        taken += places_[row] != kDiscard ? 1 : 0;
    }
    return taken;
}

// The key of a known subject, as a place.
std::uint32_t Aggregation::key_of(std::uint32_t subject) {
    std::uint32_t key = key_of_subject_[subject];
    if (key >= kLost) [[unlikely]] {
        lost_ += key == kLost ? 1 : 0;
        key = key == kLost ? kDiscard : (key_of_subject_[subject] = number_subject(subject));
    }
    return key;
}

// The rows from the first to the last whose subjects are wanted.
std::pair<std::size_t, std::size_t> Aggregation::wanted_rows(const RowBlock& block) const {
    const std::vector<std::uint32_t>& subjects = block.subjects();
    if (subjects.empty()) return {0, 0};
    std::uint32_t first = subjects.front();
    std::uint32_t last = subjects.back();
    const auto is_wanted = [this](std::uint32_t subject) {
        return subject >= key_of_subject_.size() || key_of_subject_[subject] != kDiscard;
    };
    while (first < last && !is_wanted(first)) first++;
    while (first < last && !is_wanted(last)) last--;
    return {std::lower_bound(subjects.begin(), subjects.end(), first) - subjects.begin(),
            std::upper_bound(subjects.begin(), subjects.end(), last) - subjects.begin()};
}

// The same for a block of the endpoint table, where each row has its own time and few subjects have all rows.
Result<std::size_t> Aggregation::place_minutes(const RowBlock& block) {
    const auto [begin, end] = wanted_rows(block);
    rows_.resize(end - begin);
    std::iota(rows_.begin(), rows_.end(), static_cast<std::uint32_t>(begin));
    if (auto ok = block.reader().numbers(Section::minute, minutes_, &rows_); !ok)
        return tl::unexpected(ok.error());
    if (auto ok = block.reader().numbers(Section::rows, counts_, &rows_); !ok)
        return tl::unexpected(ok.error());
    places_.assign(block.rows(), kDiscard);
    lost_ = 0;
    std::size_t taken = 0;
    for (std::size_t row = begin; row < end; row++) {
        const std::uint32_t subject = block.subjects()[row];
        if (subject >= key_of_subject_.size() || minutes_[row] >= kHourMinutes) {
            lost_++;
            continue;
        }
        const std::uint32_t key = key_of(subject);
        if (key == kDiscard) continue;
        begin_step(minute_of(*hour_, minutes_[row]));
        places_[row] = place_of_key(key);
        taken += places_[row] != kDiscard ? 1 : 0;
    }
    return taken;
}

// The same for a query that has to look at rows.
Status Aggregation::place_rows(RowBlock& block) {
    row_mask_.assign(block.rows(), 1);
    if (predicate_.looks_at_rows()) {
        if (auto ok = predicate_.apply(block, row_mask_); !ok) return ok;
    }
    if (keys_on_measures_) return place_by_measures(block);
    place_subjects(block);
    for (std::size_t row = 0; row < places_.size(); row++) {
        if (row_mask_[row] == 0) places_[row] = kDiscard;
    }
    return {};
}

// Where a dimension is a measure each row has a key of its own.
Status Aggregation::place_by_measures(RowBlock& block) {
    if (auto ok = block.load_whole(); !ok) return ok;
    places_.assign(block.rows(), kDiscard);
    lost_ = 0;
    parts_.resize(dimensions_.size());
    for (std::uint32_t row = 0; row < block.rows(); row++) {
        const std::uint32_t subject = block.subjects()[row];
        if (subject >= mask_.size() || key_of_subject_[subject] == kLost || block.is_lost(row)) {
            lost_++;
        } else if (row_mask_[row] != 0 && mask_[subject] != 0) {
            for (std::size_t d = 0; d < dimensions_.size(); d++) parts_[d] = part_of_row(d, block, row);
            places_[row] = place_of_key(place_of(groups_->key(parts_)));
        }
    }
    return {};
}

std::uint32_t Aggregation::part_of_row(std::size_t dimension, const RowBlock& block, std::uint32_t row) {
    const DimensionState& state = dimensions_[dimension];
    if (!state.needs.on_measures) return part_of(dimension, block.subjects()[row]);
    return block.with_row(row, [&](const Batch& batch, const auto& of) {
        return groups_->part(dimension, query::key_part(state.dimension, batch, of));
    });
}

bool Aggregation::wants(std::uint32_t first, std::uint32_t last) const {
    if (last >= key_of_subject_.size()) return true;
    return std::any_of(key_of_subject_.begin() + first, key_of_subject_.begin() + last + 1,
                       [](std::uint32_t key) { return key != kDiscard; });
}

// To which group each row goes. Returns how many are taken.
Result<std::size_t> Aggregation::place(RowBlock& block, const Entry& entry) {
    hour_ = entry.table == Table::endpoint ? &entry.header : nullptr;
    if (hour_ != nullptr) return place_minutes(block);
    begin_step(entry.header.end_ns);
    if (!predicate_.looks_at_rows() && !keys_on_measures_) return place_subjects(block);
    if (auto ok = place_rows(block); !ok) return tl::unexpected(ok.error());
    return places_.size() - static_cast<std::size_t>(std::count(places_.begin(), places_.end(), kDiscard));
}

Result<std::uint64_t> Aggregation::add(RowBlock& block, const Entry& entry) {
    const auto placed = place(block, entry);
    if (!placed) return tl::unexpected(placed.error());
    const std::size_t taken = *placed;
    if (taken == 0) return lost_;
    const std::vector<std::uint32_t>* some = nullptr;
    if (taken < block.rows() / kSparse) {
        rows_.clear();
        for (std::uint32_t row = 0; row < places_.size(); row++) {
            if (places_[row] != kDiscard) rows_.push_back(row);
        }
        some = &rows_;
    }
    for (std::size_t i = 0; i < sources_.size(); i++) {
        if (auto ok = load_column(block, sources_[i], some, columns_[i]); !ok)
            return tl::unexpected(ok.error());
    }
    for (std::size_t i = 0; i < histogram_sections_.size(); i++) {
        auto ok = block.reader().histograms(histogram_sections_[i], histogram_columns_[i], some);
        if (!ok) return tl::unexpected(ok.error());
    }
    sums_->resize(groups_->size() + kFirstGroup);
    std::vector<const std::vector<std::uint64_t>*> columns;
    for (const auto& column : columns_) columns.push_back(&column);
    sums_->add_numbers(places_, some, columns, hour_ != nullptr ? &counts_ : nullptr);
    for (std::size_t i = 0; i < histogram_columns_.size(); i++)
        sums_->add_histograms(i, places_, some, histogram_columns_[i]);
    return lost_;
}

Status Aggregation::load_column(const RowBlock& block, const SumSource& source,
                                const std::vector<std::uint32_t>* rows, std::vector<std::uint64_t>& out) {
    const auto each = [&](auto f) {
        out.resize(block.rows());
        for (std::size_t row = 0; row < block.rows(); row++) {
            if (places_[row] != kDiscard) out[row] = f(row, block.subjects()[row]);
        }
    };
    switch (source.kind) {
        case SumSource::Kind::column: return block.reader().numbers(source.section, out, rows);
        case SumSource::Kind::client_sent:
        case SumSource::Kind::server_sent: {
            if (auto ok = block.reader().numbers(Section::bytes_written, written_, rows); !ok) return ok;
            if (auto ok = block.reader().numbers(Section::bytes_read, read_, rows); !ok) return ok;
            const bool by_client = source.kind == SumSource::Kind::client_sent;
            each([&](std::size_t row, std::uint32_t subject) {
                const bool is_client = is_client_[frame_->flow_of(subject)] != 0;
                return is_client == by_client ? written_[row] : read_[row];
            });
            return {};
        }
        case SumSource::Kind::status_class: {
            if (auto ok = block.reader().numbers(Section::count, written_, rows); !ok) return ok;
            const AttributeColumn& status = frame_->attribute(Attribute::status);
            each([&](std::size_t row, std::uint32_t subject) {
                const std::uint64_t of = status.values[status.codes[subject]] / 100;
                return of == source.status_class ? written_[row] : 0;
            });
            return {};
        }
        case SumSource::Kind::dns_error: {
            if (auto ok = block.reader().numbers(Section::count, written_, rows); !ok) return ok;
            const AttributeColumn& rcode = frame_->attribute(Attribute::rcode);
            each([&](std::size_t row, std::uint32_t subject) {
                return rcode.values[rcode.codes[subject]] != 0 ? written_[row] : 0;
            });
            return {};
        }
    }
    return {};
}

// With steps: what the steps of each key add up to, by key; as much as the sorting needs.
std::vector<Measures> Aggregation::key_totals() {
    std::vector<Measures> out(query_.step_ns > 0 ? groups_->keys() : 0);
    for (std::uint32_t group = 0; group < groups_->size() && !out.empty(); group++) {
        out[groups_->key_of(group)].merge(sums_->measures_for(group + kFirstGroup, query_.sort));
    }
    return out;
}

// Keys that have rows, the highest (or lowest) first and those without a value last; as many of them sorted
// as the limit keeps. Equal ones by their texts, so that an answer is always the same.
std::vector<std::uint32_t> Aggregation::rank_keys(const std::vector<Measures>& totals) {
    std::vector<std::optional<double>> values(groups_->keys());
    std::vector<std::uint32_t> order;
    std::vector<std::uint8_t> seen(groups_->keys(), 0);
    // Any two times may be asked for; their difference need not be one.
    const double range_seconds =
        (static_cast<double>(query_.range.to_ns) - static_cast<double>(query_.range.from_ns)) / 1e9;
    for (std::uint32_t group = 0; group < groups_->size(); group++) {
        const std::uint32_t key = groups_->key_of(group);
        const std::uint32_t place = group + kFirstGroup;
        if (sums_->rows(place) == 0 || std::exchange(seen[key], std::uint8_t{1}) != 0) continue;
        values[key] = totals.empty()
                          ? query::value(sums_->measures_for(place, query_.sort), query_.sort, range_seconds)
                          : query::value(totals[key], query_.sort, range_seconds);
        order.push_back(key);
    }
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        if (values[a].has_value() != values[b].has_value()) return values[a].has_value();
        if (values[a] != values[b])
            return query_.descending ? *values[a] > *values[b] : *values[a] < *values[b];
        return a != b && groups_->parts_of(a) < groups_->parts_of(b);
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
    if (sums_->is_exhausted()) return out_of_memory();
    sums_->resize(groups_->size() + kFirstGroup);
    const std::vector<std::uint32_t> order = rank_keys(key_totals());
    const std::size_t kept = query_.limit == 0 ? order.size() : std::min(query_.limit, order.size());
    std::vector<std::uint32_t> rank(groups_->keys(), kUnknown);
    for (std::uint32_t i = 0; i < kept; i++) rank[order[i]] = i;

    query::AggregateResult out;
    out.group_count = order.size();
    GroupSums::Total rest(*sums_);
    GroupSums::Total totals(*sums_);
    rest.add(kRemainder);
    totals.add(kRemainder);
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t group = 0; group < groups_->size(); group++) {
        if (group % kBudgetEvery == 0 && query_.budget.exceeded()) return out_of_time();
        if (sums_->rows(group + kFirstGroup) == 0) continue;
        totals.add(group + kFirstGroup);
        if (rank[groups_->key_of(group)] != kUnknown) {
            chosen.push_back(group);
        } else {
            rest.add(group + kFirstGroup);
        }
    }
    out.rest = rest.take();
    out.totals = totals.take();
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        const std::uint32_t rank_a = rank[groups_->key_of(a)];
        const std::uint32_t rank_b = rank[groups_->key_of(b)];
        return rank_a != rank_b ? rank_a < rank_b : groups_->time_of(a) < groups_->time_of(b);
    };
    // A series of one key has come in order.
    if (!std::is_sorted(chosen.begin(), chosen.end(), before))
        std::sort(chosen.begin(), chosen.end(), before);
    if (!write_groups(chosen, out.groups)) return out_of_time();
    return out;
}

// False when the time is over.
bool Aggregation::write_groups(const std::vector<std::uint32_t>& chosen, std::vector<query::Group>& out) {
    out.reserve(chosen.size());
    for (const std::uint32_t group : chosen) {
        if (out.size() % kBudgetEvery == 0 && query_.budget.exceeded()) return false;
        const std::uint32_t place = group + kFirstGroup;
        out.push_back({groups_->parts_of(groups_->key_of(group)), groups_->time_of(group), sums_->rows(place),
                       sums_->measures(place)});
    }
    return true;
}

}  // namespace weir::store
