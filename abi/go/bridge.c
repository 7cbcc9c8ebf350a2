#include "bridge.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "_cgo_export.h"

const weir_plugin_v1* weir_go_load(const char* path, char** error) {
    void* file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    weir_plugin_entry_fn entry = NULL;
    if (file) *(void**)(void*)&entry = dlsym(file, WEIR_PLUGIN_ENTRY_NAME);
    if (!entry) {
        const char* why = dlerror();
        *error = strdup(why ? why : "no " WEIR_PLUGIN_ENTRY_NAME);
        return NULL;
    }
    const weir_plugin_v1* plugin = entry(WEIR_ABI_MAJOR, 0);
    const uint32_t whole = (uint32_t)(offsetof(weir_plugin_v1, get_extension) + sizeof(void*));
    if (plugin && plugin->struct_size >= whole && plugin->abi_major == WEIR_ABI_MAJOR) return plugin;
    *error = strdup("it does not speak version 1 of the plugin ABI");
    return NULL;
}

weir_code weir_go_static(const weir_plugin_v1* plugin, int which, weir_static* out) {
    switch (which) {
        case 0: return plugin->describe(out);
        case 1: return plugin->schema(out);
        default: return plugin->sample(out);
    }
}

weir_code weir_go_validate(const weir_plugin_v1* plugin, const char* config, uint64_t size, char* buffer,
                           uint64_t capacity, uint64_t* length) {
    const weir_borrowed text = {config, size};
    return plugin->validate(&text, buffer, capacity, length);
}

weir_code weir_go_probe(const weir_plugin_v1* plugin, char* buffer, uint64_t capacity, uint64_t* length) {
    return plugin->probe(buffer, capacity, length);
}

/* ---- the host's callbacks ----------------------------------------------------------------------- */

static void host_log(weir_host_ctx ctx, int32_t level, const char* text, uint64_t size) {
    weirGoLog(ctx, level, (char*)text, size);
}

static weir_emit_result host_emit(weir_host_ctx ctx, int32_t format, const uint8_t* bytes, uint64_t size,
                                  uint64_t points) {
    return weirGoEmit(ctx, format, (uint8_t*)bytes, size, points);
}

static void host_status(weir_host_ctx ctx, weir_code code, const char* text, uint64_t size) {
    weirGoStatus(ctx, code, (char*)text, size);
}

/* The clock is asked for often, so it stays on this side. */
static int64_t host_now(weir_host_ctx ctx) {
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t host_tags(weir_host_ctx ctx, char* buffer, uint64_t capacity, uint64_t* length) {
    return weirGoTags(ctx, buffer, capacity, length);
}

static int32_t host_should_stop(weir_host_ctx ctx) { return weirGoShouldStop(ctx); }

weir_code weir_go_create(const weir_plugin_v1* plugin, uint64_t handle, int32_t format, const char* name,
                         const char* config, uint64_t size, weir_instance** out, char* buffer,
                         uint64_t capacity, uint64_t* length) {
    weir_host_v1 host = {
        .struct_size = sizeof host,
        .ctx = handle,
        .points_format = format,
        .name = {name, strlen(name)},
        .log = host_log,
        .emit_points = host_emit,
        .emit_status = host_status,
        .now_ns = host_now,
        .global_tags = host_tags,
        .should_stop = host_should_stop,
    };
    const weir_borrowed text = {config, size};
    return plugin->create(&host, &text, out, buffer, capacity, length);
}

/* ---- calls -------------------------------------------------------------------------------------- */

weir_code weir_go_reconfigure(const weir_plugin_v1* plugin, weir_instance* instance, const char* config,
                              uint64_t size) {
    const weir_borrowed text = {config, size};
    return plugin->reconfigure(instance, &text);
}

weir_code weir_go_control(const weir_plugin_v1* plugin, weir_instance* instance, int which) {
    switch (which) {
        case 0: return plugin->start(instance);
        case 1: return plugin->pause(instance);
        case 2: return plugin->resume(instance);
        default: return plugin->request_stop(instance);
    }
}

weir_code weir_go_stop(const weir_plugin_v1* plugin, weir_instance* instance, uint64_t timeout_ns) {
    return plugin->stop(instance, timeout_ns);
}

void weir_go_destroy(const weir_plugin_v1* plugin, weir_instance* instance) { plugin->destroy(instance); }

weir_code weir_go_last_error(const weir_plugin_v1* plugin, weir_instance* instance, char* buffer,
                             uint64_t capacity, uint64_t* length) {
    return plugin->last_error(instance, buffer, capacity, length);
}

weir_code weir_go_extension_text(const weir_plugin_v1* plugin, weir_instance* instance, const char* id,
                                 char* buffer, uint64_t capacity, uint64_t* length) {
    const weir_ext_metrics* found = plugin->get_extension(instance, id, strlen(id));
    if (!found || found->struct_size < sizeof *found || !found->get) return WEIR_E_UNSUPPORTED;
    return found->get(instance, buffer, capacity, length);
}
