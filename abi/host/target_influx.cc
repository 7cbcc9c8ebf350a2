// influx:URL, any endpoint that takes line protocol by POST: InfluxDB 1, 2 and 3, VictoriaMetrics, Telegraf,
// GreptimeDB, QuestDB.
#include <cstdlib>

#include "abi/host/http_target.h"
#include "weir_abi.h"

namespace weir::host {

Expected<std::unique_ptr<Target>> make_influx_target(const std::string& rest,
                                                     const TargetSettings& settings) {
    if (settings.points_format != WEIR_FORMAT_LINE_PROTOCOL) {
        return fail("the target influx: takes line protocol only, so --format protobuf does not go with it");
    }
    auto url = parse_http_url(rest);
    if (!url) return fail("the target influx: is wrong: " + url.error());
    if (url->path.empty()) {
        url->path = "/write";
        if (url->query.empty()) url->query = "?db=weir&precision=ns";
    }
    HttpDialect dialect{"influx:", {}, settings.most_points, settings.gzip, settings.give_up_after, {}};
    dialect.headers.emplace("Content-Type", "text/plain; charset=utf-8");
    const char* token = std::getenv("INFLUX_TOKEN");
    if (token != nullptr && url->user.empty()) {
        dialect.headers.emplace("Authorization", std::string("Token ") + token);
    }
    return make_http_target(std::move(*url), std::move(dialect));
}

}  // namespace weir::host
