#include "abi/check/bench.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "abi/host/instance.h"

namespace weir::check {

std::string name_of(weir_code code) { return std::to_string(code) + " (" + host::code_text(code) + ")"; }

bool wait_for(const std::function<bool()>& condition, Milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

void end_rule() { _exit(0); }

bool Bench::expect(weir_code answer, weir_code wanted, const std::string& call) {
    return check(answer == wanted, call + " answers " + name_of(answer) + ", not " + name_of(wanted));
}

void Bench::load() {
    verdict_.step("dlopen");
    handle_ = dlopen(settings_.plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!check(handle_ != nullptr, handle_ == nullptr ? std::string(dlerror()) : "")) end_rule();
    void* symbol = dlsym(handle_, WEIR_PLUGIN_ENTRY_NAME);
    if (!check(symbol != nullptr, "there is no function " WEIR_PLUGIN_ENTRY_NAME)) end_rule();
    std::memcpy(&entry_, &symbol, sizeof entry_);
    verdict_.step(WEIR_PLUGIN_ENTRY_NAME);
    plugin_ = entry_(WEIR_ABI_MAJOR, 0);
    if (!check(plugin_ != nullptr, "there is no table for version 1.0 of the ABI")) end_rule();
    constexpr std::size_t kWhole = offsetof(weir_plugin_v1, get_extension) + sizeof(void*);
    if (!check(plugin_->struct_size >= kWhole, "the table is shorter than that of version 1.0")) end_rule();
}

std::string Bench::config(int number) {
    if (!configs_) configs_.emplace(*plugin_, settings_.config, settings_.directory);
    return configs_->make(number);
}

PluginText Bench::last_error(weir_instance* instance) const {
    return host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return plugin_->last_error(instance, buffer, capacity, length);
    });
}

PluginText Bench::validate(const std::string& config) const {
    const weir_borrowed text = host::borrowed(config);
    return host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return plugin_->validate(&text, buffer, capacity, length);
    });
}

Subject::Subject(Bench& bench, int number, std::int32_t format)
    : bench_(bench), config_(bench.config(number)), recorder_(std::make_unique<Recorder>(format)) {
    const weir_host_v1 table = recorder_->table();
    const weir_borrowed text = host::borrowed(config_);
    bench_.verdict().step("create");
    const PluginText error = host::ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return bench_.plugin().create(&table, &text, &instance_, buffer, capacity, length);
    });
    if (error.code == WEIR_E_UNSUPPORTED && format != WEIR_FORMAT_LINE_PROTOCOL) {
        bench_.verdict().skip("the plugin does not make points in this format: " + error.text);
        end_rule();
    }
    if (error.code != WEIR_OK || instance_ == nullptr) {
        bench_.verdict().fail("create answers " + name_of(error.code) + ": " + error.text);
        end_rule();
    }
}

Subject::~Subject() { destroy(); }

void Subject::start() {
    bench_.verdict().step("start");
    const weir_code code = bench_.plugin().start(instance_);
    if (code == WEIR_OK) return;
    const std::string why = "start answers " + name_of(code) + ": " + bench_.last_error(instance_).text;
    if (code == WEIR_E_PRIVILEGE || code == WEIR_E_UNSUPPORTED) {
        bench_.verdict().skip(why);
    } else {
        bench_.verdict().fail(why);
    }
    end_rule();
}

void Subject::stop(Milliseconds timeout) {
    bench_.verdict().step("stop");
    const auto nanoseconds = std::chrono::nanoseconds(timeout).count();
    const weir_code code = bench_.plugin().stop(instance_, static_cast<std::uint64_t>(nanoseconds));
    if (code == WEIR_OK) return;
    bench_.verdict().fail("stop answers " + name_of(code) + ": " + bench_.last_error(instance_).text);
    end_rule();
}

void Subject::await_batches(std::size_t count) {
    bench_.verdict().step("waiting for points");
    const std::size_t wanted = recorder_->offer_count() + count;
    const auto enough = [&] { return recorder_->offer_count() >= wanted; };
    if (wait_for(enough, bench_.settings().patience)) return;
    if (recorder_->offer_count() > 0) {
        bench_.verdict().fail("points came, and then came no more for " +
                              std::to_string(bench_.settings().patience.count()) + " ms");
    } else {
        bench_.verdict().skip("no points came; give a configuration with a short interval, and traffic");
    }
    end_rule();
}

void Subject::destroy() {
    if (instance_ == nullptr) return;
    bench_.verdict().step("destroy");
    bench_.plugin().destroy(std::exchange(instance_, nullptr));
    recorder_->close();
}

}  // namespace weir::check
