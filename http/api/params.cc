#include "http/api/params.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "http/api/time_expression.h"

namespace weir::http {
namespace {

constexpr std::string_view kDefaultFrom = "-15m";
constexpr std::array<std::string_view, 3> kViews = {"host", "process", "ip"};
constexpr std::array<std::string_view, 2> kLayers = {"l4", "l7"};
constexpr std::array<std::string_view, 2> kFormats = {"json", "csv"};
// The last of each does not restrict anything.
constexpr std::array<std::string_view, 3> kDirections = {"incoming", "outgoing", "any"};
constexpr std::array<std::string_view, 3> kTransports = {"tcp", "udp", "any"};

std::string listed(std::span<const std::string_view> choices) {
    std::string out;
    for (std::size_t i = 0; i < choices.size(); i++) {
        if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
        out += choices[i];
    }
    return out;
}

query::TimeRange read_range(Params& params, std::int64_t now_ns, std::string_view default_from) {
    const auto read = [&](std::string_view name, std::string_view fallback) {
        const auto text = params.text(name).value_or(fallback);
        const auto time = parse_time(text, now_ns);
        if (!time) {
            params.reject(name, in_quotes(text) + " is no time; use unix ms, RFC 3339, now or -15m");
        }
        return time.value_or(now_ns);
    };
    const query::TimeRange out{read("from", default_from), read("to", "now")};
    if (out.from_ns >= out.to_ns) params.reject("from", "from must be before to");
    return out;
}

query::Filter read_tag(Params& params, Field field, std::span<const std::string_view> choices) {
    const std::size_t any = choices.size() - 1;
    const std::size_t chosen = params.choice(info(field).name, choices, any);
    return chosen == any ? query::Filter::everything()
                         : query::Filter::equals(field, std::string(choices[chosen]));
}

query::Filter read_filter(Params& params) {
    auto search = query::parse_filter(params.text("q").value_or(""));
    if (!search) {
        params.reject("q", search.error().message);
        return {};
    }
    auto tags = query::Filter::both(read_tag(params, Field::direction, kDirections),
                                    read_tag(params, Field::transport, kTransports));
    return query::Filter::both(std::move(tags), std::move(*search));
}

}  // namespace

std::string in_quotes(std::string_view text) {
    constexpr std::size_t kMost = 80;
    return "\"" + std::string(text.substr(0, kMost)) + (text.size() > kMost ? "...\"" : "\"");
}

Params::Params(const Request& request, std::initializer_list<std::string_view> allowed)
    : given_(request.query) {
    for (auto it = given_.begin(); it != given_.end(); ++it) {
        const std::string& name = it->first;
        const auto same = [&](const auto& other) { return other.first == name; };
        if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
            reject(name, "there is no parameter " + in_quotes(name) + " here");
        } else if (std::find_if(given_.begin(), it, same) != it) {
            reject(name, name + " is given twice");
        }
    }
}

void Params::reject(std::string_view name, std::string message) {
    if (!error_) error_ = ApiError{400, "bad_parameter", std::move(message), std::string(name.substr(0, 80))};
}

std::optional<std::string_view> Params::text(std::string_view name) const {
    for (const auto& [key, value] : given_) {
        if (key == name && !value.empty()) return value;
    }
    return std::nullopt;
}

std::vector<std::string_view> Params::names(std::string_view name, std::size_t most) {
    std::vector<std::string_view> out;
    const auto given = text(name);
    if (!given) return out;
    for (std::size_t at = 0; at <= given->size();) {
        const std::size_t comma = std::min(given->find(',', at), given->size());
        const std::string_view one = given->substr(at, comma - at);
        at = comma + 1;
        if (one.empty()) reject(name, "a name is missing between commas");
        if (std::find(out.begin(), out.end(), one) != out.end())
            reject(name, in_quotes(one) + " is named twice");
        if (out.size() == most) reject(name, "more than " + std::to_string(most) + " names");
        if (error_) break;
        out.push_back(one);
    }
    return out;
}

std::size_t Params::number(std::string_view name, std::size_t fallback, std::size_t most) {
    const auto given = text(name);
    if (!given) return fallback;
    std::size_t out = 0;
    const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), out);
    if (error != std::errc() || end != given->data() + given->size() || out < 1 || out > most) {
        reject(name, in_quotes(*given) + " is no number from 1 to " + std::to_string(most));
        return fallback;
    }
    return out;
}

std::size_t Params::choice(std::string_view name, std::span<const std::string_view> choices,
                           std::size_t fallback) {
    const auto given = text(name);
    if (!given) return fallback;
    const auto found = std::find(choices.begin(), choices.end(), *given);
    if (found == choices.end()) {
        reject(name,
               "there is no " + std::string(name) + " " + in_quotes(*given) + "; use " + listed(choices));
        return fallback;
    }
    return static_cast<std::size_t>(found - choices.begin());
}

Scope read_scope(Params& params, std::int64_t now_ns, std::string_view (*default_from)(query::View)) {
    Scope out;
    out.view = static_cast<query::View>(params.choice("view", kViews, 0));
    out.layer = static_cast<query::Layer>(params.choice("layer", kLayers, 0));
    out.csv = params.choice("format", kFormats, 0) == 1;
    out.range = read_range(params, now_ns, default_from != nullptr ? default_from(out.view) : kDefaultFrom);
    out.filter = read_filter(params);
    out.fingerprint = std::string(kLayers[static_cast<std::size_t>(out.layer)]);
    for (const std::string_view name : {"direction", "transport", "q"}) {
        (out.fingerprint += '\n') += params.text(name).value_or("");
    }
    return out;
}

}  // namespace weir::http
