#include "http/api/answer.h"
#include "http/endpoints/own_state.h"

namespace weir::http {
namespace {

Json time_or_null(std::int64_t ns) { return ns == 0 ? Json() : json_time(ns); }

template <typename T>
Json value_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json overhead_json(const std::optional<Overhead>& overhead) {
    if (!overhead) return nullptr;
    return {{"cpu_share", overhead->cpu_share},
            {"cpu_budget", value_or_null(overhead->cpu_budget)},
            {"memory_bytes", overhead->memory_bytes},
            {"memory_budget", value_or_null(overhead->memory_budget)},
            {"step", overhead->step},
            {"step_reason", json_text_or_null(overhead->step_reason)}};
}

Json namespaces_json(const std::optional<Namespaces>& namespaces) {
    if (!namespaces) return nullptr;
    return {{"known", namespaces->known},
            {"left_out", namespaces->left_out},
            {"tracked", namespaces->tracked},
            {"problem", json_text_or_null(namespaces->problem)}};
}

Json losses_json(const LossCounts& losses) {
    Json out = Json::array();
    for (std::size_t i = 0; i < kLossCount; i++) {
        out.push_back({{"reason", kLosses[i].name}, {"count", losses[i]}, {"description", kLosses[i].help}});
    }
    return out;
}

Json store_json(const query::QueryEngine* engine) {
    if (engine == nullptr) return nullptr;
    const query::StoreStatus store = engine->status();
    return {{"healthy", store.healthy},
            {"problem", json_text_or_null(store.problem)},
            {"path", json_text(store.path)},
            {"bytes_used", store.bytes_used},
            {"bytes_limit", store.bytes_limit},
            {"oldest_detail", time_or_null(store.oldest_detail_ns)},
            {"oldest_minute", time_or_null(store.oldest_minute_ns)},
            {"detail_rows", store.detail_rows},
            {"minute_rows", store.minute_rows}};
}

}  // namespace

Response health(const StatusProvider& provider) {
    const Health state = provider.health();
    Json body = {{"healthy", state.healthy}, {"reason", json_text_or_null(state.reason)}};
    if (!state.healthy) body.update(error_json({503, "not_collecting", state.reason, ""}));
    return json_response(state.healthy ? 200 : 503, body);
}

Response status(const StatusProvider& provider, const query::QueryEngine* engine, std::int64_t now_ns) {
    const Facts facts = provider.facts();
    const Health state = provider.health();
    const LossCounts losses = provider.losses();
    return json_response(200, {{"version", json_text(facts.version)},
                               {"abi", json_text(facts.abi)},
                               {"host", json_text(facts.host)},
                               {"kernel", json_text(facts.kernel)},
                               {"tier", json_text(facts.tier)},
                               {"tier_reason", json_text(facts.tier_reason)},
                               {"healthy", state.healthy},
                               {"reason", json_text_or_null(state.reason)},
                               {"now", json_time(now_ns)},
                               {"started", json_time(facts.started_ns)},
                               {"uptime_s", static_cast<double>(now_ns - facts.started_ns) / 1e9},
                               {"interval_ms", facts.interval_ns / 1'000'000},
                               {"overhead", overhead_json(facts.overhead)},
                               {"namespaces", namespaces_json(facts.namespaces)},
                               {"filtered_records", facts.filtered_records},
                               {"coverage", coverage_json(losses, provider.reconciled())},
                               {"losses", losses_json(losses)},
                               {"store", store_json(engine)}});
}

}  // namespace weir::http
