#include "abi/host/http_target.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "abi/host/gzip.h"

namespace weir::host {
namespace {

using Clock = std::chrono::steady_clock;
using Result = Delivery::Result;

constexpr const char* kName = "weir";  // of the input, as agents list their inputs

bool is_for_as_long_as_it_takes(int status) {
    constexpr int kStatuses[] = {401, 403, 404, 407, 408, 425, 429, 502, 503, 504};
    return status < 400 ||
           std::find(std::begin(kStatuses), std::end(kStatuses), status) != std::end(kStatuses);
}

class HttpTarget final : public Target {
public:
    HttpTarget(HttpUrl url, HttpDialect dialect)
        : url_(std::move(url)), dialect_(std::move(dialect)), client_(url_) {
        dialect_.headers.emplace("User-Agent", "weir-host/" WEIR_HOST_VERSION);
        if (dialect_.gzip) dialect_.headers.emplace("Content-Encoding", "gzip");
    }

    std::string name() const override { return dialect_.prefix + url_.without_secrets(); }
    std::uint64_t most_points() const override { return dialect_.most_points; }
    void interrupt() override { client_.interrupt(); }

    Delivery deliver(const Batch& batch) override {
        if (!dialect_.gzip) return judge(client_.post(url_.path + url_.query, dialect_.headers, batch.bytes));
        const std::string body = gzipped(batch.bytes);
        if (body.empty()) return {Result::retry, "no memory to compress with", {}};
        return judge(client_.post(url_.path + url_.query, dialect_.headers, body));
    }

    void tell_error(const std::string& words) override {
        if (dialect_.errors_path.empty()) return;
        const nlohmann::json body = {{"input", kName}, {"source", kName}, {"err_content", words}};
        constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
        client_.post(dialect_.errors_path, {{"Content-Type", "application/json"}}, body.dump(-1, ' ', true, kReplace));
    }

private:
    Delivery judge(HttpAnswer answer);
    bool fails_for_too_long(int status);

    const HttpUrl url_;
    HttpDialect dialect_;
    HttpClient client_;
    std::optional<Clock::time_point> failing_since_;  // the batch under way, with 5xx and nothing else
};

Delivery HttpTarget::judge(HttpAnswer answer) {
    const bool give_up = fails_for_too_long(answer.status);
    if (answer.status == 0) return {Result::retry, std::move(answer.words), {}};
    if (answer.status < 300) return {};
    if (answer.status == 413) return {Result::too_large, std::move(answer.words), {}};
    const bool may_pass = is_for_as_long_as_it_takes(answer.status) || answer.status >= 500;
    if (may_pass && !give_up) return {Result::retry, std::move(answer.words), answer.retry_after};
    return {Result::refused, std::move(answer.words), {}};
}

bool HttpTarget::fails_for_too_long(int status) {
    if (status < 500 || is_for_as_long_as_it_takes(status)) {
        failing_since_.reset();
        return false;
    }
    if (!failing_since_) failing_since_ = Clock::now();
    const bool too_long = Clock::now() - *failing_since_ >= dialect_.give_up_after;
    if (too_long) failing_since_.reset();
    return too_long;
}

}  // namespace

std::unique_ptr<Target> make_http_target(HttpUrl url, HttpDialect dialect) {
    return std::make_unique<HttpTarget>(std::move(url), std::move(dialect));
}

}  // namespace weir::host
