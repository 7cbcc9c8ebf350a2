// The C ABI of weir.so. Each function only translates: arguments in, an error value to a code, a text into
// the caller's buffer. No exception passes.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "abi/include/weir_abi.h"
#include "plugin/config/config.h"
#include "plugin/entry/describe.h"
#include "plugin/entry/instance.h"

struct weir_instance {
    weir::entry::Instance instance;
};

namespace {

using weir::Status;
using weir::entry::Instance;
using weir::entry::to_code;

constexpr std::uint64_t kMaxConfig = 1 << 20;

const char* environment(const char* name) { return std::getenv(name); }

// Runs what may throw (memory, third parties) at the very edge.
template <typename Function>
weir_code guarded(Function function) noexcept {
    try {
        return function();
    } catch (const std::bad_alloc&) {
        return WEIR_E_NO_MEMORY;
    } catch (...) {
        return WEIR_E_INTERNAL;
    }
}

void give_text(std::string_view text, char* buffer, std::uint64_t capacity, std::uint64_t* length) {
    if (length != nullptr) *length = text.size();
    if (buffer == nullptr) return;
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, text.size()));
    if (room != 0) std::memcpy(buffer, text.data(), room);
}

weir_code to_code(const Status& status) { return status ? WEIR_OK : to_code(status.error().code); }

weir_code give_static(const std::string& text, weir_static* out) {
    if (out == nullptr) return WEIR_E_INVALID_ARGUMENT;
    *out = {text.data(), text.size()};
    return WEIR_OK;
}

bool is_text(const weir_borrowed* text) {
    return text != nullptr && (text->data != nullptr || text->size == 0) && text->size <= kMaxConfig;
}

std::string_view view(const weir_borrowed& text) { return {text.data, static_cast<std::size_t>(text.size)}; }

template <typename Function>
weir_code on(weir_instance* instance, Function function) noexcept {
    if (instance == nullptr) return WEIR_E_INVALID_ARGUMENT;
    return guarded([&] { return function(instance->instance); });
}

weir_code describe(weir_static* out) noexcept {
    return guarded([&] { return give_static(weir::entry::describe_json(), out); });
}

weir_code schema(weir_static* out) noexcept {
    return guarded([&] { return give_static(weir::config::schema_json(), out); });
}

weir_code sample(weir_static* out) noexcept {
    return guarded([&] { return give_static(weir::config::sample_toml(), out); });
}

weir_code validate(const weir_borrowed* config, char* buffer, std::uint64_t capacity,
                   std::uint64_t* length) noexcept {
    return guarded([&]() -> weir_code {
        if (!is_text(config)) return WEIR_E_INVALID_ARGUMENT;
        const auto parsed = weir::config::parse(view(*config), environment);
        give_text(parsed ? std::string_view() : parsed.error().message, buffer, capacity, length);
        return parsed ? WEIR_OK : WEIR_E_CONFIG;
    });
}

weir_code probe(char* buffer, std::uint64_t capacity, std::uint64_t* length) noexcept {
    return guarded([&]() -> weir_code {
        const auto result = weir::entry::probe();
        give_text(result.json, buffer, capacity, length);
        if (result.can_run) return WEIR_OK;
        return result.lacks_privilege ? WEIR_E_PRIVILEGE : WEIR_E_UNSUPPORTED;
    });
}

weir_code create(const weir_host_v1* table, const weir_borrowed* config, weir_instance** out, char* buffer,
                 std::uint64_t capacity, std::uint64_t* length) noexcept {
    return guarded([&]() -> weir_code {
        if (length != nullptr) *length = 0;
        if (out == nullptr) return WEIR_E_INVALID_ARGUMENT;
        *out = nullptr;
        const auto refuse = [&](const weir::Error& error) {
            give_text(error.message, buffer, capacity, length);
            return to_code(error.code);
        };
        if (!is_text(config)) {
            return refuse(
                {weir::ErrorCode::invalid_argument, "the configuration is NULL or larger than 1 MiB"});
        }
        auto host = weir::entry::Host::copy(table);
        if (!host) return refuse(host.error());
        if (!host->points_format()) {
            return refuse({weir::ErrorCode::unsupported, "points_format is none that describe() lists"});
        }
        auto parsed = weir::config::parse(view(*config), environment);
        if (!parsed) return refuse(parsed.error());
        *out = new weir_instance{Instance(std::move(*host), std::move(*parsed))};
        return WEIR_OK;
    });
}

weir_code start(weir_instance* instance) noexcept {
    return on(instance, [](Instance& i) { return to_code(i.start()); });
}

weir_code reconfigure(weir_instance* instance, const weir_borrowed* config) noexcept {
    if (!is_text(config)) return WEIR_E_INVALID_ARGUMENT;
    return on(instance, [&](Instance& i) { return to_code(i.reconfigure(view(*config))); });
}

weir_code pause(weir_instance* instance) noexcept {
    return on(instance, [](Instance& i) { return to_code(i.pause()); });
}

weir_code resume(weir_instance* instance) noexcept {
    return on(instance, [](Instance& i) { return to_code(i.resume()); });
}

