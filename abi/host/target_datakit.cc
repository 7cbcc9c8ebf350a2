// datakit:URL, the write endpoint of a DataKit agent: POST /v1/write/network?input=NAME. What the plugin wants
// an operator to see is told to POST /v1/lasterror.
//
// It tells the two formats apart by a Content-Type that must match to the letter, and reads anything else as
// line protocol. Its own collectors send at most 256 points a request, so that is the default here; with 429
// it says that a client was too fast.
#include "abi/host/http_target.h"
#include "weir_abi.h"

namespace weir::host {
namespace {

constexpr std::uint64_t kMostPoints = 256;
constexpr const char* kPath = "/v1/write/network";
constexpr const char* kErrorsPath = "/v1/lasterror";
constexpr const char* kInput = "input=weir";

const char* content_type(std::int32_t points_format) {
    return points_format == WEIR_FORMAT_PROTOBUF ? "application/protobuf; proto=com.guance.Point"
                                                 : "application/line-protocol";
}

}  // namespace

Expected<std::unique_ptr<Target>> make_datakit_target(const std::string& rest,
                                                      const TargetSettings& settings) {
    auto url = parse_http_url(rest);
    if (!url) return fail("the target datakit: is wrong: " + url.error());
    if (url->path.empty()) {
        url->path = kPath;
        if (url->query.find("input=") == std::string::npos) {
            url->query += (url->query.empty() ? "?" : "&") + std::string(kInput);
        }
    }
    HttpDialect dialect{"datakit:",
                        {},
                        settings.most_points != 0 ? settings.most_points : kMostPoints,
                        settings.gzip,
                        settings.give_up_after,
                        kErrorsPath};
    dialect.headers.emplace("Content-Type", content_type(settings.points_format));
    return make_http_target(std::move(*url), std::move(dialect));
}

}  // namespace weir::host
