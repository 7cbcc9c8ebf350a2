#include "http/api/router.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <utility>

#include "http/api/json.h"
#include "http/api/params.h"
#include "http/api_description.h"
#include "http/endpoints/endpoints.h"

namespace weir::http {
namespace {

constexpr std::string_view kSession = "/api/v1/session";
constexpr std::size_t kMostSessionBody = 4096;

struct DataRoute {
    std::string_view path;
    ApiResult (*endpoint)(const Context&);
};
constexpr std::array<DataRoute, 6> kDataRoutes = {{{"/api/v1/summary", summary},
                                                   {"/api/v1/series", series},
                                                   {"/api/v1/facets", facets},
                                                   {"/api/v1/connections", connections},
                                                   {"/api/v1/flows", flows},
                                                   {"/api/v1/map", map}}};

const DataRoute* find_data_route(std::string_view path) {
    const auto* const found = std::find_if(kDataRoutes.begin(), kDataRoutes.end(),
                                           [&](const DataRoute& route) { return route.path == path; });
    return found == kDataRoutes.end() ? nullptr : found;
}

bool is_api(std::string_view path) { return path.starts_with("/api/") || path == "/metrics"; }

tl::unexpected<ApiError> fault(int status, std::string_view code, std::string message) {
    return tl::unexpected(ApiError{status, code, std::move(message), ""});
}

// Weir's own page, its own files, nothing inline and nobody's frame.
constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy",
     "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
};

std::string entity_tag(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out = "\"";
    for (std::size_t i = 0; i < 16; i++) (out += kDigits[digest[i] >> 4]) += kDigits[digest[i] & 15];
    return out + "\"";
}

std::string_view code_of(int status) {
    if (status == 413 || status == 414 || status == 431) return "too_large";
    return status == 408 ? "timeout" : "bad_request";
}

}  // namespace

Router::Router(const Parts& parts, std::string token, std::vector<std::string> names)
    : parts_(parts), access_(std::move(token), std::move(names)) {}

std::size_t Router::body_limit(const Request& request) const {
    return request.method == "POST" && request.path == kSession ? kMostSessionBody : 0;
}

bool Router::is_quick(const Request& request) const { return find_data_route(request.path) == nullptr; }

Response Router::refuse(int status, std::string_view why) {
    Response out = error_response({status, code_of(status), std::string(why), ""});
    out.close = true;
    return finish(std::move(out));
}

Response Router::handle(const Request& request) {
    ApiResult result = fault(500, "internal", "something went wrong inside of Weir; its log says more");
    try {
        result = route(request);
    } catch (const std::bad_alloc&) {
        result = fault(503, "busy", "there is not enough memory for this answer; ask for less");
    } catch (const std::exception& error) {
        parts_.log.error(std::string("http: a request failed: ") + error.what());
    }
    if (result) return finish(std::move(*result));
    Response out = error_response(result.error());
    if (out.status == 401) out.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (out.status == 405) out.headers.emplace_back("Allow", request.path == kSession ? "POST" : "GET, HEAD");
    return finish(std::move(out));
}

Response Router::finish(Response response) {
    counters_.count(response.status);
    for (const auto& [name, value] : kHeaders) response.headers.emplace_back(name, value);
    const auto is_cache_control = [](const auto& header) { return header.first == "Cache-Control"; };
    if (std::none_of(response.headers.begin(), response.headers.end(), is_cache_control)) {
        response.headers.emplace_back("Cache-Control", "no-store");
    }
    return response;
}

ApiResult Router::route(const Request& request) {
    if (auto refused = access_.check_source(request)) return tl::unexpected(std::move(*refused));
    const bool is_session = request.path == kSession;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (is_session ? request.method != "POST" : !reads) {
        return fault(405, "method_not_allowed", is_session ? "only POST here" : "only GET here");
    }
    if (is_session) return begin_session(request);
    if (request.path == "/healthz") return health(parts_.status);
    if (!is_api(request.path)) return answer_asset(request);
    if (!access_.allows(request)) {
        return fault(401, "unauthorized", "this needs the token: Authorization: Bearer TOKEN");
    }
    return answer_api(request);
}

ApiResult Router::answer_api(const Request& request) {
    if (request.path == "/metrics") {
        return metrics(parts_.status, parts_.engine, counters_, parts_.clock.wall_ns());
    }
    if (const auto* const data = find_data_route(request.path)) {
        if (parts_.engine != nullptr) return answer_data(request, *parts_.engine, data->endpoint);
        return fault(503, "store_disabled",
                     "the store is switched off in the configuration, so there is nothing to answer from");
    }
    const Params params(request, {});
    if (params.error()) return tl::unexpected(*params.error());
    if (request.path == "/api/v1/status") {
        return status(parts_.status, parts_.engine, parts_.clock.wall_ns());
    }
    if (request.path == "/api/v1/openapi.yaml") {
        Response out;
        out.headers.emplace_back("Content-Type", "application/yaml; charset=utf-8");
        out.body = api_description();
        return out;
    }
    return fault(404, "not_found", "there is no such endpoint; see /api/v1/openapi.yaml");
}

ApiResult Router::answer_data(const Request& request, const query::QueryEngine& engine,
                              ApiResult (*endpoint)(const Context&)) const {
    const auto now = std::chrono::steady_clock::now();
    const auto time = std::chrono::duration_cast<std::chrono::steady_clock::duration>(parts_.query_time);
    return endpoint({request, engine, parts_.status, parts_.clock.wall_ns(), now,
                     query::Budget{now + time, request.cancelled.get()}});
}

// The token comes in a header, or as {"token": "..."} where a page asks for it.
ApiResult Router::begin_session(const Request& request) {
    std::string token(bearer_token(request));
    if (!request.body.empty()) {
        const Json body = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
        const bool good =
            body.is_object() && body.size() == 1 && body.contains("token") && body["token"].is_string();
        if (!good) return fault(400, "bad_request", "the body must be {\"token\": \"...\"}");
        token = body["token"].get<std::string>();
    }
    Response out;
    out.status = 204;
    if (!access_.wants_token()) return out;
    if (!access_.token_is(token)) {
        return tl::unexpected(ApiError{401, "unauthorized", "this is not the token", "token"});
    }
    out.headers.emplace_back("Set-Cookie", access_.begin_session(request.tls));
    return out;
}

// Browsers keep the console's files and ask each time whether they are still the same.
ApiResult Router::answer_asset(const Request& request) const {
    const std::string_view path = request.path == "/" ? std::string_view("/index.html") : request.path;
    const auto found = std::find_if(parts_.assets.begin(), parts_.assets.end(),
                                    [&](const Asset& asset) { return asset.path == path; });
    if (found == parts_.assets.end()) return fault(404, "not_found", "there is nothing at this address");
    Response out;
    const std::string tag = entity_tag(found->bytes);
    out.headers.emplace_back("ETag", tag);
    out.headers.emplace_back("Cache-Control", "no-cache");
    if (request.header("If-None-Match") == tag) {
        out.status = 304;
        return out;
    }
    out.headers.emplace_back("Content-Type", found->content_type);
    out.body = found->bytes;
    return out;
}

}  // namespace weir::http
