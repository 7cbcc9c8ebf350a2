/* What of a process belongs to the host, and what a plugin could leak: taken and compared. Linux, C11. */
#ifndef WEIR_TESTS_PROCESS_STATE_H
#define WEIR_TESTS_PROCESS_STATE_H

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

/* The number of differences in what must not change; each is printed. */
int process_state_compare(const struct process_state* before, const struct process_state* after);

/* 1 when all signals that can be blocked are blocked in the calling thread. */
int all_signals_blocked(void);

#endif
