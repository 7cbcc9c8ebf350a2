/*
 * Plugins that break one promise of weir_abi.h each, for weir-abi-check to find. All are the whole plugin of
 * tests/unit/abi with one thing changed: BROKEN is the number of that thing, one of those below.
 */
#define _GNU_SOURCE

#define weir_plugin_entry whole_plugin_entry
#include "fake_plugin.c"
#undef weir_plugin_entry

#include <fcntl.h>
#include <linux/bpf.h>
#include <locale.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broken_names.h" /* enum: symbols = 1, quiet_load, ...; made by CMake from its list */

#define IS(name) (BROKEN == broken_##name)

static const weir_plugin_v1* whole;
static weir_host_v1 real_host; /* of the last instance; what the instance has calls through this */
static pthread_mutex_t call_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t maker; /* the thread of create() */
static const weir_host_v1* borrowed_host;
static int living;

#if BROKEN == 1
__attribute__((visibility("default"))) void also_exported(void) {}
#endif

__attribute__((constructor)) static void loaded(void) {
    if (IS(quiet_load)) open("/dev/null", O_RDONLY);
}

static void* sleep_for_ever(void* unused) {
    for (;;) sleep_ms(1000);
    return unused;
}

static void one_more_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, sleep_for_ever, NULL);
    pthread_detach(thread);
}

/* ---- what goes to the host ---------------------------------------------------------------------- */

static weir_emit_result emit(weir_host_ctx ctx, int32_t format, const uint8_t* bytes, uint64_t size,
                             uint64_t points) {
    if (IS(points)) points += 1;
    if (IS(points_cut)) size -= 1;
    if (IS(points_format)) format = 3 - format;
    if (IS(protobuf)) size -= 1;
    if (IS(plugin_threads)) {
        sigset_t none;
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
    }
    const int locks = IS(slow_host) || IS(hanging_host) || IS(reentry);
    if (locks) pthread_mutex_lock(&call_lock);
    weir_emit_result result = real_host.emit_points(ctx, format, bytes, size, points);
    if (locks) pthread_mutex_unlock(&call_lock);
    if (IS(busy) && result == WEIR_EMIT_BUSY) result = WEIR_EMIT_OK;
    if (IS(closed) && result == WEIR_EMIT_CLOSED) result = WEIR_EMIT_OK;
    if (IS(busy_doubled) && result == WEIR_EMIT_OK) real_host.emit_points(ctx, format, bytes, size, points);
    if (IS(busy_loop)) {
        while (result == WEIR_EMIT_BUSY) result = real_host.emit_points(ctx, format, bytes, size, points);
    }
    return result;
}

/* ---- without an instance ------------------------------------------------------------------------ */

static weir_code other_describe(weir_static* out) { return give_static("not JSON", out); }

static weir_code changing_describe(weir_static* out) {
    static char texts[2][64];
    static int turn;
    turn = !turn;
    snprintf(texts[turn], sizeof texts[turn],
             "{\"name\":\"x\",\"version\":\"%d\",\"measurements\":[{\"name\":\"m\"}]}", turn);
    return give_static(texts[turn], out);
}

static weir_code other_schema(weir_static* out) { return give_static("[{\"name\":\"colour\"}]", out); }
static weir_code other_sample(weir_static* out) { return give_static("colour = blue\n", out); }

static weir_code other_validate(const weir_borrowed* config, char* buffer, uint64_t capacity,
                                uint64_t* length) {
    if (IS(validate_unprivileged) && geteuid() != 0) return WEIR_E_PRIVILEGE;
    const weir_code code = whole->validate(config, buffer, capacity, length);
    if (IS(validate) && code == WEIR_E_CONFIG) give_text("no", 2, buffer, capacity, length);
    return code;
}

static weir_code other_probe(char* buffer, uint64_t capacity, uint64_t* length) {
    open("/dev/null", O_RDONLY);
    return whole->probe(buffer, capacity, length);
}

