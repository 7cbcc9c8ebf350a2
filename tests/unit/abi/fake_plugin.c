/*
 * A whole implementation of weir_abi.h in C, small enough to be read: what a host meets, without a kernel.
 * Its collector is one thread that makes a batch of numbered points each interval. Each number is handed over
 * exactly once unless the log says that it was lost, so tests can tell loss and doubling from the points.
 *
 * The environment variable FAKE_PROBE says what probe() finds: nothing = all is well, "privilege", "garbage".
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_config.h"
#include "weir_abi.h"

enum state { CREATED = 1, RUNNING = 2, PAUSED = 4, STOPPED = 8 };

struct weir_instance {
    weir_host_v1 host;
    pthread_t thread;
    atomic_flag in_control; /* set during a [control] call */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct fake_config config;
    enum state state;
    int stop_requested; /* by request_stop(): cuts start() short */
    int stopping;       /* by stop(): the thread ends */
    int64_t stop_by;    /* monotonic ns, valid when stopping */
    int ended;          /* the thread calls the host no more */
    int left_behind;    /* stop() did not wait for a callback; whoever comes last frees the instance */
    int destroyed;
    char error[256];

    /* The thread's own, and stop()'s after the join. */
    uint64_t next_number;
    uint64_t batches_made;
    uint64_t points_lost;
};

/* ---- small tools -------------------------------------------------------------------------------- */

static int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void give_text(const char* text, size_t size, char* buffer, uint64_t capacity, uint64_t* length) {
    if (buffer && size > 0) memcpy(buffer, text, size < capacity ? size : (size_t)capacity);
    if (length) *length = size;
}

static weir_code give_static(const char* text, weir_static* out) {
    if (!out) return WEIR_E_INVALID_ARGUMENT;
    *out = (weir_static){text, strlen(text)};
    return WEIR_OK;
}

static int is_text(const weir_borrowed* text) { return text && (text->data || text->size == 0); }

static weir_code failure(weir_instance* instance, weir_code code, const char* text) {
    pthread_mutex_lock(&instance->mutex);
    snprintf(instance->error, sizeof instance->error, "%s", text);
    pthread_mutex_unlock(&instance->mutex);
    return code;
}

static void log_line(const weir_instance* instance, int32_t level, const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    instance->host.log(instance->host.ctx, level, text, strlen(text));
}

/* Waits on the condition until `deadline` (monotonic ns). The mutex is held. */
static void wait_until(weir_instance* instance, int64_t deadline) {
    const struct timespec when = {(time_t)(deadline / 1000000000), (long)(deadline % 1000000000)};
    pthread_cond_timedwait(&instance->changed, &instance->mutex, &when);
}

static void sleep_ms(uint64_t ms) {
    const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* ---- the collector ------------------------------------------------------------------------------ */

struct batch {
    char* bytes;
    size_t size;
    uint64_t points;
};

#define LONGEST_TAGS 256
#define LONGEST_POINT (96 + LONGEST_TAGS)

/* The host's tags as line protocol has them: ",key=value" each, escaped. */
static void read_tags(const weir_instance* instance, char* out) {
    const weir_host_v1* host = &instance->host;
    char pairs[LONGEST_TAGS / 2 - 1];
    uint64_t size = 0;
    if (host->global_tags) host->global_tags(host->ctx, pairs, sizeof pairs, &size);
    int in_value = 0;
    for (uint64_t i = 0; i < size && i < sizeof pairs; ++i) {
        if (i == 0 || pairs[i - 1] == '\n') *out++ = ',', in_value = 0;
        const int separates = pairs[i] == '=' && !in_value;
        if (separates) in_value = 1;
        if (pairs[i] == '\n') continue;
        if (strchr(", =", pairs[i]) && !separates) *out++ = '\\';
        *out++ = pairs[i];
    }
    *out = '\0';
}

static size_t line_point(char* out, const char* tags, uint64_t number, int64_t now) {
    return (size_t)snprintf(out, LONGEST_POINT, "fake%s,source=thread number=%llui %lld\n", tags,
                            (unsigned long long)number, (long long)now);
}

static size_t put_varint(char* out, uint64_t value) {
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) out[size++] = (char)(value | 0x80);
    out[size++] = (char)value;
    return size;
}

