/*
 * A host in plain C that takes a plugin through its whole life again and again in one process, and checks
 * what weir_abi.h promises: the states, the callbacks, and that nothing is left behind.
 *
 *   c_host PLUGIN CONFIG CYCLES [RUN_MS]
 *
 * The first cycles may leave something (libraries open what they keep), so leaks are counted from then on.
 * Exit code 0 when every check held; each one that did not is printed.
 */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi/check/process_state.h"
#include "weir_abi.h"

#define WARM_UP 3
#define MAPPINGS_TOLERATED 8 /* arenas of the allocator come and go with threads */

static int failures;

#define CHECK(condition, ...)                             \
    do {                                                  \
        if (!(condition)) {                               \
            ++failures;                                   \
            printf("FAILED %s:%d: ", __FILE__, __LINE__); \
            printf(__VA_ARGS__);                          \
            printf(" [%s]\n", #condition);                \
        }                                                 \
    } while (0)

static void sleep_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* ---- callbacks ---------------------------------------------------------------------------------- */

static _Atomic pthread_t control_thread; /* the one that makes control calls at the moment */
static _Atomic weir_host_ctx living;     /* the context of the instance that may call; 0 when none may */
static atomic_ulong batches;
static atomic_ulong points;
static atomic_ulong stray_calls, wrong_format, unmasked_threads, emits_on_control_thread;

static void note_call(weir_host_ctx ctx) { stray_calls += ctx != living; }

static void host_log(weir_host_ctx ctx, int32_t level, const char* text, uint64_t size) {
    note_call(ctx);
    if (level >= WEIR_LOG_WARNING) printf("plugin: %.*s\n", (int)size, text);
}

/* Every third batch is turned away once, so that back-pressure is part of every cycle. */
static weir_emit_result host_emit(weir_host_ctx ctx, int32_t format, const uint8_t* bytes, uint64_t size,
                                  uint64_t point_count) {
    note_call(ctx);
    wrong_format += format != WEIR_FORMAT_LINE_PROTOCOL || size == 0 || bytes[size - 1] != '\n';
    unmasked_threads += !all_signals_blocked();
    emits_on_control_thread += pthread_equal(pthread_self(), control_thread) != 0;
    if (atomic_fetch_add(&batches, 1) % 3 == 2) return WEIR_EMIT_BUSY;
    points += point_count;
    return WEIR_EMIT_OK;
}

static void host_status(weir_host_ctx ctx, weir_code code, const char* text, uint64_t size) {
    note_call(ctx);
    (void)code;
    (void)text;
    (void)size;
}

static int64_t host_now(weir_host_ctx ctx) {
    struct timespec now;
    note_call(ctx);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t host_tags(weir_host_ctx ctx, char* buffer, uint64_t capacity, uint64_t* length) {
    static const char tags[] = "c_host=yes\n";
    const uint64_t size = sizeof tags - 1;
    note_call(ctx);
    if (buffer) memcpy(buffer, tags, size < capacity ? size : capacity);
    if (length) *length = size;
    return 1;
}

static int32_t host_should_stop(weir_host_ctx ctx) {
    note_call(ctx);
    return 0;
}

static const void* host_extension(weir_host_ctx ctx, const char* id, uint64_t size) {
    note_call(ctx);
    (void)id;
    (void)size;
    return NULL;
}

static const weir_host_v1 host_table = {
    .struct_size = sizeof host_table,
    .points_format = WEIR_FORMAT_LINE_PROTOCOL,
    .name = {"c_host", 6},
    .version = {"1", 1},
    .log = host_log,
    .emit_points = host_emit,
    .emit_status = host_status,
    .now_ns = host_now,
    .global_tags = host_tags,
    .should_stop = host_should_stop,
    .get_extension = host_extension,
};

/* ---- one life ----------------------------------------------------------------------------------- */

static const weir_plugin_v1* plugin;
static weir_borrowed config;
static long run_ms = 50;

static void print_last_error(weir_instance* instance) {
    char text[1024];
    uint64_t length = 0;
    plugin->last_error(instance, text, sizeof text, &length);
    printf("  %.*s\n", (int)(length < sizeof text ? length : sizeof text), text);
}

enum call { START = 1, RECONFIGURE = 2, PAUSE = 4, RESUME = 8 };

/* Each of these calls must be refused in the state at hand, and must leave it as it is. */
static void check_illegal(weir_instance* instance, unsigned calls, const char* state) {
    if (calls & START) CHECK(plugin->start(instance) == WEIR_E_STATE, "start when %s", state);
    if (calls & RECONFIGURE) {
        CHECK(plugin->reconfigure(instance, &config) == WEIR_E_STATE, "reconfigure when %s", state);
    }
    if (calls & PAUSE) CHECK(plugin->pause(instance) == WEIR_E_STATE, "pause when %s", state);
    if (calls & RESUME) CHECK(plugin->resume(instance) == WEIR_E_STATE, "resume when %s", state);
    uint64_t length = 0;
    CHECK(plugin->last_error(instance, NULL, 0, &length) == WEIR_OK && length > 0, "no last error when %s",
          state);
}

static void check_pause(weir_instance* instance) {
    CHECK(plugin->pause(instance) == WEIR_OK, "pause");
    check_illegal(instance, START | PAUSE, "paused");
    sleep_ms(20); /* for a call that was under way */
    const unsigned long before = batches;
    sleep_ms(run_ms);
    CHECK(batches == before, "%lu batches came from a paused instance", batches - before);
    CHECK(plugin->resume(instance) == WEIR_OK, "resume");
}

static void check_stop(weir_instance* instance) {
    CHECK(plugin->request_stop(instance) == WEIR_OK, "request_stop");
    const weir_code code = plugin->stop(instance, UINT64_C(5000000000));
    living = 0;
    CHECK(code == WEIR_OK, "stop answers %d", code);
    if (code != WEIR_OK) print_last_error(instance);
    check_illegal(instance, START | RECONFIGURE | PAUSE | RESUME, "stopped");
    CHECK(plugin->stop(instance, 0) == WEIR_OK, "stop when stopped");
}

/* The end of a life; in every other cycle on another thread, because a host's threads may change. */
static void* end_life(void* instance) {
    check_stop(instance);
    plugin->destroy(instance);
    return NULL;
}

static weir_instance* create(void) {
    weir_instance* instance = NULL;
    char error[4096];
    uint64_t length = 0;
    static weir_host_ctx lives;
    weir_host_v1 host = host_table;
    host.ctx = living = ++lives;
    const weir_code code = plugin->create(&host, &config, &instance, error, sizeof error, &length);
    if (code == WEIR_OK && instance) return instance;
    printf("create answers %d: %.*s\n", code, (int)(length < sizeof error ? length : sizeof error), error);
    exit(1);
}

static void live(int number) {
    control_thread = pthread_self();
    weir_instance* instance = create();
    check_illegal(instance, PAUSE | RESUME, "created");
    if (plugin->start(instance) != WEIR_OK) {
        printf("start failed:\n");
        print_last_error(instance);
        exit(1);
    }
    check_illegal(instance, START | RESUME, "running");
    sleep_ms(run_ms);
    check_pause(instance);
    CHECK(plugin->reconfigure(instance, &config) == WEIR_OK, "reconfigure with the same text");
    if (number % 2 == 0) {
        end_life(instance);
        return;
    }
    pthread_t other;
    pthread_create(&other, NULL, end_life, instance);
    pthread_join(other, NULL);
}

/* Lives that are cut short: destroy() is legal from any state. */
static void live_briefly(void) {
    control_thread = pthread_self();
    plugin->destroy(create());
    living = 0;
    weir_instance* instance = create();
    CHECK(plugin->stop(instance, 0) == WEIR_OK, "stop when created");
    check_illegal(instance, START, "stopped");
    plugin->destroy(instance);
    instance = create();
    CHECK(plugin->start(instance) == WEIR_OK, "start");
    plugin->destroy(instance);
    living = 0;
}

static void check_nulls(void) {
    CHECK(plugin->start(NULL) == WEIR_E_INVALID_ARGUMENT, "start(NULL)");
    CHECK(plugin->request_stop(NULL) == WEIR_E_INVALID_ARGUMENT, "request_stop(NULL)");
    CHECK(plugin->stop(NULL, 0) == WEIR_E_INVALID_ARGUMENT, "stop(NULL)");
    CHECK(plugin->last_error(NULL, NULL, 0, NULL) == WEIR_E_INVALID_ARGUMENT, "last_error(NULL)");
    CHECK(plugin->describe(NULL) == WEIR_E_INVALID_ARGUMENT, "describe(NULL)");
    CHECK(plugin->validate(NULL, NULL, 0, NULL) == WEIR_E_INVALID_ARGUMENT, "validate(NULL)");
    weir_instance* instance = (weir_instance*)&failures;
    CHECK(plugin->create(NULL, &config, &instance, NULL, 0, NULL) == WEIR_E_INVALID_ARGUMENT, "create(NULL)");
    CHECK(instance == NULL, "a failed create leaves an instance");
    CHECK(plugin->get_extension(NULL, "no such", 7) == NULL, "an unknown extension");
    plugin->destroy(NULL);
}

/* ---- the process -------------------------------------------------------------------------------- */

static void print_state(const char* when, const struct process_state* state) {
    printf("%-14s threads %ld, descriptors %ld, mappings %ld, resident %ld KiB\n", when, state->threads,
           state->descriptors, state->mappings, state->resident_kib);
}

static void check_leaks(const struct process_state* first, const struct process_state* warm,
                        const struct process_state* last) {
#if defined(__SANITIZE_THREAD__)
    (void)first, (void)warm, (void)last;
    printf("threads, descriptors and mappings are not compared: ThreadSanitizer has some of its own\n");
#else
    CHECK(last->threads == first->threads, "threads were left");
    CHECK(last->descriptors == warm->descriptors, "descriptors were left");
#if defined(__SANITIZE_ADDRESS__)
    printf("mappings are not compared: AddressSanitizer keeps what was freed; LeakSanitizer looks for leaks\n");
#else
    CHECK(last->mappings <= warm->mappings + MAPPINGS_TOLERATED, "mappings were left");
#endif
#endif
}

static void check_callbacks(void) {
    CHECK(points > 0, "no points came at all");
    CHECK(stray_calls == 0, "%lu calls from an instance that was stopped", stray_calls);
    CHECK(wrong_format == 0, "%lu batches that are no lines", wrong_format);
    CHECK(unmasked_threads == 0, "%lu batches from a thread that does not block all signals",
          unmasked_threads);
    CHECK(emits_on_control_thread == 0, "%lu batches on the thread of a control call",
          emits_on_control_thread);
}

static char* read_text(const char* path, size_t* size) {
    static char text[1 << 20];
    FILE* file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(1);
    }
    *size = fread(text, 1, sizeof text, file);
    fclose(file);
    return text;
}

static const weir_plugin_v1* load(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    weir_plugin_entry_fn entry = NULL;
    if (handle) *(void**)(void*)&entry = dlsym(handle, WEIR_PLUGIN_ENTRY_NAME);
    if (!entry) {
        printf("%s\n", dlerror());
        exit(1);
    }
    CHECK(entry(WEIR_ABI_MAJOR + 1, 0) == NULL, "a foreign major version gets a table");
    const weir_plugin_v1* table = entry(WEIR_ABI_MAJOR, WEIR_ABI_MINOR);
    if (!table || table->struct_size < sizeof *table || table->abi_major != WEIR_ABI_MAJOR) {
        printf("no table of version %u\n", WEIR_ABI_MAJOR);
        exit(1);
    }
    return table;
}

int main(int count, char** arguments) {
    static struct process_state first, warm, last;
    if (count < 4 || count > 5 || atoi(arguments[3]) < 2 * WARM_UP) {
        fprintf(stderr, "usage: c_host PLUGIN CONFIG CYCLES [RUN_MS], at least %d cycles\n", 2 * WARM_UP);
        return 2;
    }
    const int cycles = atoi(arguments[3]);
    if (count == 5) run_ms = atol(arguments[4]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    size_t size = 0;
    config.data = read_text(arguments[2], &size);
    config.size = size;
    process_state_take(&first, 1);
    plugin = load(arguments[1]);

    check_nulls();
    for (int number = 0; number < cycles; ++number) {
        if (number == WARM_UP) process_state_take(&warm, 1);
        live(number);
        live_briefly();
    }
    process_state_take(&last, 1);

    print_state("at first", &first);
    print_state("after warm-up", &warm);
    print_state("at last", &last);
    check_leaks(&first, &warm, &last);
    CHECK(process_state_compare(&first, &last) == 0, "the process was changed");
    check_callbacks();
    printf("%d cycles, %lu batches, %lu points, %d failures\n", cycles, batches, points, failures);
    return failures ? 1 : 0;
}
