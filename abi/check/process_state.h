/* What of a process belongs to the host, and what a plugin could leak: taken and compared. Linux, C11. */
#ifndef WEIR_CHECK_PROCESS_STATE_H
#define WEIR_CHECK_PROCESS_STATE_H

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SIGNAL_COUNT 65

struct process_state {
    /* What must not grow. */
    long threads;
    long descriptors;
    long mappings;
    long resident_kib;
    /* What must not change. */
    struct sigaction actions[SIGNAL_COUNT];
    sigset_t mask; /* of the calling thread */
    char directory[PATH_MAX];
    mode_t umask;
    struct rlimit limits[RLIM_NLIMITS];
    unsigned long environment; /* a hash */
    char locale[256];
};

/* Waits up to a second for threads that have been joined to disappear from /proc. */
void process_state_take(struct process_state* state, long expected_threads);

enum process_aspect {
    ASPECT_SIGNAL_ACTIONS,
    ASPECT_SIGNAL_MASK,
    ASPECT_DIRECTORY,
    ASPECT_UMASK,
    ASPECT_LIMITS,
    ASPECT_ENVIRONMENT,
    ASPECT_LOCALE,
    ASPECT_COUNT
};

/* 1 when that differs; *detail is then the number of the signal or limit, else 0. */
int process_state_differs(const struct process_state* before, const struct process_state* after,
                          enum process_aspect aspect, int* detail);

/* The number of differences in what must not change; each is printed. */
int process_state_compare(const struct process_state* before, const struct process_state* after);

/* 1 when `mask` blocks all signals that can be blocked. */
int blocks_all_signals(const sigset_t* mask);
/* The same of the calling thread. */
int all_signals_blocked(void);

#ifdef __cplusplus
}
#endif

#endif
