/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_abi.h: the contract between a host agent and an input plugin, version 1.0.
 *
 * A plugin is one shared object that exports one function, weir_plugin_entry(). It returns a table of
 * functions; the host creates instances with a configuration and a table of its own callbacks, starts
 * them, receives points, and stops them. Everything below is plain C11 on <stdint.h>; hosts exist in C,
 * C++, Go and Rust.
 *
 * POLICY FOR CHANGE
 *   The version is major.minor. What is released never changes: no member is moved, renamed, removed or
 *   given a new meaning, and no enumerator changes its value. A minor version only appends members to
 *   tables, enumerators to enums, and extension ids. New behaviour of an old function is a new function.
 *   A plugin answers a major version it does not know with NULL.
 *
 * STRUCTS
 *   Every struct that crosses begins with struct_size, which its writer sets to sizeof, and reserved0,
 *   which is 0. A reader touches a member only if it lies inside struct_size, so either side may be older.
 *   weir_str is the one exception: it is two words for ever.
 *
 * STRINGS AND OWNERSHIP
 *   Strings are pointer and length in bytes, UTF-8, not NUL-terminated; data may be NULL when size is 0.
 *   The type's name says who owns the bytes:
 *     weir_borrowed  valid during the call only; copy what you keep
 *     weir_static    valid as long as the plugin's file is mapped, which is for ever (the file cannot be
 *                    unloaded; dlclose() is allowed and does nothing)
 *   Who allocates frees. Texts that are made for the caller go into a buffer of the caller's:
 *     (char *buffer, uint64_t capacity, uint64_t *length)
 *   *length becomes the full length; at most capacity bytes are written, never a NUL. Either pointer may
 *   be NULL. A length above capacity says how much room to bring next time.
 *
 * THREADS
 *   [control]        one call at a time for one instance, from any thread: a goroutine may move between
 *                    calls. The plugin does not lock these against each other; it detects most overlaps and
 *                    answers WEIR_E_STATE.
 *   [any-thread]     at any time, from any thread, also beside a control call.
 *   [plugin-thread]  called by the plugin on its own threads, several at once.
 *   Plugin threads block all signals. The plugin holds no lock while it calls the host. A host callback
 *   must not call a [control] function, must not unwind (no exception, no longjmp, no panic) through the
 *   plugin, and should return within milliseconds.
 *
 * STATES of an instance. A call in another state answers WEIR_E_STATE and changes nothing.
 *   call          created  running  paused  stopped   leads to
 *   start            x                                running
 *   reconfigure      x        x        x              same state
 *   pause                     x                       paused
 *   resume                             x              running
 *   request_stop     x        x        x       x      same state; the end comes with stop
 *   stop             x        x        x       x      stopped (from stopped: WEIR_OK, nothing happens)
 *   destroy          x        x        x       x      gone (stops first, if need be, for up to 2 s)
 *   A start that fails leaves the instance created and has undone whatever it had begun.
 *
 * THE PROCESS is the host's. The plugin changes no signal disposition, working directory, environment,
 *   locale, umask or resource limit, and does not fork. Process-wide are: the plugin's file itself, and the
 *   LMDB environment of a store path, which one instance at a time may have open.
 *
 * ADVICE FOR HOSTS
 *   dlopen(path, RTLD_NOW | RTLD_LOCAL), and refuse a file that others than root and yourself may write.
 *   Ask for minor version 0 and look at struct_size for what is newer.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define WEIR_NOEXCEPT noexcept
#else
#define WEIR_NOEXCEPT
#endif

#define WEIR_ABI_MAJOR 1u
#define WEIR_ABI_MINOR 0u
#define WEIR_PLUGIN_ENTRY_NAME "weir_plugin_entry"

/* ---- codes -------------------------------------------------------------------------------------- */

/* What functions of the plugin answer. 0 is success; all failures are negative. */
typedef int32_t weir_code;

#define WEIR_OK ((weir_code)0)
#define WEIR_E_INVALID_ARGUMENT ((weir_code)-1) /* a NULL or a value that makes no sense */
#define WEIR_E_STATE ((weir_code)-2)            /* not legal in the instance's state */
#define WEIR_E_CONFIG ((weir_code)-3)           /* the configuration is wrong; the text names line and key */
#define WEIR_E_PRIVILEGE ((weir_code)-4)        /* the process lacks a capability */
#define WEIR_E_UNSUPPORTED ((weir_code)-5)      /* this kernel, or this build, cannot */
#define WEIR_E_ADDRESS_IN_USE ((weir_code)-6)   /* the HTTP address is taken */
#define WEIR_E_STORAGE ((weir_code)-7)          /* the store cannot be opened or written */
#define WEIR_E_TIMEOUT ((weir_code)-8)          /* not finished in the time given */
#define WEIR_E_NO_MEMORY ((weir_code)-9)
#define WEIR_E_INTERNAL ((weir_code)-10)        /* a defect of the plugin */
#define WEIR_E_CANCELLED ((weir_code)-11)       /* request_stop() came first */