/* What of a PBPoint is the same in all, with the lengths written by hand; its number and time follow. */
static size_t protobuf_point(char* out, uint64_t number, int64_t now) {
    static const char fixed[] =
        "\x0a\x04"
        "fake" /* name */
        "\x12\x12"
        "\x0a\x06"
        "source"
        "\x5a\x06"
        "thread"
        "\x40\x01"; /* a field that is a tag */
    char field[32] =
        "\x0a\x06"
        "number"
        "\x10";
    const size_t field_size = 9 + put_varint(field + 9, number);
    char point[LONGEST_POINT];
    size_t size = sizeof fixed - 1;
    memcpy(point, fixed, size);
    point[size++] = '\x12';
    size += put_varint(point + size, field_size);
    memcpy(point + size, field, field_size);
    size += field_size;
    point[size++] = '\x18';
    size += put_varint(point + size, (uint64_t)now);

    out[0] = '\x0a';
    const size_t head = 1 + put_varint(out + 1, size);
    memcpy(out + head, point, size);
    return head + size;
}

static struct batch make_batch(weir_instance* instance, uint64_t points) {
    struct batch batch = {malloc((size_t)points * LONGEST_POINT), 0, points};
    if (!batch.bytes) abort();
    const int64_t now = instance->host.now_ns(instance->host.ctx);
    char tags[LONGEST_TAGS];
    read_tags(instance, tags);
    const int is_protobuf = instance->host.points_format == WEIR_FORMAT_PROTOBUF;
    for (uint64_t i = 0; i < points; ++i) {
        const uint64_t number = instance->next_number++;
        char* out = batch.bytes + batch.size;
        batch.size += is_protobuf ? protobuf_point(out, number, now) : line_point(out, tags, number, now);
    }
    ++instance->batches_made;
    return batch;
}

/* Waits a little before a batch is offered again. 0 when there is no time for that, or no sense in it. */
static int may_try_again(weir_instance* instance, weir_emit_result result) {
    pthread_mutex_lock(&instance->mutex);
    const int closed = result == WEIR_EMIT_CLOSED;
    if (!closed || !instance->stopping) wait_until(instance, monotonic_ns() + (closed ? 20000000 : 5000000));
    const int out_of_time = instance->stopping && (closed || monotonic_ns() >= instance->stop_by);
    pthread_mutex_unlock(&instance->mutex);
    return !out_of_time;
}

static void hand_over(weir_instance* instance, uint64_t points, int32_t format) {
    struct batch batch = make_batch(instance, points);
    const weir_host_v1* host = &instance->host;
    weir_emit_result result;
    do {
        result = host->emit_points(host->ctx, format, (const uint8_t*)batch.bytes, batch.size, batch.points);
    } while (result != WEIR_EMIT_OK && may_try_again(instance, result));
    if (result != WEIR_EMIT_OK) instance->points_lost += batch.points;
    free(batch.bytes);
}

static void release(weir_instance* instance) {
    pthread_cond_destroy(&instance->changed);
    pthread_mutex_destroy(&instance->mutex);
    free(instance);
}

static void* collect(void* argument) {
    weir_instance* instance = argument;
    int stopping = 0;
    while (!stopping) {
        pthread_mutex_lock(&instance->mutex);
        const int64_t due = monotonic_ns() + (int64_t)instance->config.interval_ms * 1000000;
        while (!instance->stopping && monotonic_ns() < due) wait_until(instance, due);
        stopping = instance->stopping;
        const struct fake_config config = instance->config;
        const int silent = instance->state == PAUSED || instance->left_behind;
        pthread_mutex_unlock(&instance->mutex);

        const int finished = config.batches > 0 && instance->batches_made >= config.batches;
        const int32_t format =
            config.points_format ? (int32_t)config.points_format : instance->host.points_format;
        if (!silent && !finished) hand_over(instance, config.points, format);
    }
    pthread_mutex_lock(&instance->mutex);
    instance->ended = 1;
    const int is_last = instance->destroyed;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->mutex);
    if (is_last) release(instance);
    return NULL;
}

