/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir_abi.h: the contract between a host agent and an input plugin, version 1.0.
 *
 * A plugin is one shared object that exports one function, weir_plugin_entry(). It returns a table of
 * functions; the host creates instances with a configuration and a table of its own callbacks, starts
 * them, receives points, and stops them. Everything below is plain C11 on <stdint.h> and <stddef.h>; hosts
 * exist in C, C++ and Go, and can be written in Rust.
 *
 * POLICY FOR CHANGE
 *   The version is major.minor. What is released never changes: no member is moved, renamed, removed or
 *   given a new meaning, and no constant changes its value. A minor version only appends members at the end
 *   of tables, adds constants, and adds extension ids. New behaviour of an old function is a new function
 *   (foo_v2) or an extension. A plugin answers a major version that it does not know with NULL. A host that
 *   meets a code, a level or an answer that it does not know treats it as the general case of its kind: a
 *   negative code as a failure, a level above WEIR_LOG_ERROR as an error; a plugin takes an unknown answer
 *   of emit_points for WEIR_EMIT_BUSY. build_id is for people: nothing may depend on it.
 *
 * STRUCTS
 *   Every struct that crosses begins with struct_size, which is the sizeof that its maker was built with,
 *   and reserved0, which is 0. A member may be touched only if it lies inside struct_size, so either side
 *   may be older; WEIR_HAS() asks that. For a struct that the caller lets the plugin fill, the caller sets
 *   struct_size, and what lies beyond it is not written. Members that are reserved are 0 and not looked at.
 *   weir_str is the one exception: it is two words for ever.
 *
 * STRINGS AND OWNERSHIP
 *   Strings are pointer and length in bytes, UTF-8, not NUL-terminated; the pointer may be NULL when the
 *   length is 0. Who allocates frees. The type's name says who owns the bytes:
 *     weir_borrowed, weir_borrowed_char, weir_borrowed_byte
 *                    the giver's, valid during the call only; copy what you keep
 *     weir_static    the plugin's, valid as long as its file is mapped, which is for ever (the file cannot
 *                    be unloaded; dlclose() is allowed and does nothing)
 *     weir_caller_char
 *                    a buffer of the caller's, for texts that are made for it: (buffer, capacity, length).
 *                    *length becomes the full length; at most capacity bytes are written, never a NUL.
 *                    Either pointer may be NULL. A length above capacity says how much room to bring next
 *                    time.
 *     weir_owned_instance
 *                    the host's from create() on, which gives it back with destroy(), once
 *   Tables that get_extension() returns belong to who returns them and live as long as the plugin's file,
 *   or, of a host, until stop() has returned.
 *
 * THREADS
 *   [control]        one call at a time for one instance, from any thread: a goroutine may move between
 *                    calls. The plugin does not lock these against each other; it detects most overlaps and
 *                    answers WEIR_E_STATE. Instances are independent of each other.
 *   [any-thread]     at any time, from any thread, also beside a control call of the same instance; not
 *                    during or after its destroy().
 *   [plugin-thread]  called by the plugin on threads of its own, of several callbacks at once.
 *   Plugin threads block all signals. The plugin holds no lock while it calls the host. A host callback
 *   must not call a [control] function, must not unwind (no exception, no longjmp, no panic) through the
 *   plugin, and should return within milliseconds.
 *
 * A HOST THAT IS SLOW never stalls collection. A callback that has not returned within a second is reported
 *   by log, by emit_status and in the coverage ledger (host_call_slow), as far as those still work, and
 *   points are spooled meanwhile. A callback that has not returned when stop()'s time is over, and a little
 *   grace, is left to the host: stop() answers WEIR_E_TIMEOUT, the plugin's thread stays inside the
 *   callback, calls nothing when it comes back, and ends.
 *
 * BACK-PRESSURE
 *   A batch of points that the host answers with WEIR_EMIT_BUSY or WEIR_EMIT_CLOSED is not lost. The plugin
 *   keeps it and all that come after it, on disk up to the bound that the configuration sets (limits.spool),
 *   and offers them again, in order, each until it is taken. A batch that the host took (WEIR_EMIT_OK) is
 *   never offered again. What is beyond the bound is counted in the ledger (spool_full). What is in the spool
 *   when the instance stops, or when the process dies, is offered by the next instance with the same
 *   store.path and points_format. Only two things leave a batch that is offered twice, by the next instance:
 *   a process that dies between the host's WEIR_EMIT_OK and the plugin's note of it, some milliseconds
 *   later; and an emit_points that has not come back when the instance ends, as nobody knows what became of
 *   that batch.
 *
 * STATES of an instance. A call in a state without an x answers WEIR_E_STATE and changes nothing.
 *
 *   call                 created  running  paused  stopped   leads to
 *   start                   x                                running
 *   reconfigure             x        x        x              same state
 *   reload.change           x        x        x              same state
 *   pause                            x                       paused
 *   resume                                    x              running
 *   drain.drain                      x                       same state
 *   request_stop            x        x        x       x      same state; the end comes with stop
 *   stop                    x        x        x       x      stopped (from stopped: WEIR_OK, nothing happens)
 *   destroy                 x        x        x       x      gone (stops first, if need be, for up to 2 s)
 *   last_error, get_extension, and what extensions mark [any-thread]: in every state, which they leave
 *   as it is
 *
 *   A start that fails leaves the instance created and has undone whatever it had begun. A control call
 *   during another one answers WEIR_E_STATE. An instance is started once: after stop, create a new one.
 *
 * THE PROCESS is the host's. The plugin changes no signal disposition, signal mask, working directory,
 *   environment, locale, umask or resource limit, and does not fork; after a fork() of the host's only
 *   execve() and _exit() are safe in the child. Process-wide are: the plugin's file itself, and the LMDB
 *   environments of a store path, which one instance on the machine at a time may have open.
 *
 * A HOST, in short
 *     void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);   refuse a file that others than root and yourself
 *                                                         may write
 *     entry = (weir_plugin_entry_fn)dlsym(file, WEIR_PLUGIN_ENTRY_NAME);
 *     plugin = entry(WEIR_ABI_MAJOR, 0);                  minor 0, and struct_size for what is newer
 *     plugin->create(&table, &config, &instance, text, sizeof text, &length);
 *     plugin->start(instance);                            points arrive by table.emit_points
 *     ...                                                 until the agent ends:
 *     plugin->request_stop(instance);                     from any thread, if it is to end soon
 *     plugin->stop(instance, 5000000000);                 no callback after this
 *     plugin->destroy(instance);
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

