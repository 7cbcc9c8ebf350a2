/* What Go cannot say itself: calls through function pointers, and a host table that holds C functions. */
#ifndef WEIR_GO_BRIDGE_H
#define WEIR_GO_BRIDGE_H

#include "weir_abi.h"

/* The plugin's table, or NULL with a text for the caller in *error, which is to be freed. Never unloaded. */
const weir_plugin_v1* weir_go_load(const char* path, char** error);

weir_code weir_go_static(const weir_plugin_v1* plugin, int which, weir_static* out); /* 0 describe 1 schema 2 sample */
weir_code weir_go_validate(const weir_plugin_v1* plugin, const char* config, uint64_t size, char* buffer,
                           uint64_t capacity, uint64_t* length);
weir_code weir_go_probe(const weir_plugin_v1* plugin, char* buffer, uint64_t capacity, uint64_t* length);

weir_code weir_go_create(const weir_plugin_v1* plugin, uint64_t handle, int32_t format, const char* name,
                         const char* config, uint64_t size, weir_instance** out, char* buffer,
                         uint64_t capacity, uint64_t* length);
weir_code weir_go_reconfigure(const weir_plugin_v1* plugin, weir_instance* instance, const char* config,
                              uint64_t size);
weir_code weir_go_control(const weir_plugin_v1* plugin, weir_instance* instance, int which); /* 0 start 1 pause 2 resume 3 request_stop */
weir_code weir_go_stop(const weir_plugin_v1* plugin, weir_instance* instance, uint64_t timeout_ns);
void weir_go_destroy(const weir_plugin_v1* plugin, weir_instance* instance);
weir_code weir_go_last_error(const weir_plugin_v1* plugin, weir_instance* instance, char* buffer,
                             uint64_t capacity, uint64_t* length);
/* The text of the extension `id`, of those whose table holds one get(). WEIR_E_UNSUPPORTED without it. */
weir_code weir_go_extension_text(const weir_plugin_v1* plugin, weir_instance* instance, const char* id,
                                 char* buffer, uint64_t capacity, uint64_t* length);

#endif
