// info and check.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "abi/host/printable.h"
#include "http/api/json.h"
#include "lmdb-store/command/command.h"

namespace weir::store::command {
namespace {

using http::Json;

std::string time_text(std::int64_t ns) {
    if (ns == 0) return "-";
    const auto seconds = static_cast<std::time_t>(ns / 1'000'000'000);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &utc);
    return text.data();
}

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_table(const char* name, const Archive::TableSummary& table) {
    std::printf("%-9s %8llu entries %12llu rows %9.1f MiB   %s to %s\n", name,
                static_cast<unsigned long long>(table.entries), static_cast<unsigned long long>(table.rows),
                mib(table.bytes), time_text(table.oldest_ns).c_str(), time_text(table.newest_ns).c_str());
}

Json table_json(const Archive::TableSummary& table) {
    return {{"entries", table.entries},
            {"rows", table.rows},
            {"bytes", table.bytes},
            {"oldest", table.oldest_ns / 1'000'000},
            {"newest", table.newest_ns / 1'000'000}};
}

}  // namespace

int info(const Archive& archive, const Arguments& arguments) {
    const auto about = archive.summary();
    if (!about) return complain(about.error());
    if (arguments.format == "json") {
        Json segments = Json::array();
        for (const auto& one : about->segments) {
            segments.push_back({{"segment", one.number},
                                {"texts", one.texts},
                                {"flows", one.flows},
                                {"requests", one.requests},
                                {"lookups", one.lookups},
                                {"endpoints", one.endpoints},
                                {"bytes", one.bytes}});
        }
        const Json out = {{"path", about->path},
                          {"format", about->format},
                          {"in_use", about->is_in_use},
                          {"intervals", table_json(about->detail)},
                          {"minutes", table_json(about->minute)},
                          {"endpoints", table_json(about->endpoint)},
                          {"segments", segments},
                          {"used_bytes", about->used_bytes},
                          {"file_bytes", about->file_bytes},
                          {"most_bytes", about->most_bytes}};
        std::printf("%s\n", http::to_text(out).c_str());
        return 0;
    }
    std::printf("%s: format %u, %s\n", host::printable(about->path).c_str(), about->format,
                about->is_in_use ? "in use by a Weir" : "not in use");
    print_table("intervals", about->detail);
    print_table("minutes", about->minute);
    print_table("endpoints", about->endpoint);
    for (const auto& one : about->segments) {
        std::printf(
            "segment %-6llu %8llu flows %8llu requests %8llu lookups %8llu endpoints %8llu texts %9.1f MiB\n",
            static_cast<unsigned long long>(one.number), static_cast<unsigned long long>(one.flows),
            static_cast<unsigned long long>(one.requests), static_cast<unsigned long long>(one.lookups),
            static_cast<unsigned long long>(one.endpoints), static_cast<unsigned long long>(one.texts),
            mib(one.bytes));
    }
    std::printf("used %.1f MiB, free in the file %.1f MiB, at most %.1f MiB\n", mib(about->used_bytes),
                mib(about->file_bytes - std::min(about->file_bytes, about->used_bytes)),
                mib(about->most_bytes));
    return 0;
}

int check(const Archive& archive, const Arguments& arguments) {
    const auto verdict = archive.check();
    if (!verdict) return complain(verdict.error());
    if (arguments.format == "json") {
        Json damage = Json::array();
        for (const auto& one : verdict->damage)
            damage.push_back({{"where", one.where}, {"what", one.what}, {"rows", one.rows}});
        std::printf("%s\n", http::to_text(Json{{"entries", verdict->entries},
                                               {"blocks", verdict->blocks},
                                               {"rows", verdict->rows},
                                               {"damage", damage}})
                                .c_str());
        return verdict->damage.empty() ? 0 : 1;
    }
    for (const auto& one : verdict->damage) {
        std::printf("DAMAGED %s: %s (%llu rows lost)\n", one.where.c_str(), one.what.c_str(),
                    static_cast<unsigned long long>(one.rows));
    }
    std::printf(
        "%llu entries, %llu blocks, %llu rows: %s\n", static_cast<unsigned long long>(verdict->entries),
        static_cast<unsigned long long>(verdict->blocks), static_cast<unsigned long long>(verdict->rows),
        verdict->damage.empty() ? "all can be read" : "damaged");
    return verdict->damage.empty() ? 0 : 1;
}

}  // namespace weir::store::command