/* ---- instances ---------------------------------------------------------------------------------- */

static weir_code refusal_of_create(const weir_host_v1* host) {
    if (IS(larger_host) && host->struct_size != sizeof *host) return WEIR_E_INVALID_ARGUMENT;
    if (IS(instances) && living > 0) return WEIR_E_STATE;
    return WEIR_OK;
}

static void leak(void) {
    if (IS(leak_descriptor)) open("/dev/null", O_RDONLY);
    if (IS(leak_thread)) one_more_thread();
    /* shared ones are not put together by the kernel */
    if (IS(leak_mapping)) mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (IS(leak_memory)) {
        static char* volatile lost; /* or the compiler leaves it all out */
        lost = malloc(1 << 20);
        if (lost) memset(lost, 1, 1 << 20);
    }
}

static weir_code other_create(const weir_host_v1* host, const weir_borrowed* config, weir_instance** out,
                              char* buffer, uint64_t capacity, uint64_t* length) {
    weir_instance* before = out ? *out : NULL;
    if (IS(smaller_host) && host && host->get_extension == NULL) return WEIR_E_INTERNAL;
    if (host && refusal_of_create(host) != WEIR_OK) return refusal_of_create(host);
    const weir_code code = whole->create(host, config, out, buffer, capacity, length);
    if (code != WEIR_OK) {
        if (IS(wrong_arguments) && out) *out = before;
        if (IS(wrong_config)) give_text("no", 2, buffer, capacity, length);
        if (IS(texts) && buffer) buffer[capacity] = '\0';
        return code;
    }
    ++living;
    leak();
    if (IS(quiet_create)) open("/dev/null", O_RDONLY);
    borrowed_host = host;
    maker = pthread_self();
    real_host = (*out)->host;
    (*out)->host.emit_points = emit;
    if (IS(global_tags)) (*out)->host.global_tags = NULL;
    return code;
}

static void change_process(void) {
    sigset_t set;
    struct rlimit limit;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (IS(signal_dispositions)) signal(SIGPIPE, SIG_IGN);
    if (IS(signal_mask)) pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (IS(directory) && chdir("/proc") != 0) abort();
    if (IS(umask)) umask(0);
    if (IS(environment)) setenv("BROKEN", "yes", 1);
    if (IS(locale)) setlocale(LC_ALL, "C.UTF-8");
    if (IS(limits) && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur -= 1;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (IS(no_child) && fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep_for_ever(NULL);
    }
    if (IS(bpf_objects)) {
        union bpf_attr map;
        memset(&map, 0, sizeof map);
        map.map_type = BPF_MAP_TYPE_ARRAY;
        map.key_size = map.value_size = 4;
        map.max_entries = 1;
        syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map);
    }
}

static weir_code other_start(weir_instance* instance) {
    if (IS(moving_host) && !pthread_equal(pthread_self(), maker)) return WEIR_E_INTERNAL;
    if (IS(optional_callbacks)) instance->host.emit_status(instance->host.ctx, 0, "starting", 8);
    if (IS(copied_table)) borrowed_host->log(borrowed_host->ctx, WEIR_LOG_INFO, "starting", 8);
    if (IS(log_lines)) log_line(instance, WEIR_LOG_INFO, "two\nlines");
    const weir_code code = whole->start(instance);
    if ((IS(states) || IS(overlap)) && code == WEIR_E_STATE) return WEIR_OK;
    if (code != WEIR_OK) return code;
    change_process();
    if (IS(signals_blocked) || IS(threads_after_stop)) one_more_thread();
    return code;
}

static weir_code other_pause(weir_instance* instance) {
    if (IS(null_arguments) && instance->state != RUNNING) return WEIR_E_STATE;
    if (IS(pause)) return WEIR_OK;
    if (IS(slow_host)) {
        pthread_mutex_lock(&call_lock);
        pthread_mutex_unlock(&call_lock);
    }
    return whole->pause(instance);
}

