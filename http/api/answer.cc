#include "http/api/answer.h"

#include <utility>

namespace weir::http {

Response json_response(int status, const Json& body) {
    Response out;
    out.status = status;
    out.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
    out.body = to_text(body) + "\n";
    return out;
}

Response csv_response(std::string_view name, std::string body) {
    Response out;
    out.headers.emplace_back("Content-Type", "text/csv; charset=utf-8; header=present");
    out.headers.emplace_back("Content-Disposition",
                             "attachment; filename=\"weir-" + std::string(name) + ".csv\"");
    out.body = std::move(body);
    return out;
}

Json error_json(const ApiError& error) {
    return {{"error",
             {{"code", error.code},
              {"message", json_text(error.message)},
              {"field", json_text_or_null(error.field)}}}};
}

Response error_response(const ApiError& error) { return json_response(error.status, error_json(error)); }

Json coverage_json(const LossCounts& losses, const ReconciledCounts& reconciled) {
    Json lost = Json::object();
    for (std::size_t i = 0; i < kLossCount; i++) {
        if (losses[i] != 0) lost[std::string(kLosses[i].name)] = losses[i];
    }
    Json held = Json::object();
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        if (!reconciled[i]) continue;
        held[std::string(kKernelCounterNames[i])] = {{"kernel", reconciled[i]->kernel},
                                                     {"seen", reconciled[i]->seen}};
    }
    return {{"complete", lost.empty()}, {"lost", lost}, {"reconciled", held}};
}

DataAnswer::DataAnswer(const query::TimeRange& range, query::Resolution resolution)
    : json_({{"from", json_time(range.from_ns)},
             {"to", json_time(range.to_ns)},
             {"resolution", resolution == query::Resolution::detail ? "detail" : "minute"}}) {}

Response DataAnswer::finish(const LossCounts& losses, const ReconciledCounts& reconciled,
                            std::chrono::steady_clock::time_point began) {
    using std::chrono::duration_cast, std::chrono::microseconds, std::chrono::steady_clock;
    json_["coverage"] = coverage_json(losses, reconciled);
    json_["took_us"] = duration_cast<microseconds>(steady_clock::now() - began).count();
    return json_response(200, json_);
}

}  // namespace weir::http
