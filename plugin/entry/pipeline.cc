#include "plugin/entry/pipeline.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <climits>

#include "http/endpoints/own_state.h"
#include "http/server.h"
#include "lmdb-store/store.h"
#include "plugin/entry/collector.h"
#include "plugin/entry/emitter.h"
#include "plugin/entry/late_engine.h"
#include "plugin/entry/own_status.h"
#include "plugin/entry/store_writer.h"
#include "plugin/source/bpf_source.h"

namespace weir::entry {
namespace {

// Intervals that may wait for a reader before they are merged.
constexpr std::size_t kQueuedBatches = 8;

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
    flow.max_rows = static_cast<std::size_t>(config.limits.flows);
    return {config.interval_ns, flow};
}

BpfOptions source_options(const config::Config& config) {
    BpfOptions out;
    out.http = config.wants_http();
    out.ephemeral_port = static_cast<std::uint16_t>(config.ephemeral_port);
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

// Members are in the order of the way of a fact's dependencies: what is used by others stands first.
class RunningPipeline final : public Pipeline {
public:
    RunningPipeline(const Host& host, const config::Config& config)
        : host_(host),
          config_(config),
          to_host_(kQueuedBatches, ledger_),
          to_store_(kQueuedBatches, ledger_) {}

    ~RunningPipeline() override { static_cast<void>(stop(std::chrono::steady_clock::now())); }

    Status start() {
        auto source = make_bpf_source(source_options(config_), host_.logger(), ledger_);
        return source->start()
            .and_then([&] { return start_http(source->capabilities()); })
            .and_then([&] { return open_store(); })
            .map([&] { start_threads(std::move(source)); });
    }

    Status stop(Deadline deadline) override {
        if (collector_) collector_->stop();
        const bool all_taken = !emitter_ || emitter_->stop(deadline);
        if (store_writer_) store_writer_->join();
        if (server_) server_->stop();
        Status closed = store_ ? store_->close() : Status();
        if (!closed) return closed;
        if (!all_taken) return fail(ErrorCode::timeout, "the host did not take all points in time");
        return {};
    }

    void set_paused(bool paused) override { emitter_->set_paused(paused); }

    void change(const config::Config& config) override {
        collector_->change(collector_settings(config));
        emitter_->set_tags(config.tags);
        status_->set_interval(config.interval_ns);
    }

    std::string http_url() const override { return server_ ? server_->url() : ""; }
    std::string metrics() const override {
        return http::metrics(*status_, store_ ? &engine_ : nullptr, unused_counters_, host_.wall_ns()).body;
    }

private:
    Status start_http(const Capabilities& source) {
        status_ =
            std::make_unique<OwnStatus>(host_name(config_), config_.interval_ns, source, host_, ledger_);
        if (config_.http.listen.empty()) return {};
        server_ = std::make_unique<http::Server>(server_options(config_),
                                                 config_.store.enabled ? &engine_ : nullptr, *status_,
                                                 http::console_assets(), host_, host_.logger());
        return server_->start();
    }

    Status open_store() {
        if (!config_.store.enabled) return {};
        auto opened = store::Store::open(store_options(config_), host_, host_.logger(), ledger_);
        if (!opened) return tl::unexpected(opened.error());
        store_ = std::move(*opened);
        engine_.set(store_.get());
        return {};
    }

    void start_threads(std::unique_ptr<Source> source) {
        std::vector<Outlet*> outlets = {&to_host_};
        emitter_ = std::make_unique<Emitter>(host_, to_host_, config_.tags, ledger_);
        if (store_) {
            outlets.push_back(&to_store_);
            store_writer_ = std::make_unique<StoreWriter>(*store_, to_store_, host_.logger());
            store_writer_->start();
        }
        collector_ = std::make_unique<Collector>(std::move(source), collector_settings(config_), outlets,
                                                 host_, ledger_);
        emitter_->start();
        collector_->start();
        status_->set_running(collector_.get(), emitter_.get());
    }

    const Host& host_;
    const config::Config config_;
    Ledger ledger_;
    Outlet to_host_, to_store_;
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

Result<std::shared_ptr<Pipeline>> Pipeline::start(const Host& host, const config::Config& config) {
    auto pipeline = std::make_shared<RunningPipeline>(host, config);
    if (Status started = pipeline->start(); !started) return tl::unexpected(started.error());
    return pipeline;
}

}  // namespace weir::entry
