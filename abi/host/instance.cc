#include "abi/host/instance.h"

#include <algorithm>

#include "abi/host/plugin_text.h"

namespace weir::host {
namespace {

std::string words_or_code(const std::string& words, weir_code code) {
    return words.empty() ? code_text(code) : words;
}

}  // namespace

std::string code_text(weir_code code) {
    switch (code) {
        case WEIR_OK: return "no error";
        case WEIR_E_INVALID_ARGUMENT: return "invalid argument";
        case WEIR_E_STATE: return "not possible in this state";
        case WEIR_E_CONFIG: return "the configuration is wrong";
        case WEIR_E_PRIVILEGE: return "privileges are missing";
        case WEIR_E_UNSUPPORTED: return "not supported here";
        case WEIR_E_ADDRESS_IN_USE: return "the HTTP address is in use";
        case WEIR_E_STORAGE: return "the store cannot be opened or written";
        case WEIR_E_TIMEOUT: return "not finished in time";
        case WEIR_E_NO_MEMORY: return "out of memory";
        case WEIR_E_INTERNAL: return "a defect of the plugin";
        case WEIR_E_CANCELLED: return "cut short by request_stop";
        default: return "code " + std::to_string(code);
    }
}

Expected<Instance> Instance::create(const weir_plugin_v1& plugin, const weir_host_v1& host,
                                    const std::string& config) {
    weir_instance* raw = nullptr;
    const weir_borrowed text = borrowed(config);
    const PluginText error = ask_once([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return plugin.create(&host, &text, &raw, buffer, capacity, length);
    });
    if (error.code != WEIR_OK) return fail(words_or_code(error.text, error.code));
    if (raw == nullptr) return fail("the plugin made no instance and gave no reason");
    return Instance(plugin, raw);
}

Expected<void> Instance::start() {
    const weir_code code = plugin_->start(raw_);
    if (code == WEIR_OK) return {};
    return fail(words_or_code(last_error(), code));
}

weir_code Instance::stop(std::chrono::nanoseconds timeout) {
    return plugin_->stop(raw_, static_cast<std::uint64_t>(std::max<std::int64_t>(timeout.count(), 0)));
}

std::string Instance::last_error() const {
    return ask_whole([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
               return plugin_->last_error(raw_, buffer, capacity, length);
           })
        .text;
}

std::string Instance::http_address() const {
    constexpr std::string_view kId = WEIR_EXT_HTTP_ADDRESS;
    const auto* extension =
        static_cast<const weir_ext_http_address*>(plugin_->get_extension(raw_, kId.data(), kId.size()));
    constexpr std::size_t kNeeded = offsetof(weir_ext_http_address, get) + sizeof(void*);
    if (extension == nullptr || extension->struct_size < kNeeded || extension->get == nullptr) return {};
    const PluginText address = ask_whole([&](char* buffer, std::uint64_t capacity, std::uint64_t* length) {
        return extension->get(raw_, buffer, capacity, length);
    });
    return address.code == WEIR_OK ? address.text : std::string();
}

}  // namespace weir::host