/* Whether a struct's maker knew of a member: WEIR_HAS(weir_plugin_v1, plugin, last_error). */
#define WEIR_HAS(type, object, member) \
    ((object)->struct_size >= offsetof(type, member) + sizeof(((type *)0)->member))

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
#define WEIR_E_STORAGE ((weir_code)-7)          /* the store or the spool cannot be opened or written */
#define WEIR_E_TIMEOUT ((weir_code)-8)          /* not finished in the time given */
#define WEIR_E_NO_MEMORY ((weir_code)-9)
#define WEIR_E_INTERNAL ((weir_code)-10)        /* a defect of the plugin */
#define WEIR_E_CANCELLED ((weir_code)-11)       /* request_stop() came first */

/* What the host answers to emit_points. */
typedef int32_t weir_emit_result;

#define WEIR_EMIT_OK ((weir_emit_result)0)     /* taken: the host has its own copy */
#define WEIR_EMIT_BUSY ((weir_emit_result)1)   /* not now: the plugin keeps the batch and tries again, after
                                                * 20 ms at first, then ever less often, at least once a second */
#define WEIR_EMIT_CLOSED ((weir_emit_result)2) /* not until further notice: kept likewise, tried once a second;
                                                * when the instance stops, left in the spool without a wait */

#define WEIR_LOG_DEBUG 0
#define WEIR_LOG_INFO 1
#define WEIR_LOG_WARNING 2
#define WEIR_LOG_ERROR 3

