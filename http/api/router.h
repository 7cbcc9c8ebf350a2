// From a request to the endpoint that answers it, and what every answer has in common: access control,
// the headers that restrict a browser, the form of errors.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "http/api/access.h"
#include "http/api/context.h"
#include "http/assets.h"
#include "http/endpoints/own_state.h"
#include "http/net/handler.h"
#include "plugin/base/clock.h"
#include "plugin/base/log.h"

namespace weir::http {

class Router : public Handler {
public:
    struct Parts {
        const query::QueryEngine* engine = nullptr;  // null: the store is disabled
        const StatusProvider& status;
        std::span<const Asset> assets;
        const Clock& clock;
        const Logger& log;
        std::chrono::nanoseconds query_time;
    };

    // Everything referred to must outlive it.
    Router(const Parts& parts, std::string token, std::vector<std::string> names);

    Response handle(const Request& request) override;
    Response refuse(int status, std::string_view why) override;
    std::size_t body_limit(const Request& request) const override;
    bool is_quick(const Request& request) const override;

private:
    ApiResult route(const Request& request);
    ApiResult answer_api(const Request& request);
    ApiResult answer_data(const Request& request, const query::QueryEngine& engine,
                          ApiResult (*endpoint)(const Context&)) const;
    ApiResult begin_session(const Request& request);
    ApiResult answer_asset(const Request& request) const;
    Response finish(Response response);

    const Parts parts_;
    Access access_;
    HttpCounters counters_;
};

}  // namespace weir::http
