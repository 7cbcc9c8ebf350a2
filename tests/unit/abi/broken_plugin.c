/* Plugins that a host must refuse. The environment variable BROKEN_PLUGIN says what is wrong with this one.
 */
#include <stdlib.h>
#include <string.h>

#include "weir_abi.h"

const weir_plugin_v1* weir_plugin_entry(uint32_t host_major, uint32_t host_minor) {
    static weir_plugin_v1 table = {.struct_size = sizeof table, .abi_major = WEIR_ABI_MAJOR};
    const char* kind = getenv("BROKEN_PLUGIN");
    (void)host_major;
    (void)host_minor;
    if (!kind) return &table; /* every function is missing */
    if (strcmp(kind, "no-table") == 0) return NULL;
    if (strcmp(kind, "small-table") == 0)
        table.struct_size = (uint32_t)offsetof(weir_plugin_v1, get_extension);
    if (strcmp(kind, "other-major") == 0) table.abi_major = WEIR_ABI_MAJOR + 1;
    return &table;
}