/* Encodings of points. A batch holds whole points, at most 1,000 of them in about 1 MiB. */
#define WEIR_FORMAT_LINE_PROTOCOL 1 /* text, one point a line, each line ended by \n */
#define WEIR_FORMAT_PROTOBUF 2      /* one PBPoints message (DataKit's com.guance.Point); PBPoints that are put
                                     * one behind the other are one PBPoints again */

/* ---- strings ------------------------------------------------------------------------------------ */

typedef struct weir_str {
    const char *data;
    uint64_t size; /* bytes */
} weir_str;

typedef weir_str weir_borrowed;
typedef weir_str weir_static;

/* The same, where pointer and length are arguments of their own. */
typedef char weir_borrowed_char;
typedef uint8_t weir_borrowed_byte;
typedef char weir_caller_char;

/* ---- the host's side ---------------------------------------------------------------------------- */

/* An integer that the host chooses and gets back in every callback: a pointer, an index, a cgo.Handle. */
typedef uint64_t weir_host_ctx;

/*
 * The host's callbacks. create() copies the table; the functions are called from any plugin thread, and all
 * but emit_points also on the thread of a control call, from create() on until stop(), or a destroy() that
 * stops, has returned. log, emit_points and now_ns must not be NULL; the others may be.
 */
typedef struct weir_host_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    weir_host_ctx ctx;

    int32_t points_format; /* WEIR_FORMAT_*: how the host wants its points */
    uint32_t reserved1;

    weir_borrowed name;    /* the host's name and version, for logs; may be empty */
    weir_borrowed version;

    /* [plugin-thread, control's thread] One line without its newline; level is a WEIR_LOG_*. */
    void (*log)(weir_host_ctx ctx, int32_t level, const weir_borrowed_char *text, uint64_t size);

    /* [plugin-thread] A batch of points, in points_format; see BACK-PRESSURE. One call at a time. */
    weir_emit_result (*emit_points)(weir_host_ctx ctx, int32_t format, const weir_borrowed_byte *bytes,
                                    uint64_t size, uint64_t point_count);

    /* [plugin-thread, control's thread] Something an operator should see, as an agent's last error: code is
     * WEIR_OK when a trouble is over. */
    void (*emit_status)(weir_host_ctx ctx, weir_code code, const weir_borrowed_char *text, uint64_t size);

    /* [plugin-thread, control's thread] Wall time, ns since 1970-01-01 UTC. Asked some times a second, and
     * carried on in between by the machine's own clock. */
    int64_t (*now_ns)(weir_host_ctx ctx);

    /*
     * [plugin-thread, control's thread] Tags that the host wants on every point: "key=value" pairs, each
     * ended by \n, into the caller's buffer (see STRINGS). Returns a version; the plugin asks for the text
     * again only when global_tags with a NULL buffer returns another one, and puts the new tags on points of
     * the next interval. A tag that a point has already stays as it is.
     */
    uint64_t (*global_tags)(weir_host_ctx ctx, weir_caller_char *buffer, uint64_t capacity,
                            uint64_t *length);

    /* [plugin-thread, control's thread] Not 0 when a start() under way should end, as by request_stop(). */
    int32_t (*should_stop)(weir_host_ctx ctx);

    /* [plugin-thread, control's thread] An optional interface of the host by its id, or NULL, which is
     * always a legal answer. None is defined in 1.0. */
    const void *(*get_extension)(weir_host_ctx ctx, const weir_borrowed_char *id, uint64_t size);
} weir_host_v1;

/* ---- the plugin's side -------------------------------------------------------------------------- */