weir_code request_stop(weir_instance* instance) noexcept {
    return on(instance, [](Instance& i) {
        i.request_stop();
        return WEIR_OK;
    });
}

// A time-out in ns that can be added to a clock.
std::int64_t bounded(std::uint64_t timeout_ns) {
    constexpr std::uint64_t kForever = std::uint64_t{365} * 24 * 3600 * 1'000'000'000;
    return static_cast<std::int64_t>(std::min(timeout_ns, kForever));
}

weir_code stop(weir_instance* instance, std::uint64_t timeout_ns) noexcept {
    return on(instance, [&](Instance& i) { return to_code(i.stop(bounded(timeout_ns))); });
}

void destroy(weir_instance* instance) noexcept {
    static_cast<void>(guarded([&]() -> weir_code {
        delete instance;
        return WEIR_OK;
    }));
}

// For texts of an instance that are made on the spot.
template <typename Function>
weir_code give(weir_instance* instance, char* buffer, std::uint64_t capacity, std::uint64_t* length,
               Function text) noexcept {
    return on(instance, [&](Instance& i) {
        give_text(text(i), buffer, capacity, length);
        return WEIR_OK;
    });
}

weir_code last_error(weir_instance* instance, char* buffer, std::uint64_t capacity,
                     std::uint64_t* length) noexcept {
    return give(instance, buffer, capacity, length, [](Instance& i) { return i.last_error(); });
}

weir_code http_address(weir_instance* instance, char* buffer, std::uint64_t capacity,
                       std::uint64_t* length) noexcept {
    return give(instance, buffer, capacity, length, [](Instance& i) { return i.http_url(); });
}

weir_code metrics(weir_instance* instance, char* buffer, std::uint64_t capacity,
                  std::uint64_t* length) noexcept {
    return give(instance, buffer, capacity, length, [](Instance& i) { return i.metrics(); });
}

weir_code reload_keys(weir_static* out) noexcept {
    return guarded([&] { return give_static(weir::config::reloadable_json(), out); });
}

weir_code reload_change(weir_instance* instance, const weir_borrowed* config) noexcept {
    if (!is_text(config)) return WEIR_E_INVALID_ARGUMENT;
    return on(instance, [&](Instance& i) { return to_code(i.change(view(*config))); });
}

weir_code drain(weir_instance* instance, std::uint64_t timeout_ns) noexcept {
    return on(instance, [&](Instance& i) { return to_code(i.drain(bounded(timeout_ns))); });
}

weir_code pending(weir_instance* instance, weir_pending_v1* out) noexcept {
    constexpr std::uint32_t kHead = offsetof(weir_pending_v1, batches);
    if (out == nullptr || out->struct_size < kHead) return WEIR_E_INVALID_ARGUMENT;
    return on(instance, [&](Instance& i) {
        const weir_pending_v1 pending = i.pending();
        const std::uint32_t size = std::min<std::uint32_t>(out->struct_size, sizeof(pending));
        std::memcpy(reinterpret_cast<char*>(out) + kHead, reinterpret_cast<const char*>(&pending) + kHead,
                    size - kHead);
        return WEIR_OK;
    });
}

const weir_ext_http_address kHttpAddress = {sizeof(weir_ext_http_address), 0, http_address};
const weir_ext_metrics kMetrics = {sizeof(weir_ext_metrics), 0, metrics};
const weir_ext_reload kReload = {sizeof(weir_ext_reload), 0, reload_keys, reload_change};
const weir_ext_drain kDrain = {sizeof(weir_ext_drain), 0, drain, pending};

const void* get_extension(weir_instance*, const char* id, std::uint64_t size) noexcept {
    if (id == nullptr) return nullptr;
    const std::string_view wanted(id, static_cast<std::size_t>(size));
    if (wanted == WEIR_EXT_HTTP_ADDRESS) return &kHttpAddress;
    if (wanted == WEIR_EXT_METRICS) return &kMetrics;
    if (wanted == WEIR_EXT_RELOAD) return &kReload;
    if (wanted == WEIR_EXT_DRAIN) return &kDrain;
    return nullptr;
}

constexpr char kBuildId[] = "weir " WEIR_VERSION " (" __DATE__ ")";

const weir_plugin_v1 kPlugin = {
    .struct_size = sizeof(weir_plugin_v1),
    .reserved0 = 0,
    .abi_major = WEIR_ABI_MAJOR,
    .abi_minor = WEIR_ABI_MINOR,
    .build_id = {kBuildId, sizeof(kBuildId) - 1},
    .describe = describe,
    .schema = schema,
    .sample = sample,
    .validate = validate,
    .probe = probe,
    .create = create,
    .start = start,
    .reconfigure = reconfigure,
    .pause = pause,
    .resume = resume,
    .request_stop = request_stop,
    .stop = stop,
    .destroy = destroy,
    .last_error = last_error,
    .get_extension = get_extension,
};

}  // namespace

const weir_plugin_v1* weir_plugin_entry(std::uint32_t host_major, std::uint32_t) noexcept {
    return host_major == WEIR_ABI_MAJOR ? &kPlugin : nullptr;
}
