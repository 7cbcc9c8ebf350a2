// One instance of a plugin, stopped and destroyed with this object whatever happens.
#pragma once

#include <chrono>

#include "abi/host/expected.h"
#include "weir_abi.h"

namespace weir::host {

// What a code of the ABI means, for messages whose plugin said nothing itself.
std::string code_text(weir_code code);

class Instance {
public:
    // `plugin` and what `host` points to outlive the instance. On failure: the plugin's words.
    static Expected<Instance> create(const weir_plugin_v1& plugin, const weir_host_v1& host,
                                     const std::string& config);

    Instance(Instance&& other) noexcept : plugin_(other.plugin_), raw_(other.raw_) { other.raw_ = nullptr; }
    Instance& operator=(Instance&&) = delete;
    ~Instance() { plugin_->destroy(raw_); }

    Expected<void> start();
    // WEIR_E_TIMEOUT is no failure to stop; all else than WEIR_OK is.
    weir_code stop(std::chrono::nanoseconds timeout);
    // Thread-safe.
    void request_stop() { plugin_->request_stop(raw_); }
    std::string last_error() const;
    // "http://127.0.0.1:9531"; empty when the plugin serves nothing.
    std::string http_address() const;

private:
    Instance(const weir_plugin_v1& plugin, weir_instance* raw) : plugin_(&plugin), raw_(raw) {}

    const weir_plugin_v1* plugin_;
    weir_instance* raw_;
};

}  // namespace weir::host