/* Plugin threads block all signals: the mask is inherited. */
static int start_thread(weir_instance* instance) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&instance->thread, NULL, collect, instance);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- states ------------------------------------------------------------------------------------- */

/* Enters a [control] call that is legal in `states`; on WEIR_OK leave() must follow. */
static weir_code enter(weir_instance* instance, unsigned states) {
    if (!instance) return WEIR_E_INVALID_ARGUMENT;
    if (atomic_flag_test_and_set(&instance->in_control)) return WEIR_E_STATE;
    pthread_mutex_lock(&instance->mutex);
    const int legal = (instance->state & states) != 0;
    pthread_mutex_unlock(&instance->mutex);
    if (legal) return WEIR_OK;
    atomic_flag_clear(&instance->in_control);
    return failure(instance, WEIR_E_STATE, "not possible in this state");
}

static void leave(weir_instance* instance) { atomic_flag_clear(&instance->in_control); }

static void set_state(weir_instance* instance, enum state state) {
    pthread_mutex_lock(&instance->mutex);
    instance->state = state;
    pthread_mutex_unlock(&instance->mutex);
}

/* ---- without an instance ------------------------------------------------------------------------ */

static weir_code describe(weir_static* out) {
    return give_static("{\"name\":\"fake\",\"version\":\"1.0\",\"measurements\":[{\"name\":\"fake\"}]}", out);
}

static weir_code schema(weir_static* out) { return give_static(fake_config_schema, out); }

static weir_code sample(weir_static* out) { return give_static(fake_config_sample, out); }

static weir_code validate(const weir_borrowed* config, char* buffer, uint64_t capacity, uint64_t* length) {
    struct fake_config read;
    if (!is_text(config)) return WEIR_E_INVALID_ARGUMENT;
    return fake_config_read(&read, config->data, config->size, buffer, capacity, length) ? WEIR_E_CONFIG
                                                                                         : WEIR_OK;
}

static weir_code probe(char* buffer, uint64_t capacity, uint64_t* length) {
    static const char well[] =
        "{\"can_run\":true,\"tier\":\"thread\",\"why\":\"threads are always there\",\"requirements\":["
        "{\"name\":\"threads\",\"met\":true,\"detail\":\"pthread\"},"
        "{\"name\":\"a kernel\",\"met\":false,\"detail\":\"hostile \\u001b[31m text\"}]}";
    static const char none[] =
        "{\"can_run\":false,\"tier\":null,\"why\":\"a capability is missing\",\"requirements\":["
        "{\"name\":\"CAP_FAKE\",\"met\":false,\"detail\":\"not in the effective set\"}]}";
    const char* wanted = getenv("FAKE_PROBE");
    const char* text = well;
    if (wanted && strcmp(wanted, "privilege") == 0) text = none;
    if (wanted && strcmp(wanted, "garbage") == 0) text = "{broken";
    give_text(text, strlen(text), buffer, capacity, length);
    return text == none ? WEIR_E_PRIVILEGE : WEIR_OK;
}

/* ---- instances ---------------------------------------------------------------------------------- */

static weir_code refuse(weir_code code, const char* why, char* buffer, uint64_t capacity, uint64_t* length) {
    give_text(why, strlen(why), buffer, capacity, length);
    return code;
}

static weir_code create(const weir_host_v1* host, const weir_borrowed* config, weir_instance** out,
                        char* buffer, uint64_t capacity, uint64_t* length) {
    if (out) *out = NULL;
    if (!host || !is_text(config) || !out || host->struct_size < offsetof(weir_host_v1, emit_status) ||
        !host->log || !host->emit_points || !host->now_ns) {
        return refuse(WEIR_E_INVALID_ARGUMENT, "the host's table is incomplete", buffer, capacity, length);
    }
    if (host->points_format != WEIR_FORMAT_LINE_PROTOCOL && host->points_format != WEIR_FORMAT_PROTOBUF) {
        return refuse(WEIR_E_UNSUPPORTED, "points in a format that is not known", buffer, capacity, length);
    }
    struct fake_config read;
    if (fake_config_read(&read, config->data, config->size, buffer, capacity, length)) return WEIR_E_CONFIG;
    if (host->points_format == WEIR_FORMAT_PROTOBUF && read.only_lines) {
        return refuse(WEIR_E_UNSUPPORTED, "this one writes line protocol only", buffer, capacity, length);
    }

    weir_instance* instance = calloc(1, sizeof *instance);
    if (!instance) return WEIR_E_NO_MEMORY;
    memcpy(&instance->host, host, host->struct_size < sizeof *host ? host->struct_size : sizeof *host);
    instance->config = read;
    instance->state = CREATED;
    atomic_flag_clear(&instance->in_control);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&instance->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&instance->mutex, NULL);
    *out = instance;
    return WEIR_OK;
}

