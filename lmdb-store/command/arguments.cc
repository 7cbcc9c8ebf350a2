#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "http/api/time_expression.h"
#include "lmdb-store/command/command.h"
#include "plugin/query/filter.h"

namespace weir::store::command {
namespace {

tl::unexpected<Error> refuse(const std::string& what) {
    return fail(ErrorCode::invalid_argument, what + "; see weir-store --help");
}

std::uint8_t measurement_of(query::Layer layer) {
    return layer == query::Layer::l4 ? kNetflow : layer == query::Layer::l7 ? kHttpflow : kDnsflow;
}

Status set_layer(const std::string& value, Arguments& out) {
    out.slow = value == "slow";
    if (value == "l4") {
        out.layer = query::Layer::l4;
    } else if (value == "l7" || out.slow) {
        out.layer = query::Layer::l7;
    } else if (value == "dns") {
        out.layer = query::Layer::dns;
    } else {
        return refuse("there is no layer '" + value + "'");
    }
    return {};
}

Status set_fields(const std::string& value, Arguments& out) {
    for (std::size_t begin = 0; begin <= value.size();) {
        const std::size_t end = std::min(value.find(',', begin), value.size());
        const std::string name = value.substr(begin, end - begin);
        std::optional<Field> found;
        for (std::size_t i = 0; i < kFieldCount; i++) {
            if (kPointSchema[i].name == name) found = static_cast<Field>(i);
        }
        if (!found) return refuse("there is no field '" + name + "'");
        out.by.push_back(*found);
        begin = end + 1;
    }
    return {};
}

Status set_number(const std::string& value, std::size_t& out) {
    const char* const last = value.data() + value.size();
    const auto [end, error] = std::from_chars(value.data(), last, out);
    if (error != std::errc() || end != last) return refuse("'" + value + "' is not a number");
    return {};
}

Status set(const std::string& name, const std::string& value, std::int64_t now_ns, Arguments& out) {
    if (name == "--layer") return set_layer(value, out);
    if (name == "--by") return set_fields(value, out);
    if (name == "--limit") return set_number(value, out.limit);
    if (name == "--from" || name == "--to") {
        const auto time = http::parse_time(value, now_ns);
        if (!time) return refuse("'" + value + "' is no time");
        (name == "--from" ? out.range.from_ns : out.range.to_ns) = *time;
    } else if (name == "--q") {
        auto filter = query::parse_filter(value);
        if (!filter) return tl::unexpected(filter.error());
        out.filter = std::move(*filter);
    } else if (name == "--sort") {
        const auto measure = query::find_measure(value);
        if (!measure) return refuse("there is no measure '" + value + "'");
        out.sort = *measure;
    } else if (name == "--format") {
        if (value != "csv" && value != "json" && value != "lineproto")
            return refuse("there is no format '" + value + "'");
        out.format = value;
    } else {
        return refuse("there is no option '" + name + "'");
    }
    return {};
}

Status complete(bool is_sorted, Arguments& out) {
    if (!is_sorted && out.layer != query::Layer::l4) out.sort = query::Measure::count;
    if (!query::in_layer(out.sort, out.layer))
        return refuse("this layer has no measure '" + std::string(query::info(out.sort).name) + "'");
    for (const Field field : out.by) {
        if ((info(field).measurements & measurement_of(out.layer)) == 0)
            return refuse("this layer has no field '" + std::string(info(field).name) + "'");
    }
    if (out.by.empty()) out.by = {Field::client_ip, Field::server_ip, Field::server_port};
    if (out.command == "dump" && out.format.empty()) out.format = "csv";
    if (out.command == "dump" && out.slow && out.format == "lineproto")
        return refuse("slow requests are not points; take csv or json");
    if (out.command != "dump" && out.format == "lineproto") return refuse("only dump writes points");
    return {};
}

}  // namespace

std::string usage() {
    return R"(usage: weir-store COMMAND DIRECTORY [options]

Looks into a store of Weir, also while a Weir writes it, and never changes it.

  info     what is in it: times, rows, sizes
  check    reads and decodes every block; exit code 1 when something is damaged
  dump     records, newest first
  top      groups with the most of something

  --layer l4|l7|dns|slow     which rows (l4)
  --from TIME --to TIME      unix ms, RFC 3339, or relative: -15m, now (all)
  --q EXPRESSION             search, as in the API: 'server_port:443 -process_name:curl'
  --format csv|json          of dump (csv) and top; for dump lineproto, too
  --by FIELD,...             top: grouped by (client_ip,server_ip,server_port)
  --sort MEASURE             top: the most of what (bytes_written; count)
  --limit N                  top: how many (20)
)";
}

Result<Arguments> parse(const std::vector<std::string>& words, std::int64_t now_ns) {
    Arguments out;
    out.range = {0, std::numeric_limits<std::int64_t>::max()};
    if (words.size() < 2) return refuse("a command and a directory are needed");
    out.command = words[0];
    out.path = words[1];
    bool is_sorted = false;
    for (std::size_t i = 2; i < words.size(); i += 2) {
        if (i + 1 == words.size()) return refuse("'" + words[i] + "' needs a value");
        if (auto ok = set(words[i], words[i + 1], now_ns, out); !ok) return tl::unexpected(ok.error());
        is_sorted |= words[i] == "--sort";
    }
    if (auto ok = complete(is_sorted, out); !ok) return tl::unexpected(ok.error());
    return out;
}

}  // namespace weir::store::command
