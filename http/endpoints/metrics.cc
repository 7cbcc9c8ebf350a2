#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "http/endpoints/own_state.h"
#include "plugin/base/utf8.h"

namespace weir::http {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Locale-free; integers without an exponent.
std::string number_text(double number) {
    if (std::isnan(number)) return "NaN";
    if (std::isinf(number)) return number > 0 ? "+Inf" : "-Inf";
    std::array<char, 32> digits;
    const bool integer = std::nearbyint(number) == number && std::abs(number) < 9e15;
    const auto end = integer ? std::to_chars(digits.data(), digits.data() + digits.size(),
                                             static_cast<std::int64_t>(number))
                             : std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return {digits.data(), end.ptr};
}

std::string escaped(std::string_view raw, bool in_quotes) {
    std::string scratch, out;
    for (const char c : to_utf8(raw, scratch)) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\\' || (c == '"' && in_quotes)) {
            (out += '\\') += c;
        } else {
            out += c;
        }
    }
    return out;
}

// Writes samples; HELP and TYPE once for those of one name in a row.
class MetricsText {
public:
    void add(const Metric& metric) {
        if (metric.name != last_) {
            last_ = metric.name;
            out_ += "# HELP " + metric.name + " " + escaped(metric.help, false) + "\n";
            out_ +=
                "# TYPE " + metric.name + (metric.kind == Metric::Kind::counter ? " counter\n" : " gauge\n");
        }
        out_ += metric.name;
        for (std::size_t i = 0; i < metric.labels.size(); i++) {
            const auto& [name, value] = metric.labels[i];
            out_ += (i == 0 ? "{" : ",") + name + "=\"" + escaped(value, true) + "\"";
        }
        out_ += (metric.labels.empty() ? " " : "} ") + number_text(metric.value) + "\n";
    }

    void counter(std::string name, std::string help, double value, Labels labels = {}) {
        add({std::move(name), std::move(help), Metric::Kind::counter, value, std::move(labels)});
    }
    void gauge(std::string name, std::string help, double value, Labels labels = {}) {
        add({std::move(name), std::move(help), Metric::Kind::gauge, value, std::move(labels)});
    }

    std::string take() { return std::move(out_); }

private:
    std::string out_;
    std::string last_;
};

double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

void add_reconciled(MetricsText& text, const ReconciledCounts& reconciled) {
    for (std::size_t i = 0; i < kKernelCounters; i++) {
        if (!reconciled[i]) continue;
        for (const auto& [side, value] :
             {std::pair("kernel", reconciled[i]->kernel), std::pair("seen", reconciled[i]->seen)}) {
            text.counter("weir_reconciled_total", "The kernel's own counters, and what Weir saw of the same.",
                         static_cast<double>(value),
                         {{"counter", std::string(kKernelCounterNames[i])}, {"side", side}});
        }
    }
}

void add_state(MetricsText& text, const StatusProvider& provider, std::int64_t now_ns) {
    const Facts facts = provider.facts();
    text.gauge(
        "weir_info", "What runs here; always 1.", 1,
        {{"version", facts.version}, {"abi", facts.abi}, {"kernel", facts.kernel}, {"tier", facts.tier}});
    text.gauge("weir_healthy", "1 while Weir is collecting.", provider.health().healthy ? 1 : 0);
    text.gauge("weir_uptime_seconds", "Time since the start.", seconds(now_ns - facts.started_ns));
    const LossCounts losses = provider.losses();
    for (std::size_t i = 0; i < kLossCount; i++) {
        text.counter("weir_lost_total", "What was not seen or not kept, by reason; see /api/v1/status.",
                     static_cast<double>(losses[i]), {{"reason", std::string(kLosses[i].name)}});
    }
    add_reconciled(text, provider.reconciled());
    for (const auto& metric : provider.metrics()) text.add(metric);
}

void add_store(MetricsText& text, const query::QueryEngine& engine) {
    const query::StoreStatus store = engine.status();
    const auto count = [](std::uint64_t n) { return static_cast<double>(n); };
    text.gauge("weir_store_healthy", "1 while the store can be read and written.", store.healthy ? 1 : 0);
    text.gauge("weir_store_used_bytes", "Pages of the store in use.", count(store.bytes_used));
    text.gauge("weir_store_limit_bytes", "What the store may use at most.", count(store.bytes_limit));
    text.gauge("weir_store_rows", "Rows kept.", count(store.detail_rows), {{"resolution", "detail"}});
    text.gauge("weir_store_rows", "Rows kept.", count(store.minute_rows), {{"resolution", "minute"}});
    text.gauge("weir_store_oldest_timestamp_seconds", "Unix time of the oldest row, 0 without one.",
               seconds(store.oldest_detail_ns), {{"resolution", "detail"}});
    text.gauge("weir_store_oldest_timestamp_seconds", "Unix time of the oldest row, 0 without one.",
               seconds(store.oldest_minute_ns), {{"resolution", "minute"}});
}

}  // namespace

Response metrics(const StatusProvider& provider, const query::QueryEngine* engine,
                 const HttpCounters& counters, std::int64_t now_ns) {
    MetricsText text;
    add_state(text, provider, now_ns);
    if (engine != nullptr) add_store(text, *engine);
    for (std::size_t i = 2; i < counters.by_status_class.size(); i++) {
        text.counter("weir_http_responses_total", "Answers of the HTTP endpoint, by class of status.",
                     static_cast<double>(counters.by_status_class[i].load(std::memory_order_relaxed)),
                     {{"status", std::to_string(i) + "xx"}});
    }
    Response out;
    out.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    out.body = text.take();
    return out;
}

}  // namespace weir::http