/* Logs the text with each \e made an escape character, as hostile traffic would have it. */
static void log_hostile(const weir_instance* instance, const char* text) {
    char line[128];
    size_t size = 0;
    for (; *text && size < sizeof line - 1; ++text) {
        const int escape = text[0] == '\\' && text[1] == 'e';
        line[size++] = escape ? '\033' : *text;
        text += escape;
    }
    instance->host.log(instance->host.ctx, WEIR_LOG_WARNING, line, size);
}

/* What a real start() does slowly. 0 when request_stop() cut it short. */
static int take_time_to_start(weir_instance* instance, uint64_t ms) {
    const int64_t end = monotonic_ns() + (int64_t)ms * 1000000;
    pthread_mutex_lock(&instance->mutex);
    while (!instance->stop_requested && monotonic_ns() < end) wait_until(instance, end);
    const int cut_short = instance->stop_requested;
    pthread_mutex_unlock(&instance->mutex);
    return !cut_short;
}

static weir_code do_start(weir_instance* instance) {
    const weir_host_v1* host = &instance->host;
    const struct fake_config* config = &instance->config;
    if (config->start_error[0]) return failure(instance, WEIR_E_ADDRESS_IN_USE, config->start_error);
    if (!take_time_to_start(instance, config->start_ms)) {
        return failure(instance, WEIR_E_CANCELLED, "start was cut short");
    }
    if (config->log[0]) log_hostile(instance, config->log);
    if (config->status[0] && host->emit_status) {
        host->emit_status(host->ctx, WEIR_E_STORAGE, config->status, strlen(config->status));
    }
    set_state(instance, RUNNING);
    if (start_thread(instance) == 0) return WEIR_OK;
    set_state(instance, CREATED);
    return failure(instance, WEIR_E_INTERNAL, "no thread");
}

static weir_code start(weir_instance* instance) {
    weir_code code = enter(instance, CREATED);
    if (code != WEIR_OK) return code;
    code = do_start(instance);
    leave(instance);
    return code;
}

static weir_code reconfigure(weir_instance* instance, const weir_borrowed* config) {
    weir_code code = enter(instance, CREATED | RUNNING | PAUSED);
    if (code != WEIR_OK) return code;
    struct fake_config read;
    char errors[sizeof instance->error] = "";
    if (!is_text(config)) {
        code = failure(instance, WEIR_E_INVALID_ARGUMENT, "no configuration");
    } else if (fake_config_read(&read, config->data, config->size, errors, sizeof errors - 1, NULL)) {
        code = failure(instance, WEIR_E_CONFIG, errors);
    } else {
        pthread_mutex_lock(&instance->mutex);
        instance->config.interval_ms = read.interval_ms;
        pthread_mutex_unlock(&instance->mutex);
    }
    leave(instance);
    return code;
}

static weir_code change_state(weir_instance* instance, enum state from, enum state to) {
    const weir_code code = enter(instance, from);
    if (code != WEIR_OK) return code;
    set_state(instance, to);
    leave(instance);
    return WEIR_OK;
}

static weir_code pause_collecting(weir_instance* instance) { return change_state(instance, RUNNING, PAUSED); }
static weir_code resume(weir_instance* instance) { return change_state(instance, PAUSED, RUNNING); }

static weir_code request_stop(weir_instance* instance) {
    if (!instance) return WEIR_E_INVALID_ARGUMENT;
    pthread_mutex_lock(&instance->mutex);
    instance->stop_requested = 1;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->mutex);
    return WEIR_OK;
}

