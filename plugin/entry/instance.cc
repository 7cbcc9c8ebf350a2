#include "plugin/entry/instance.h"

#include <algorithm>

#include "plugin/entry/pipeline.h"

namespace weir::entry {
namespace {

constexpr std::chrono::seconds kDestroyTimeout{2};

// What can be taken over while running; everything else must be as it was.
bool only_differs_where_allowed(const config::Config& before, config::Config after) {
    after.interval_ns = before.interval_ns;
    after.tags = before.tags;
    after.loopback = before.loopback;
    after.ipv6_disabled = before.ipv6_disabled;
    after.ephemeral_port = before.ephemeral_port;
    return after == before;
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
    auto pipeline = Pipeline::start(host_, config_);
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
    if (Status wrong = expect({State::created, State::running, State::paused}); !wrong)
        return remember(std::move(wrong));
    auto config = config::parse(toml, [](const char* name) -> const char* { return getenv(name); });
    if (!config) return remember(tl::unexpected(config.error()));
    if (pipeline_) {
        if (!only_differs_where_allowed(config_, *config)) {
            return remember(
                fail(ErrorCode::unsupported,
                     "only interval, tags, loopback, ipv6_disabled and ephemeral_port can change while "
                     "running; stop and create a new instance for the rest"));
        }
        pipeline_->change(*config);
    }
    config_ = std::move(*config);
    return remember({});
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

void Instance::request_stop() { stop_requested_ = true; }

Status Instance::stop(std::int64_t timeout_ns) {
    const Control control(in_control_);
    if (!control) return remember(Control::refused());
    state_ = State::stopped;
    std::shared_ptr<Pipeline> pipeline;
    {
        const std::lock_guard lock(mutex_);
        pipeline = std::move(pipeline_);
        pipeline_.reset();
    }
    if (!pipeline) return remember({});
    const auto timeout = std::chrono::nanoseconds(
        stop_requested_ ? std::min<std::int64_t>(timeout_ns, 1'000'000'000) : timeout_ns);
    return remember(pipeline->stop(std::chrono::steady_clock::now() + timeout));
}

std::string Instance::last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_;
}

std::string Instance::http_url() const {
    const std::lock_guard lock(mutex_);
    return pipeline_ ? pipeline_->http_url() : "";
}

std::string Instance::metrics() const {
    std::shared_ptr<Pipeline> pipeline;
    {
        const std::lock_guard lock(mutex_);
        pipeline = pipeline_;
    }
    return pipeline ? pipeline->metrics() : "";
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
