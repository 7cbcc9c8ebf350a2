#include "plugin/entry/pipeline.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <climits>

#include "http/endpoints/own_state.h"
#include "http/server.h"
#include "lmdb-store/store.h"
#include "plugin/entry/collector.h"
#include "plugin/entry/delivery.h"
#include "plugin/entry/emitter.h"
#include "plugin/entry/late_engine.h"
#include "plugin/entry/own_status.h"
#include "plugin/entry/reporter.h"
#include "plugin/entry/store_writer.h"
#include "plugin/source/bpf_source.h"

namespace weir::entry {
namespace {

// Intervals that may wait for a reader before they are merged.
constexpr std::size_t kQueuedBatches = 8;

// What is left of the time to stop after request_stop().
constexpr std::chrono::seconds kHurry{1};

std::string host_name(const config::Config& config) {
    if (!config.host.empty()) return config.host;
    std::array<char, HOST_NAME_MAX + 1> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

Collector::Settings collector_settings(const config::Config& config) {
    FlowOptions flow;
    flow.host = host_name(config);
    flow.service = config.service;
    flow.ephemeral_port = static_cast<std::uint16_t>(config.ephemeral_port);
    flow.drop_loopback = config.loopback == "drop";
    flow.drop_v6 = config.ipv6_disabled;
    flow.drop_tcp = !config.follows("tcp");
    flow.routes.patterns = config.http_routes;
    flow.routes.per_server = static_cast<std::size_t>(config.limits.routes);
    flow.redact = config.http_redact;
    flow.max_rows = static_cast<std::size_t>(config.limits.flows);
    // the configuration has been checked
    if (auto filter = FlowFilter::parse(config.netlog_blacklist); filter && !filter->empty()) {
        flow.filter = std::make_shared<const FlowFilter>(std::move(*filter));
    }
    flow.dns.timeout_ns = static_cast<std::uint64_t>(config.dns_timeout_ns);
    return {config.interval_ns, config.follows("udp"), flow};
}

enrich::EnrichOptions enrich_options(const config::Config& config) {
    enrich::EnrichOptions out;
    out.nat = config.nat;
    out.max_nat = static_cast<std::size_t>(config.limits.nat);
    out.max_domains = static_cast<std::size_t>(config.limits.domains);
    return out;
}

BpfOptions source_options(const config::Config& config) {
    BpfOptions out;
    out.http = config.wants_http();
    out.ephemeral_port = static_cast<std::uint16_t>(config.ephemeral_port);
    out.tls = config.wants_tls();
    out.udp = config.follows("udp");
    out.dns = config.follows("dns");
    out.udp_flows = static_cast<std::uint32_t>(config.limits.flows);
    constexpr std::int64_t kUdpMemoryNs = 300'000'000'000;  // of a server's flow that is idle
    out.udp_idle_intervals = static_cast<std::uint32_t>(kUdpMemoryNs / config.interval_ns + 1);
    out.ring_bytes =
        static_cast<std::uint32_t>(std::bit_ceil(static_cast<std::uint64_t>(config.limits.ring_bytes)));
    return out;
}

http::ServerOptions server_options(const config::Config& config) {
    http::ServerOptions out;
    out.listen = config.http.listen;
    out.token = config.http.token;
    out.tls_cert = config.http.tls_cert;
    out.tls_key = config.http.tls_key;
    out.query_time = std::chrono::nanoseconds(config.limits.query_time_ns);
    return out;
}

store::Options store_options(const config::Config& config) {
    store::Options out;
    out.path = config.store.path;
    out.detail_ns = config.store.detail_ns;
    out.minute_ns = config.store.rollup_ns;
    out.max_bytes = static_cast<std::uint64_t>(config.store.max_bytes);
    return out;
}

// Batches of one format are in a spool of their own, so that a host that wants another leaves them as they
// are.
Delivery::Options delivery_options(const Host& host, const config::Config& config) {
    const char* const format = host.points_format() == PointFormat::protobuf ? "protobuf" : "lineproto";
    if (config.store.path.empty()) return {};
    return {config.store.path + "/spool/" + format, static_cast<std::uint64_t>(config.limits.spool_bytes)};
}

// Members are in the order of the way of a fact's dependencies: what is used by others stands first.
class RunningPipeline final : public Pipeline {
public:
    RunningPipeline(const Host& host, const config::Config& config)
        : host_(host),
          config_(config),
          reporter_(Reporter::make(host, ledger_)),
          delivery_(Delivery::make(host, reporter_, ledger_, delivery_options(host, config))),
          to_host_(kQueuedBatches, ledger_),
          to_store_(kQueuedBatches, ledger_),
          enrichment_(enrich_options(config), *reporter_, reporter_->logger(), ledger_) {}

    ~RunningPipeline() override { static_cast<void>(stop(std::chrono::steady_clock::now())); }

    Status start(const std::atomic<bool>& cancelled) {
        const auto go_on = [&]() -> Status {
            if (!cancelled && !host_.should_stop()) return {};
            return fail(ErrorCode::cancelled, "asked to stop while it started");
        };
        reporter_->start();
        auto source = make_bpf_source(source_options(config_), reporter_->logger(), ledger_);
        return source->start()
            .and_then(go_on)
            .and_then([&] { return start_http(source->capabilities()); })
            .and_then([&] { return open_store(); })
            .and_then(go_on)
            .map([&] { start_threads(std::move(source)); });
    }

    // Nothing calls the host any more once the reporter has stopped, so it goes last.
    Status stop(Deadline deadline) override {
        if (collector_) collector_->stop();
        enrichment_.stop();
        const Delivery::End end = stop_delivery(deadline);
        if (store_writer_) store_writer_->join();
        if (server_) server_->stop();
        const Status closed = store_ ? store_->close() : Status();
        const bool reported = reporter_->stop(std::max(deadline, std::chrono::steady_clock::now()));
        if (!closed) return closed;
        if (end.lost_points != 0) {
            return fail(ErrorCode::timeout, "the host did not take " + std::to_string(end.lost_points) +
                                                " points in time, and they found no place in the spool");
        }
        if (end.is_stuck || !reported) {
            return fail(ErrorCode::timeout,
                        "the host has not come back from " +
                            std::string(end.is_stuck ? "emit_points" : "log or emit_status") +
                            "; its thread is left behind");
        }
        return {};
    }

    void interrupt() override { delivery_->interrupt(std::chrono::steady_clock::now() + kHurry); }
    Status drain(Deadline deadline) override { return delivery_->drain(deadline); }
    Delivery::Pending pending() const override { return delivery_->pending(); }
    std::uint64_t lost_points() const override { return delivery_->lost_points(); }

    void set_paused(bool paused) override {
        emitter_->set_paused(paused);
        delivery_->set_paused(paused);
    }

    void change(const config::Config& config) override {
        collector_->change(collector_settings(config));
        emitter_->set_tags(config.tags);
        status_->set_interval(config.interval_ns);
    }

    std::string http_url() const override { return server_ ? server_->url() : ""; }
    std::string metrics() const override {
        return http::metrics(*status_, store_ ? &engine_ : nullptr, unused_counters_, reporter_->wall_ns())
            .body;
    }

private:
    Status start_http(const Capabilities& source) {
        status_ =
            std::make_unique<OwnStatus>(host_name(config_), config_.interval_ns, source, *reporter_, ledger_);
        if (config_.http.listen.empty()) return {};
        server_ = std::make_unique<http::Server>(server_options(config_),
                                                 config_.store.enabled ? &engine_ : nullptr, *status_,
                                                 http::console_assets(), *reporter_, reporter_->logger());
        return server_->start();
    }

    Status open_store() {
        if (!config_.store.enabled) return {};
        auto opened = store::Store::open(store_options(config_), *reporter_, reporter_->logger(), ledger_);
        if (!opened) return tl::unexpected(opened.error());
        store_ = std::move(*opened);
        engine_.set(store_.get());
        return {};
    }

    Delivery::End stop_delivery(Deadline deadline) {
        delivery_->stop_at(deadline);
        if (emitter_) emitter_->join();
        return delivery_->stop();
    }

    void start_threads(std::unique_ptr<Source> source) {
        std::vector<Outlet*> outlets = {&to_host_};
        delivery_->start();
        emitter_ =
            std::make_unique<Emitter>(*host_.points_format(), to_host_, *delivery_, config_.tags, ledger_);
        if (store_) {
            outlets.push_back(&to_store_);
            store_writer_ = std::make_unique<StoreWriter>(*store_, to_store_, reporter_->logger());
            store_writer_->start();
        }
        enrichment_.start();
        collector_ = std::make_unique<Collector>(std::move(source), collector_settings(config_), enrichment_,
                                                 outlets, *reporter_, ledger_);
        emitter_->start();
        collector_->start();
        status_->set_running(collector_.get(), delivery_.get(), reporter_.get(), &enrichment_);
    }

    const Host& host_;
    const config::Config config_;
    Ledger ledger_;
    const std::shared_ptr<Reporter> reporter_;
    const std::shared_ptr<Delivery> delivery_;
    Outlet to_host_, to_store_;
    enrich::Enrichment enrichment_;
    LateEngine engine_;
    const http::HttpCounters unused_counters_;  // of an endpoint that may not be there
    std::unique_ptr<OwnStatus> status_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<StoreWriter> store_writer_;
    std::unique_ptr<Emitter> emitter_;
    std::unique_ptr<Collector> collector_;
};

}  // namespace

Result<std::shared_ptr<Pipeline>> Pipeline::start(const Host& host, const config::Config& config,
                                                  const std::atomic<bool>& cancelled) {
    auto pipeline = std::make_shared<RunningPipeline>(host, config);
    if (Status started = pipeline->start(cancelled); !started) return tl::unexpected(started.error());
    return pipeline;
}

}  // namespace weir::entry
