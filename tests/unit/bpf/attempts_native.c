/* The helpers are pointers in libbpf's headers; native_attempts_reset() sets them to the functions below. */
#include "tests/unit/bpf/attempts_native.h"

#include "bpf/attempts.h"

#include <string.h>

_Static_assert(NATIVE_ATTEMPT_WAYS == ATTEMPT_WAYS, "as the kernel side has it");

enum { FAILED_MAX = 16 };

static struct weir_attempt notes[WEIR_ATTEMPTS];
static __u64 unnoted;
__u64 ticks;
static __u16 failed[FAILED_MAX];
static int failed_count;
static struct kernfs_node node;
static struct cgroup group = {.kn = &node};
static struct css_set groups = {.dfl_cgrp = &group};
static struct task_struct task = {.group_leader = &task, .cgroups = &groups};
static struct net net;
static struct sock connecting = {.__sk_common.skc_net.net = &net};

static int attempt_failed(const struct weir_attempt *attempt)
{
	if (failed_count < FAILED_MAX)
		failed[failed_count++] = attempt->id.remote_port;
	return 0;
}

static void *lookup(void *map, const void *key)
{
	__u32 at = *(const __u32 *)key;

	if (map == &stats)
		return at == WEIR_STAT_ATTEMPT_UNNOTED ? &unnoted : NULL;
	return at < WEIR_ATTEMPTS ? &notes[at] : NULL;
}

static struct task_struct *current_task(void) { return &task; }
static struct tcp_sock *tcp_sock_of(void *sk) { return (struct tcp_sock *)&connecting; }

void native_attempts_reset(void)
{
	bpf_map_lookup_elem = lookup;
	bpf_get_current_task_btf = current_task;
	bpf_skc_to_tcp_sock = tcp_sock_of;
	memset(notes, 0, sizeof(notes));
	unnoted = 0;
	failed_count = 0;
	ticks = WEIR_TICK_FIRST;
}

void native_attempts_pass(uint64_t n) { ticks += n; }

void native_attempt_begin(int thread, uint64_t sock, uint16_t port)
{
	struct bpf_sock sk = {};
	struct weir_attempt *attempt;

	task.pid = task.tgid = thread;
	attempt = attempt_begin(&sk);
	if (!attempt)
		return;
	attempt->sk = sock;
	attempt->id.remote_port = port;
	attempt_noted(attempt);
}

void native_attempt_sent(int thread, uint64_t sock)
{
	attempt_is_sent((const struct sock *)sock, thread);
}

struct weir_attempt *native_attempt_at(int thread) { return &notes[thread % WEIR_ATTEMPTS]; }

int native_attempts_failed(uint16_t *ports, int most)
{
	int n = failed_count < most ? failed_count : most;

	memcpy(ports, failed, n * sizeof(*ports));
	failed_count = 0;
	return n;
}

uint64_t native_attempts_unnoted(void) { return unnoted; }