static weir_code end_thread(weir_instance* instance, uint64_t timeout_ns) {
    const uint64_t most = 3600ull * 1000000000;
    pthread_mutex_lock(&instance->mutex);
    instance->stop_by = monotonic_ns() + (int64_t)(timeout_ns < most ? timeout_ns : most);
    instance->stopping = 1;
    pthread_cond_broadcast(&instance->changed);
    const int64_t grace_over = instance->stop_by + 500000000;
    while (!instance->ended && monotonic_ns() < grace_over) wait_until(instance, grace_over);
    instance->left_behind = !instance->ended;
    pthread_mutex_unlock(&instance->mutex);
    if (instance->left_behind) {
        pthread_detach(instance->thread);
        return failure(instance, WEIR_E_TIMEOUT, "a callback of the host does not return");
    }
    pthread_join(instance->thread, NULL);
    sleep_ms(instance->config.stop_ms);
    if (instance->points_lost == 0) return WEIR_OK;
    log_line(instance, WEIR_LOG_WARNING, "%llu points were lost", (unsigned long long)instance->points_lost);
    return failure(instance, WEIR_E_TIMEOUT, "points were lost");
}

static weir_code stop(weir_instance* instance, uint64_t timeout_ns) {
    weir_code code = enter(instance, CREATED | RUNNING | PAUSED | STOPPED);
    if (code != WEIR_OK) return code;
    if (instance->state == RUNNING || instance->state == PAUSED) code = end_thread(instance, timeout_ns);
    set_state(instance, STOPPED);
    leave(instance);
    return code;
}

static void destroy(weir_instance* instance) {
    if (!instance) return;
    stop(instance, 2000000000);
    pthread_mutex_lock(&instance->mutex);
    instance->destroyed = 1;
    const int is_last = !instance->left_behind || instance->ended;
    pthread_mutex_unlock(&instance->mutex);
    if (is_last) release(instance);
}

static weir_code last_error(weir_instance* instance, char* buffer, uint64_t capacity, uint64_t* length) {
    if (!instance) return WEIR_E_INVALID_ARGUMENT;
    pthread_mutex_lock(&instance->mutex);
    give_text(instance->error, strlen(instance->error), buffer, capacity, length);
    pthread_mutex_unlock(&instance->mutex);
    return WEIR_OK;
}

/* ---- extensions --------------------------------------------------------------------------------- */

static weir_code http_address(weir_instance* instance, char* buffer, uint64_t capacity, uint64_t* length) {
    if (!instance) return WEIR_E_INVALID_ARGUMENT;
    pthread_mutex_lock(&instance->mutex);
    const int listens = instance->state == RUNNING || instance->state == PAUSED;
    const char* text = listens ? instance->config.http : "";
    give_text(text, strlen(text), buffer, capacity, length);
    pthread_mutex_unlock(&instance->mutex);
    return WEIR_OK;
}

static const void* get_extension(weir_instance* instance, const char* id, uint64_t size) {
    static const weir_ext_http_address address = {sizeof address, 0, http_address};
    (void)instance;
    const int is_http = size == strlen(WEIR_EXT_HTTP_ADDRESS) && memcmp(id, WEIR_EXT_HTTP_ADDRESS, size) == 0;
    return is_http ? &address : NULL;
}

/* ---- the entry ---------------------------------------------------------------------------------- */

const weir_plugin_v1* weir_plugin_entry(uint32_t host_major, uint32_t host_minor) {
    static const weir_plugin_v1 table = {
        .struct_size = sizeof table,
        .abi_major = WEIR_ABI_MAJOR,
        .abi_minor = WEIR_ABI_MINOR,
        .build_id = {"fake", 4},
        .describe = describe,
        .schema = schema,
        .sample = sample,
        .validate = validate,
        .probe = probe,
        .create = create,
        .start = start,
        .reconfigure = reconfigure,
        .pause = pause_collecting,
        .resume = resume,
        .request_stop = request_stop,
        .stop = stop,
        .destroy = destroy,
        .last_error = last_error,
        .get_extension = get_extension,
    };
    (void)host_minor;
    return host_major == WEIR_ABI_MAJOR ? &table : NULL;
}
