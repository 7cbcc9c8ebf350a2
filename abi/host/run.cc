// run: the life of one instance, from its configuration to its end.
//
// The order is so that a failed start leaves nothing behind: the configuration is read and the targets are
// checked before the plugin is asked, and targets open (a file is created) only when the plugin has started.
#include <unistd.h>

#include <csignal>

#include "abi/host/commands.h"
#include "abi/host/host_table.h"
#include "abi/host/instance.h"
#include "abi/host/plugin_file.h"
#include "abi/host/text_file.h"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

// Of the time that is left at the end, this much is for the targets, the rest for the plugin's stop(): 1.5 s
// after a signal.
constexpr auto kForTargets = 200ms;

int failed(Log& log, const std::string& why) {
    log.plain("weir-host: " + why);
    return kFailed;
}

// A reader that went away, or a limit on the size of files, is an error of the write, not the process's end.
void ignore_write_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

// A target with what an earlier run left for it.
struct Outlet {
    std::unique_ptr<Target> target;
    Backlog backlog;
};
using Outlets = std::vector<Outlet>;

Expected<Outlets> make_outlets(const Options& options) {
    Outlets outlets;
    for (const std::string& word : options.emit) {
        auto target = make_target(word, options.targets);
        if (!target) return fail(target.error());
        outlets.push_back({std::move(*target), Backlog()});
    }
    return outlets;
}

Expected<void> check_all(const Outlets& outlets) {
    for (const Outlet& outlet : outlets) {
        if (auto usable = outlet.target->check(); !usable) return usable;
    }
    return {};
}

Expected<void> open_spools(const Options& options, Outlets& outlets) {
    if (options.spool.empty()) return {};
    for (std::size_t i = 0; i < outlets.size(); ++i) {
        if (!outlets[i].target->outlasts_a_run()) continue;
        auto spool = Spool::open(options.spool, options.emit[i], options.targets.points_format);
        if (!spool) return fail(spool.error());
        outlets[i].backlog = Backlog(std::move(*spool), options.spool_size);
    }
    return {};
}

void announce_console(const Instance& instance, Log& log) {
    std::string address = instance.http_address();
    if (address.empty()) return;
    if (!address.ends_with('/')) address += '/';
    log.plain("weir: console on " + address);
}

// The parts that live as long as one run. They outlive the instance, whose threads call into them.
class Run {
public:
    Run(Outlets outlets, const Options& options, Log& log)
        : options_(options),
          log_(log),
          control_(log),
          fan_out_(log, control_),
          host_(options.targets.points_format, fan_out_, log, control_) {
        for (Outlet& outlet : outlets) {
            fan_out_.add(std::move(outlet.target), std::move(outlet.backlog), options.targets.points_format);
        }
    }

    int execute(const weir_plugin_v1& plugin, const std::string& config) {
        const int code = run_instance(plugin, config);
        if (!fan_out_.finish()) _exit(code);  // a thread that hangs in its target still uses these parts
        return code;
    }

private:
    int run_instance(const weir_plugin_v1& plugin, const std::string& config);
    void stop(Instance& instance);

    const Options& options_;
    Log& log_;
    StopControl control_;
    FanOut fan_out_;
    HostTable host_;
};

int Run::run_instance(const weir_plugin_v1& plugin, const std::string& config) {
    auto instance = Instance::create(plugin, host_.table(), config);
    if (!instance) return failed(log_, options_.config + ": " + instance.error());
    if (control_.requested()) return kFine;
    control_.attach([&instance] { instance->request_stop(); });
    if (const auto started = instance->start(); !started) {
        control_.detach();
        // Cut short by a signal, not failed.
        return control_.requested() ? kFine : failed(log_, "cannot start: " + started.error());
    }
    fan_out_.start();
    announce_console(*instance, log_);
    control_.wait(options_.run_for);
    stop(*instance);
    return kFine;
}

void Run::stop(Instance& instance) {
    control_.begin_to_finish();
    const auto time = control_.finish_by() - kForTargets - StopControl::Clock::now();
    const weir_code code = instance.stop(time);
    control_.detach();
    if (code == WEIR_OK) return;
    const std::string why = instance.last_error();
    log_.warning("the plugin stopped incompletely: " + (why.empty() ? code_text(code) : why));
}

}  // namespace

int run(const Options& options, Log& log) {
    auto outlets = make_outlets(options);
    if (!outlets) {
        log.plain("weir-host: " + outlets.error());
        return kWrongUsage;
    }
    ignore_write_signals();
    const auto config = read_config(options.config);
    if (!config) return failed(log, config.error());
    if (const auto usable = check_all(*outlets); !usable) return failed(log, usable.error());
    const auto plugin = load_plugin(options.plugin);
    if (!plugin) return failed(log, plugin.error());
    if (const auto spools = open_spools(options, *outlets); !spools) return failed(log, spools.error());
    return Run(std::move(*outlets), options, log).execute(**plugin, *config);
}

}  // namespace weir::host