/* What the host answers to emit_points. */
typedef int32_t weir_emit_result;

#define WEIR_EMIT_OK ((weir_emit_result)0)     /* taken: the host has its own copy */
#define WEIR_EMIT_BUSY ((weir_emit_result)1)   /* not now: the plugin keeps the batch and tries again */
#define WEIR_EMIT_CLOSED ((weir_emit_result)2) /* not until further notice: kept likewise, tried less often, and
                                                * given up without a wait when the instance stops */

#define WEIR_LOG_DEBUG 0
#define WEIR_LOG_INFO 1
#define WEIR_LOG_WARNING 2
#define WEIR_LOG_ERROR 3

/* Encodings of points. */
#define WEIR_FORMAT_LINE_PROTOCOL 1 /* text, one point a line, each line ended by \n */
#define WEIR_FORMAT_PROTOBUF 2      /* one PBPoints message */

/* ---- strings ------------------------------------------------------------------------------------ */

typedef struct weir_str {
    const char *data;
    uint64_t size; /* bytes */
} weir_str;

typedef weir_str weir_borrowed;
typedef weir_str weir_static;

/* ---- the host's side ---------------------------------------------------------------------------- */

/* An integer that the host chooses and gets back in every callback: a pointer, an index, a cgo.Handle. */
typedef uint64_t weir_host_ctx;

/*
 * The host's callbacks. create() copies the table; the functions are called from any plugin thread, and log
 * also on the thread of a control call, from create() on until stop(), or a destroy() that stops, has
 * returned. log, emit_points and now_ns must not be NULL.
 */
typedef struct weir_host_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    weir_host_ctx ctx;

    int32_t points_format; /* WEIR_FORMAT_*: how the host wants its points */
    uint32_t reserved1;

    weir_borrowed name;    /* the host's name and version, for logs; may be empty */
    weir_borrowed version;

    /* [plugin-thread, and the thread of a control call] One line without its newline. */
    void (*log)(weir_host_ctx ctx, int32_t level, const char *text, uint64_t size);

    /* [plugin-thread] A batch of points, in points_format. `bytes` is valid during the call only. */
    weir_emit_result (*emit_points)(weir_host_ctx ctx, int32_t format, const uint8_t *bytes, uint64_t size,
                                    uint64_t point_count);

    /* [plugin-thread] Something an operator should see: code is 0 when a trouble is over. May be NULL. */
    void (*emit_status)(weir_host_ctx ctx, weir_code code, const char *text, uint64_t size);

    /* [plugin-thread] Wall time, ns since 1970-01-01 UTC. */
    int64_t (*now_ns)(weir_host_ctx ctx);

    /*
     * [plugin-thread] Tags that the host wants on every point: "key=value" pairs, each ended by \n, into the
     * caller's buffer (see STRINGS). Returns a version; the plugin asks again only when global_tags with a
     * NULL buffer returns another one. May be NULL. A tag that a point has already stays as it is.
     */
    uint64_t (*global_tags)(weir_host_ctx ctx, char *buffer, uint64_t capacity, uint64_t *length);

    /* [plugin-thread] Not 0 when long work should be cut short. May be NULL. */
    int32_t (*should_stop)(weir_host_ctx ctx);

    /* [plugin-thread] An optional interface of the host by its id, or NULL. May be NULL itself. */
    const void *(*get_extension)(weir_host_ctx ctx, const char *id, uint64_t size);
} weir_host_v1;

/* ---- the plugin's side -------------------------------------------------------------------------- */

/* One collector with its own configuration, threads and state. Several may exist at once. */
typedef struct weir_instance weir_instance;

