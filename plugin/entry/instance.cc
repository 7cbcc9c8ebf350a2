#include "plugin/entry/instance.h"

#include <algorithm>

#include "plugin/entry/pipeline.h"

namespace weir::entry {
namespace {

constexpr std::chrono::seconds kDestroyTimeout{2};

constexpr std::int64_t kHurryNs = 1'000'000'000;  // to stop in, after request_stop()

const char* environment(const char* name) { return getenv(name); }

std::chrono::steady_clock::time_point in(std::int64_t nanoseconds) {
    return std::chrono::steady_clock::now() + std::chrono::nanoseconds(nanoseconds);
}

}  // namespace

// One control call at a time: the second one finds the instance taken.
class Instance::Control {
public:
    explicit Control(std::atomic<bool>& taken) : taken_(taken), mine_(!taken.exchange(true)) {}
    ~Control() {
        if (mine_) taken_ = false;
    }
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    explicit operator bool() const { return mine_; }
    static Status refused() { return fail(ErrorCode::bad_state, "another control call is under way"); }

private:
    std::atomic<bool>& taken_;
    const bool mine_;
};

Instance::Instance(Host host, config::Config config) : host_(std::move(host)), config_(std::move(config)) {}

Instance::~Instance() {
    if (pipeline_) static_cast<void>(pipeline_->stop(std::chrono::steady_clock::now() + kDestroyTimeout));
}

Status Instance::start() {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    if (Status wrong = expect({State::created}); !wrong) return remember(std::move(wrong));
    if (stop_requested_) return remember(fail(ErrorCode::cancelled, "asked to stop before it started"));
    auto pipeline = Pipeline::start(host_, config_, stop_requested_);
    if (!pipeline) return remember(tl::unexpected(pipeline.error()));
    {
        const std::lock_guard lock(mutex_);
        pipeline_ = std::move(*pipeline);
    }
    state_ = State::running;
    return remember({});
}

Status Instance::reconfigure(std::string_view toml) {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    return remember(take_over(config::parse(toml, environment)));
}

Status Instance::change(std::string_view toml) {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    return remember(take_over(config::parse_part(toml, config_)));
}

Status Instance::take_over(Result<config::Config> config) {
    if (Status wrong = expect({State::created, State::running, State::paused}); !wrong) return wrong;
    if (!config) return tl::unexpected(config.error());
    if (pipeline_) {
        if (const std::string keys = config::needing_restart(config_, *config); !keys.empty()) {
            return fail(ErrorCode::unsupported,
                        "these cannot change while running: " + keys + "; stop and create a new instance");
        }
        pipeline_->change(*config);
    }
    config_ = std::move(*config);
    return {};
}

Status Instance::drain(std::int64_t timeout_ns) {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    if (Status wrong = expect({State::running}); !wrong) return remember(std::move(wrong));
    if (stop_requested_) return remember(fail(ErrorCode::cancelled, "asked to stop"));
    return remember(pipeline_->drain(in(timeout_ns)));
}

Status Instance::pause() {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    if (Status wrong = expect({State::running}); !wrong) return remember(std::move(wrong));
    pipeline_->set_paused(true);
    state_ = State::paused;
    return remember({});
}

Status Instance::resume() {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    if (Status wrong = expect({State::paused}); !wrong) return remember(std::move(wrong));
    pipeline_->set_paused(false);
    state_ = State::running;
    return remember({});
}

void Instance::request_stop() {
    stop_requested_ = true;
    if (const auto running = pipeline()) running->interrupt();
}

Status Instance::stop(std::int64_t timeout_ns) {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    state_ = State::stopped;
    const auto running = pipeline();
    if (!running) return remember({});
    // still there for an interrupt() meanwhile
    Status stopped = running->stop(in(stop_requested_ ? std::min(timeout_ns, kHurryNs) : timeout_ns));
    const std::lock_guard lock(mutex_);
    pipeline_.reset();
    if (!stopped) last_error_ = stopped.error().message;
    return stopped;
}

std::shared_ptr<Pipeline> Instance::pipeline() const {
    const std::lock_guard lock(mutex_);
    return pipeline_;
}

std::string Instance::last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
}

std::string Instance::http_url() const {
    const auto running = pipeline();
    return running ? running->http_url() : "";
}

std::string Instance::metrics() const {
    const auto running = pipeline();
    return running ? running->metrics() : "";
}

weir_pending_v1 Instance::pending() const {
    weir_pending_v1 out{};
    out.struct_size = sizeof(out);
    if (const auto running = pipeline()) {
        const Delivery::Pending waiting = running->pending();
        out.batches = waiting.batches;
        out.points = waiting.points;
        out.bytes = waiting.bytes;
        out.lost_points = running->lost_points();
    }
    return out;
}

Status Instance::expect(std::initializer_list<State> allowed) const {
    if (std::find(allowed.begin(), allowed.end(), state_) != allowed.end()) return {};
    constexpr const char* kNames[] = {"created", "running", "paused", "stopped"};
    return fail(ErrorCode::bad_state,
                std::string("not possible while ") + kNames[static_cast<std::size_t>(state_)]);
}

// Failures are kept for last_error(); a success does not clear the last one.
Status Instance::remember(Status status) {
    if (!status) {
        const std::lock_guard lock(mutex_);
        last_error_ = status.error().message;
    }
    return status;
}

}  // namespace weir::entry