static weir_code other_resume(weir_instance* instance) {
    return IS(pause) ? WEIR_OK : whole->resume(instance);
}

static weir_code other_reconfigure(weir_instance* instance, const weir_borrowed* config) {
    const weir_code code = whole->reconfigure(instance, config);
    if (IS(wrong_reconfigure) && code == WEIR_E_CONFIG) instance->config.interval_ms = 3600000;
    return code;
}

static weir_code other_request_stop(weir_instance* instance) {
    return instance ? WEIR_OK : WEIR_E_INVALID_ARGUMENT;
}

static weir_code other_stop(weir_instance* instance, uint64_t timeout_ns) {
    if (IS(stop_when_created) && instance->state == CREATED) return WEIR_E_STATE;
    if (IS(stop_at_once) && timeout_ns == 0 && instance->state == RUNNING) return WEIR_E_TIMEOUT;
    if (IS(stop_when_closed)) sleep_ms(5500);
    if (IS(stop_when_busy)) sleep_ms(3500);
    if (IS(hanging_host)) {
        pthread_mutex_lock(&call_lock);
        pthread_mutex_unlock(&call_lock);
    }
    return whole->stop(instance, timeout_ns);
}

static void other_destroy(weir_instance* instance) {
    if (!instance) return;
    --living;
    if (!IS(destroy_anywhere)) whole->destroy(instance);
}

static weir_code other_last_error(weir_instance* instance, char* buffer, uint64_t capacity,
                                  uint64_t* length) {
    static atomic_int inside;
    if (IS(any_thread)) {
        if (atomic_fetch_add(&inside, 1) > 0) abort();
        sleep_ms(2);
        atomic_fetch_sub(&inside, 1);
    }
    if (IS(reentry)) {
        pthread_mutex_lock(&call_lock);
        pthread_mutex_unlock(&call_lock);
    }
    const weir_code code = whole->last_error(instance, buffer, capacity, length);
    if (IS(last_error)) give_text("", 0, buffer, capacity, length);
    return code;
}

static const void* other_extension(weir_instance* instance, const char* id, uint64_t size) {
    static const weir_ext_metrics empty;
    if (size == strlen(WEIR_EXT_METRICS) && memcmp(id, WEIR_EXT_METRICS, size) == 0) return &empty;
    return whole->get_extension(instance, id, size);
}

/* ---- the entry ---------------------------------------------------------------------------------- */

static void change_table(weir_plugin_v1* table) {
    if (IS(table)) table->resume = NULL;
    if (IS(table_size)) table->struct_size = 8;
    if (IS(describe)) table->describe = other_describe;
    if (IS(describe_twice)) table->describe = changing_describe;
    if (IS(schema)) table->schema = other_schema;
    if (IS(sample)) table->sample = other_sample;
    if (IS(probe)) table->probe = other_probe;
    if (IS(cancelled)) table->request_stop = other_request_stop;
    if (IS(extensions)) table->get_extension = other_extension;
    table->validate = other_validate;
    table->create = other_create;
    table->start = other_start;
    table->pause = other_pause;
    if (!IS(table)) table->resume = other_resume;
    table->reconfigure = other_reconfigure;
    table->stop = other_stop;
    table->destroy = other_destroy;
    table->last_error = other_last_error;
}

__attribute__((visibility("default"))) const weir_plugin_v1* weir_plugin_entry(uint32_t host_major,
                                                                               uint32_t host_minor) {
    static weir_plugin_v1 table;
    if (IS(any_minor) && host_minor > 0) return NULL;
    if (!IS(foreign_major) && host_major != WEIR_ABI_MAJOR) return NULL;
    if (!whole) {
        whole = whole_plugin_entry(WEIR_ABI_MAJOR, host_minor);
        table = *whole;
        change_table(&table);
    }
    return &table;
}
