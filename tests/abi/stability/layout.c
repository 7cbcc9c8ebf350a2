/*
 * weir_abi.h as a compiler lays it out, for abidw and abidiff: every struct that crosses is reached from an
 * exported function. A plugin itself would not do: what it hides behind weir_instance is nobody's business.
 */
#include "weir_abi.h"

#define SHOWN __attribute__((visibility("default")))

const weir_plugin_v1* weir_plugin_entry(uint32_t host_major, uint32_t host_minor) {
    (void)host_major;
    (void)host_minor;
    return NULL;
}

SHOWN const void* weir_extension_tables(const weir_ext_http_address* address, const weir_ext_metrics* metrics,
                                        const weir_ext_reload* reload, const weir_ext_drain* drain);
const void* weir_extension_tables(const weir_ext_http_address* address, const weir_ext_metrics* metrics,
                                  const weir_ext_reload* reload, const weir_ext_drain* drain) {
    (void)address;
    (void)metrics;
    (void)reload;
    return drain;
}
