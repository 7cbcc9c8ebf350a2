// What the rules work with: the plugin as a host has it, configurations, instances, and a host that records
// what it is called with.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "abi/check/config_source.h"
#include "abi/check/recorder.h"
#include "abi/check/verdict.h"
#include "abi/host/plugin_text.h"
#include "weir_abi.h"

namespace weir::check {

using Milliseconds = std::chrono::milliseconds;
using namespace std::chrono_literals;

struct Settings {
    std::string plugin;  // absolute
    std::string config;  // a file; empty: the plugin's own sample
    std::string directory;
    int cycles = 100;
    Milliseconds patience{10'000};  // for points, and for what should end soon
};

// The text of a plugin's answer.
using host::PluginText;

// "WEIR_E_STATE (-2)"
std::string name_of(weir_code code);

class Bench {
public:
    Bench(const Settings& settings, Verdict& verdict) : settings_(settings), verdict_(verdict) {}

    const Settings& settings() const { return settings_; }
    Verdict& verdict() { return verdict_; }
    bool check(bool holds, const std::string& otherwise) { return verdict_.check(holds, otherwise); }
    // That a call answered what it should.
    bool expect(weir_code answer, weir_code wanted, const std::string& call);

    // Maps the file; every rule but the first ones begins with it. Ends the process, failed, when it cannot.
    void load();
    void* handle() const { return handle_; }
    weir_plugin_entry_fn entry() const { return entry_; }
    const weir_plugin_v1& plugin() const { return *plugin_; }

    // A configuration for the instance `number`, whose files and ports are its own.
    std::string config(int number = 0);
    // One that no plugin accepts.
    static std::string wrong_config() { return "[[inputs.weir]]\nno-such-key-exists = \"x\"\n= broken ["; }

    PluginText last_error(weir_instance* instance) const;
    PluginText validate(const std::string& config) const;

private:
    const Settings& settings_;
    Verdict& verdict_;
    void* handle_ = nullptr;
    weir_plugin_entry_fn entry_ = nullptr;
    const weir_plugin_v1* plugin_ = nullptr;
    std::optional<ConfigSource> configs_;
};

// An instance and the host that it talks to. Destroyed with this object.
class Subject {
public:
    // Fails the rule and ends the process when create() does not work.
    explicit Subject(Bench& bench, int number = 0, std::int32_t format = WEIR_FORMAT_LINE_PROTOCOL);
    ~Subject();
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    weir_instance* get() const { return instance_; }
    Recorder& host() { return *recorder_; }
    const std::string& config() const { return config_; }

    // All fail the rule and end its process when the plugin does not do it; start() skips the rule when the
    // plugin cannot run here at all.
    void start();
    void stop(Milliseconds timeout = 5000ms);
    // Waits for batches beyond those that came already; skips the rule when none comes.
    void await_batches(std::size_t count = 1);
    // After it nothing may call the host.
    void destroy();

private:
    Bench& bench_;
    std::string config_;
    std::unique_ptr<Recorder> recorder_;
    weir_instance* instance_ = nullptr;
};

// Polls until `condition` holds; whether it did in time.
bool wait_for(const std::function<bool()>& condition, Milliseconds limit);

// Leaves the rule's process: there is nothing more that could be tried.
[[noreturn]] void end_rule();

}  // namespace weir::check
