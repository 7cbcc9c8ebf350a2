// What endpoints return: a response or an error, both in the forms that all of them share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "http/api/json.h"
#include "http/net/message.h"
#include "plugin/base/ledger.h"
#include "plugin/query/query.h"

namespace weir::http {

// The codes are listed in openapi.yaml.
struct ApiError {
    int status = 400;
    std::string_view code;
    std::string message;
    std::string field;  // the parameter that is wrong, empty when it is none
};

using ApiResult = tl::expected<Response, ApiError>;

Response json_response(int status, const Json& body);
Response csv_response(std::string_view name, std::string body);  // a download, weir-NAME.csv
Json error_json(const ApiError& error);
Response error_response(const ApiError& error);

Json coverage_json(const LossCounts& losses, const ReconciledCounts& reconciled);

// A data answer: times and resolution, then what the endpoint adds, then coverage and duration.
class DataAnswer {
public:
    DataAnswer(const query::TimeRange& range, query::Resolution resolution);

    Json& operator[](const char* member) { return json_[member]; }
    void add(const Json& members) { json_.update(members); }
    Response finish(const LossCounts& losses, const ReconciledCounts& reconciled,
                    std::chrono::steady_clock::time_point began);

private:
    Json json_;
};

}  // namespace weir::http