/* One collector with its own configuration, threads and state. Several may exist at once. */
typedef struct weir_instance weir_instance;
typedef weir_instance *weir_owned_instance;

typedef struct weir_plugin_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    uint32_t abi_major;
    uint32_t abi_minor;
    weir_static build_id; /* for diagnostics only */

    /* -- without an instance, without side effects, without privileges -- */

    /*
     * [any-thread] The plugin's self-description, JSON: name, version, abi, catalog, minimal kernel,
     * capabilities needed, points_formats, and its measurements with category, tags, fields, types, units and
     * descriptions.
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
    weir_code (*validate)(const weir_borrowed *config, weir_caller_char *buffer, uint64_t capacity,
                          uint64_t *length) WEIR_NOEXCEPT;

    /*
     * [any-thread] What would run here, JSON: {"can_run", "tier", "why", "requirements": [{"name", "met",
     * "detail"}]}. May load and unload programs to find out; leaves nothing behind. WEIR_OK when something can
     * be collected; WEIR_E_PRIVILEGE or WEIR_E_UNSUPPORTED when nothing can. The text is written either way.
     */
    weir_code (*probe)(weir_caller_char *buffer, uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;

    /* -- instances: see STATES for where each call is legal -- */

    /*
     * [control] Makes an instance from a TOML configuration. Nothing runs yet and nothing is opened. On failure
     * *out is NULL and the buffer says why: WEIR_E_CONFIG, WEIR_E_INVALID_ARGUMENT for a host table that lacks
     * what it must have, WEIR_E_UNSUPPORTED for a points_format that describe() does not list.
     */
    weir_code (*create)(const weir_host_v1 *host, const weir_borrowed *config, weir_owned_instance *out,
                        weir_caller_char *buffer, uint64_t capacity, uint64_t *length) WEIR_NOEXCEPT;

    /*
     * [control] Loads, attaches, opens, and starts to collect. All or nothing. WEIR_E_CANCELLED after
     * request_stop().
     */
    weir_code (*start)(weir_instance *instance) WEIR_NOEXCEPT;

    /*
     * [control] Takes over a new configuration, the whole text. WEIR_E_CONFIG when it is wrong. Running or
     * paused: WEIR_E_UNSUPPORTED when a key differs that needs a restart (see WEIR_EXT_RELOAD). A failure
     * changes nothing. What changed holds from the next interval on.
     */
    weir_code (*reconfigure)(weir_instance *instance, const weir_borrowed *config) WEIR_NOEXCEPT;

    /*
     * [control] For elections: a paused instance collects and stores, makes no points, and hands none to the
     * host; what is in the spool stays there. A batch that is on its way when pause() is called may still
     * arrive.
     */
    weir_code (*pause)(weir_instance *instance) WEIR_NOEXCEPT;

    /* [control] Ends a pause: points again from the interval in work on, and the spool is handed over. */
    weir_code (*resume)(weir_instance *instance) WEIR_NOEXCEPT;

    /*
     * [any-thread] Only interrupts, and returns at once: a start() or a drain() under way ends with
     * WEIR_E_CANCELLED, a stop() under way has one more second. stop() must follow.
     */
    weir_code (*request_stop)(weir_instance *instance) WEIR_NOEXCEPT;

    /*
     * [control] Collects once more, hands that over, detaches every program, closes everything and joins every
     * thread, in timeout_ns (not more than a second after request_stop()). After it returned no callback
     * fires. WEIR_OK: everything was handed over, or is in the spool for the next instance. WEIR_E_TIMEOUT:
     * some of it is lost, or a callback has not returned; last_error says which. Everything is stopped
     * nevertheless.
     */
    weir_code (*stop)(weir_instance *instance, uint64_t timeout_ns) WEIR_NOEXCEPT;

    /* [control] Frees the instance, from any state. NULL is allowed. */
    void (*destroy)(weir_owned_instance instance) WEIR_NOEXCEPT;

    /* [any-thread] Why the last call on this instance that failed did so. Empty when none did. */
    weir_code (*last_error)(weir_instance *instance, weir_caller_char *buffer, uint64_t capacity,
                            uint64_t *length) WEIR_NOEXCEPT;

    /*
     * [any-thread] An optional interface of the plugin by its id, or NULL, which is always a legal answer.
     * instance may be NULL; a plugin answers the same for all of its instances.
     */
    const void *(*get_extension)(weir_instance *instance, const weir_borrowed_char *id,
                                 uint64_t size) WEIR_NOEXCEPT;
} weir_plugin_v1;

