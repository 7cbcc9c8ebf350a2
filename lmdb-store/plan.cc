#include "lmdb-store/plan.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace weir::store {
namespace {

using query::Resolution;
using query::TimeRange;

bool holds(const TimeRange& range, std::int64_t time) { return range.from_ns < time && time <= range.to_ns; }

// Into times that can be calculated with.
TimeRange clamp(const TimeRange& range) {
    return {std::clamp<std::int64_t>(range.from_ns, 0, kMaxTime),
            std::clamp<std::int64_t>(range.to_ns, 0, kMaxTime)};
}

Choice choose(const TimeRange& range, std::int64_t now, std::int64_t detail_ns, const State& state) {
    Choice out;
    out.range = clamp(range);
    out.rolled_through = state.rolled_through;
    // What was dropped at a time that is in the future now, before the clock stepped back, is not missed.
    out.detail_dropped_ns = state.detail_dropped_ns <= now ? state.detail_dropped_ns : 0;
    const std::int64_t kept_from = std::max(now - detail_ns - query_slack(detail_ns), out.detail_dropped_ns);
    out.resolution = out.range.from_ns >= kept_from ? Resolution::detail : Resolution::minute;
    return out;
}

// Whether, in a minute answer, the minute with this end is made of its intervals.
bool is_cut(std::int64_t end, const Choice& choice) {
    const std::int64_t begin = end - kMinute;
    const auto inside = [&](std::int64_t edge) { return begin < edge && edge < end; };
    return (inside(choice.range.from_ns) || inside(choice.range.to_ns)) && choice.detail_dropped_ns <= begin;
}

bool is_wanted(const Entry& entry, const Choice& choice) {
    const std::int64_t end = entry.header.end_ns;
    if (!holds(choice.range, end)) return false;
    if (choice.resolution == Resolution::detail) return true;
    const bool is_in_minute = entry.header.last_sequence <= choice.rolled_through;
    if (entry.table == Table::detail) return !is_in_minute || is_cut(minute_end(end), choice);
    // A minute that was written since the choice was made is still read from its intervals.
    return is_in_minute && !is_cut(end, choice);
}

tl::unexpected<Error> unreadable(int code) {
    return fail(ErrorCode::storage, "the store cannot be read: " + message_of(code));
}

// Keys are never earlier than the times of their entries.
std::uint64_t first_time(const Choice& choice) { return static_cast<std::uint64_t>(choice.range.from_ns); }

// Those of the endpoint table that lie in the range. The minutes answer for those that are damaged.
Result<std::vector<Entry>> list_endpoints(const Transaction& transaction, const Choice& choice) {
    std::vector<Entry> found;
    std::vector<Key> damaged;
    const int code = list_entries(transaction, Table::endpoint, first_time(choice), found, damaged);
    if (code != 0) return unreadable(code);
    std::erase_if(found, [&](const Entry& entry) {
        return entry.header.begin_ns < choice.range.from_ns || entry.header.end_ns > choice.range.to_ns;
    });
    return found;
}

// `instead`: of the endpoint table, in the plan already.
Result<void> add_table(const Transaction& transaction, Table table, std::span<const Entry> instead,
                       Plan& plan) {
    std::vector<Entry> found;
    std::vector<Key> damaged;
    const int code = list_entries(transaction, table, first_time(plan.choice), found, damaged, instead);
    if (code != 0) return unreadable(code);
    plan.losses[static_cast<std::size_t>(Loss::store_unreadable)] += damaged.size();
    for (Entry& entry : found) {
        if (is_wanted(entry, plan.choice)) plan.entries.push_back(std::move(entry));
    }
    return {};
}

}  // namespace

bool is_newer(const Entry& a, const Entry& b) {
    if (a.header.end_ns != b.header.end_ns) return a.header.end_ns > b.header.end_ns;
    if (a.table != b.table) return a.table == Table::detail;
    return a.key.sequence > b.key.sequence;
}

Result<Plan> make_plan(const Transaction& transaction, const TimeRange& range, std::int64_t now,
                       std::int64_t detail_ns, const std::optional<Choice>& again, bool by_endpoint) {
    std::optional<State> state;
    const int code = get_state(transaction, state);
    if (code != 0) return unreadable(code);
    if (!state)
        return fail(ErrorCode::storage, "the store's state is damaged; it is rebuilt at the next start");
    Plan plan;
    plan.store_id = state->store_id;
    plan.choice = again ? *again : choose(range, now, detail_ns, *state);
    if (plan.choice.resolution == Resolution::minute) {
        std::vector<Entry> endpoints;
        if (by_endpoint) {
            auto found = list_endpoints(transaction, plan.choice);
            if (!found) return tl::unexpected(found.error());
            endpoints = std::move(*found);
        }
        if (auto ok = add_table(transaction, Table::minute, endpoints, plan); !ok)
            return tl::unexpected(ok.error());
        plan.has_endpoints = !endpoints.empty();
        std::move(endpoints.begin(), endpoints.end(), std::back_inserter(plan.entries));
    }
    if (auto ok = add_table(transaction, Table::detail, {}, plan); !ok) return tl::unexpected(ok.error());
    std::sort(plan.entries.begin(), plan.entries.end(), is_newer);
    for (const Entry& entry : plan.entries) {
        for (std::size_t i = 0; i < kLossCount; i++) plan.losses[i] += entry.header.losses[i];
        add_reconciled(plan.reconciled, entry.header.reconciled);
    }
    return plan;
}

}  // namespace weir::store
