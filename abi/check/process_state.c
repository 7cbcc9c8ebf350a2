#define _POSIX_C_SOURCE 200809L

#include "process_state.h"

#include <dirent.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static long count_entries(const char* path) {
    DIR* directory = opendir(path);
    long count = 0;
    if (!directory) return -1;
    for (struct dirent* entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static long count_lines(const char* path) {
    FILE* file = fopen(path, "r");
    long count = 0;
    if (!file) return -1;
    for (int c; (c = fgetc(file)) != EOF;) count += c == '\n';
    fclose(file);
    return count;
}

static long read_resident_kib(void) {
    FILE* file = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;
    if (!file) return -1;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmRSS: %ld", &value) != 1) {
    }
    fclose(file);
    return value;
}

static unsigned long hash_environment(void) {
    unsigned long hash = 5381;
    for (char** entry = environ; *entry; ++entry) {
        for (const char* c = *entry; *c; ++c) hash = hash * 33 + (unsigned char)*c;
        hash = hash * 33 + '\n';
    }
    return hash;
}

static long settled_threads(long expected) {
    const struct timespec moment = {0, 10000000};
    long count = count_entries("/proc/self/task");
    for (int tries = 0; count > expected && tries < 100; ++tries) {
        nanosleep(&moment, NULL);
        count = count_entries("/proc/self/task");
    }
    return count;
}

void process_state_take(struct process_state* state, long expected_threads) {
    memset(state, 0, sizeof *state);
    state->threads = settled_threads(expected_threads);
    state->descriptors = count_entries("/proc/self/fd") - 1; /* without the one that reads the directory */
    state->mappings = count_lines("/proc/self/maps");
    state->resident_kib = read_resident_kib();
    for (int signal = 1; signal < SIGNAL_COUNT; ++signal) sigaction(signal, NULL, &state->actions[signal]);
    pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
    if (!getcwd(state->directory, sizeof state->directory)) state->directory[0] = '\0';
    state->umask = umask(0);
    umask(state->umask);
    for (int limit = 0; limit < RLIM_NLIMITS; ++limit) {
        getrlimit((__rlimit_resource_t)limit, &state->limits[limit]);
    }
    state->environment = hash_environment();
    snprintf(state->locale, sizeof state->locale, "%s", setlocale(LC_ALL, NULL));
}

/* Signals 32 and 33 are the C library's own. */
static int is_ours(int signal) { return signal != 32 && signal != 33; }

static int first_other_action(const struct process_state* before, const struct process_state* after) {
    for (int signal = 1; signal < SIGNAL_COUNT; ++signal) {
        const struct sigaction* a = &before->actions[signal];
        const struct sigaction* b = &after->actions[signal];
        const int differs = a->sa_handler != b->sa_handler || a->sa_flags != b->sa_flags;
        if (is_ours(signal) && differs) return signal;
    }
    return 0;
}

static int first_other_in_mask(const struct process_state* before, const struct process_state* after) {
    for (int signal = 1; signal < SIGNAL_COUNT; ++signal) {
        const int differs = sigismember(&before->mask, signal) != sigismember(&after->mask, signal);
        if (is_ours(signal) && differs) return signal;
    }
    return 0;
}

/* -1 when all are the same: limit 0 exists. */
static int first_other_limit(const struct process_state* before, const struct process_state* after) {
    for (int limit = 0; limit < RLIM_NLIMITS; ++limit) {
        const struct rlimit* a = &before->limits[limit];
        const struct rlimit* b = &after->limits[limit];
        if (a->rlim_cur != b->rlim_cur || a->rlim_max != b->rlim_max) return limit;
    }
    return -1;
}

int process_state_differs(const struct process_state* before, const struct process_state* after,
                          enum process_aspect aspect, int* detail) {
    *detail = 0;
    switch (aspect) {
        case ASPECT_SIGNAL_ACTIONS: return (*detail = first_other_action(before, after)) != 0;
        case ASPECT_SIGNAL_MASK: return (*detail = first_other_in_mask(before, after)) != 0;
        case ASPECT_LIMITS: return (*detail = first_other_limit(before, after)) >= 0;
        case ASPECT_DIRECTORY: return strcmp(before->directory, after->directory) != 0;
        case ASPECT_UMASK: return before->umask != after->umask;
        case ASPECT_ENVIRONMENT: return before->environment != after->environment;
        case ASPECT_LOCALE: return strcmp(before->locale, after->locale) != 0;
        case ASPECT_COUNT: break;
    }
    return 0;
}

int process_state_compare(const struct process_state* before, const struct process_state* after) {
    static const char* const names[ASPECT_COUNT] = {"the disposition of a signal",
                                                    "the mask of a signal",
                                                    "the working directory",
                                                    "the umask",
                                                    "a resource limit",
                                                    "the environment",
                                                    "the locale"};
    int count = 0;
    for (int aspect = 0; aspect < ASPECT_COUNT; ++aspect) {
        int detail = 0;
        if (!process_state_differs(before, after, (enum process_aspect)aspect, &detail)) continue;
        printf("CHANGED: %s (%d)\n", names[aspect], detail);
        ++count;
    }
    return count;
}

int blocks_all_signals(const sigset_t* mask) {
    for (int signal = 1; signal < SIGNAL_COUNT; ++signal) {
        const int blockable = signal != SIGKILL && signal != SIGSTOP && is_ours(signal);
        if (blockable && sigismember(mask, signal) != 1) return 0;
    }
    return 1;
}

int all_signals_blocked(void) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return blocks_all_signals(&mask);
}