/* ---- extensions of the plugin -------------------------------------------------------------------
 *
 * Each id names a struct and its version; a change that is more than an append gets a new id.
 */

/* Where the instance's HTTP endpoint listens. */
#define WEIR_EXT_HTTP_ADDRESS "weir.http_address/1"

typedef struct weir_ext_http_address {
    uint32_t struct_size;
    uint32_t reserved0;

    /* [any-thread] "http://127.0.0.1:9531/", with the port that was bound. Empty while nothing listens. */
    weir_code (*get)(weir_instance *instance, weir_caller_char *buffer, uint64_t capacity,
                     uint64_t *length) WEIR_NOEXCEPT;
} weir_ext_http_address;

/* The same figures as GET /metrics, for hosts that collect them themselves. */
#define WEIR_EXT_METRICS "weir.metrics/1"

typedef struct weir_ext_metrics {
    uint32_t struct_size;
    uint32_t reserved0;

    /* [any-thread] Prometheus text format. Empty before start and after stop. */
    weir_code (*get)(weir_instance *instance, weir_caller_char *buffer, uint64_t capacity,
                     uint64_t *length) WEIR_NOEXCEPT;
} weir_ext_metrics;

/* Changing some keys of the configuration without a restart. */
#define WEIR_EXT_RELOAD "weir.reload/1"

typedef struct weir_ext_reload {
    uint32_t struct_size;
    uint32_t reserved0;

    /* [any-thread] The names of the keys that can change while running, a JSON array: ["interval", ...]. */
    weir_code (*keys)(weir_static *out) WEIR_NOEXCEPT;

    /*
     * [control] Takes over a part of a configuration, TOML: keys that it does not name stay as they are. A
     * table, as tags, is replaced as a whole. Otherwise as reconfigure(), except that environment variables
     * are not read: what is named here wins.
     */
    weir_code (*change)(weir_instance *instance, const weir_borrowed *config) WEIR_NOEXCEPT;
} weir_ext_reload;

/* Handing over all that is spooled. */
#define WEIR_EXT_DRAIN "weir.drain/1"

/* What was made for the host and is not taken yet. */
typedef struct weir_pending_v1 {
    uint32_t struct_size;
    uint32_t reserved0;
    uint64_t batches;
    uint64_t points;
    uint64_t bytes;
    uint64_t lost_points; /* since start: beyond the spool's bound, or not taken and with no spool to go to */
} weir_pending_v1;

typedef struct weir_ext_drain {
    uint32_t struct_size;
    uint32_t reserved0;

    /*
     * [control] Hands over all that is spooled when it is called, without the pauses between tries growing
     * beyond 100 ms. WEIR_E_TIMEOUT: not all was taken in timeout_ns; WEIR_E_CANCELLED: request_stop() came
     * first. What was not taken stays in the spool either way.
     */
    weir_code (*drain)(weir_instance *instance, uint64_t timeout_ns) WEIR_NOEXCEPT;

    /* [any-thread] Fills what lies inside out->struct_size, which the caller sets. All 0 before start
     * and after stop. */
    weir_code (*pending)(weir_instance *instance, weir_pending_v1 *out) WEIR_NOEXCEPT;
} weir_ext_drain;

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