typedef struct weir_plugin_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    uint32_t abi_major;
    uint32_t abi_minor;
    weir_static build_id; /* for diagnostics only */

    /* -- without an instance, without side effects, without privileges -- */

    /*
     * [any-thread] The plugin's self-description, JSON: name, version, catalog, minimal kernel, capabilities
     * needed, and its measurements with tags, fields, types, units and descriptions.
     */
    weir_code (*describe)(weir_static *out) WEIR_NOEXCEPT;

    /* [any-thread] The configuration's keys, JSON: name, type, default, environment variable, help. */
    weir_code (*schema)(weir_static *out) WEIR_NOEXCEPT;

    /* [any-thread] A sample configuration, TOML, every key explained. */
    weir_code (*sample)(weir_static *out) WEIR_NOEXCEPT;

    /*
     * [any-thread] Checks a configuration. WEIR_E_CONFIG: the text holds one error a line, "line N: key: why",
     * without a newline at its end. create() gives the same text.
     */
    weir_code (*validate)(const weir_borrowed *config, char *buffer, uint64_t capacity,
                          uint64_t *length) WEIR_NOEXCEPT;

    /*
     * [any-thread] What would run here, JSON: {"can_run", "tier", "why", "requirements": [{"name", "met",
     * "detail"}]}. May load and unload programs to find out; leaves nothing behind. WEIR_OK when something can
     * be collected; WEIR_E_PRIVILEGE or WEIR_E_UNSUPPORTED when nothing can. The text is written either way.
     */
    weir_code (*probe)(char *buffer, uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;

    /* -- instances -- */

    /*
     * [control] Makes an instance from a TOML configuration. Nothing runs yet and nothing is opened. On failure
     * *out is NULL and the buffer says why.
     */
    weir_code (*create)(const weir_host_v1 *host, const weir_borrowed *config, weir_instance **out, char *buffer,
                        uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;

    /* [control] Loads, attaches, opens, and starts to collect. All or nothing. WEIR_E_CANCELLED after request_stop. */
    weir_code (*start)(weir_instance *instance) WEIR_NOEXCEPT;

    /*
     * [control] Takes over a new configuration where that needs no restart: interval, tags, loopback. A change
     * of anything else answers WEIR_E_UNSUPPORTED and changes nothing.
     */
    weir_code (*reconfigure)(weir_instance *instance, const weir_borrowed *config) WEIR_NOEXCEPT;

    /*
     * [control] For elections: a paused instance collects and stores, and hands no points to the host. A batch that
     * is on its way when pause() is called may still arrive.
     */
    weir_code (*pause)(weir_instance *instance) WEIR_NOEXCEPT;
    weir_code (*resume)(weir_instance *instance) WEIR_NOEXCEPT;

    /* [any-thread] Asks for an early end of what is under way. Returns at once; stop() must follow. */
    weir_code (*request_stop)(weir_instance *instance) WEIR_NOEXCEPT;

    /*
     * [control] Collects once more, hands that over, detaches every program, closes everything and joins every
     * thread. After it returned no callback fires. WEIR_E_TIMEOUT: the time was too short to hand over or store
     * all that was collected; everything is stopped nevertheless, and what was lost is in the log.
     */
    weir_code (*stop)(weir_instance *instance, uint64_t timeout_ns) WEIR_NOEXCEPT;

    /* [control] Frees the instance, from any state. NULL is allowed. */
    void (*destroy)(weir_instance *instance) WEIR_NOEXCEPT;

    /* [any-thread] Why the last call on this instance that failed did so. Empty when none did. */
    weir_code (*last_error)(weir_instance *instance, char *buffer, uint64_t capacity,
                            uint64_t *length) WEIR_NOEXCEPT;

    /*
     * [any-thread] An optional interface of the plugin by its id, or NULL, which is always a legal answer.
     * instance may be NULL for those that need none.
     */
    const void *(*get_extension)(weir_instance *instance, const char *id, uint64_t size) WEIR_NOEXCEPT;
} weir_plugin_v1;

/* ---- extensions of the plugin ------------------------------------------------------------------- */

/* Where the instance's HTTP endpoint listens. */
#define WEIR_EXT_HTTP_ADDRESS "weir.http_address/1"

typedef struct weir_ext_http_address {
    uint32_t struct_size;
    uint32_t reserved0;
    /* [any-thread] "http://127.0.0.1:9531/", with the port that was bound. Empty while nothing listens. */
    weir_code (*get)(weir_instance *instance, char *buffer, uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;
} weir_ext_http_address;

/* The same figures as GET /metrics, for hosts that collect them themselves. */
#define WEIR_EXT_METRICS "weir.metrics/1"

typedef struct weir_ext_metrics {
    uint32_t struct_size;
    uint32_t reserved0;
    /* [any-thread] Prometheus text format. */
    weir_code (*get)(weir_instance *instance, char *buffer, uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;
} weir_ext_metrics;

/* ---- the entry ---------------------------------------------------------------------------------- */

/*
 * [any-thread] The one exported symbol. The host passes the version that it was built with. NULL when the
 * plugin does not know that major version. The table is static.
 */
typedef const weir_plugin_v1 *(*weir_plugin_entry_fn)(uint32_t host_major, uint32_t host_minor);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const weir_plugin_v1 *
weir_plugin_entry(uint32_t host_major, uint32_t host_minor) WEIR_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* WEIR_ABI_H */
