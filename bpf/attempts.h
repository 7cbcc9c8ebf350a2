/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connects that fail before there is a SYN, most often for want of a route.
 *
 * Nothing in the kernel says so: the socket never changes its state, and no tracepoint fires. So each attempt is noted
 * before it begins (cgroup/connect4, connect6) and the note is taken back when the socket's state says that a SYN
 * follows. What stays has failed.
 *
 * A note belongs to the thread, which is in one connect at a time: its next attempt says that the one before has come
 * to nothing, whatever became of that socket. Where none follows, age says it. A thread may be put off between the
 * two, but not for as long as WEIR_ATTEMPT_OLD; then whoever needs the room reports it, or user space's sweep.
 *
 * `since` says whose a note is, and moves only by compare-and-exchange: who has claimed a note owns all of it.
 */
#ifndef WEIR_ATTEMPTS_H
#define WEIR_ATTEMPTS_H

#include "conn.h"

/* Notes that a thread's may be, from the one that its number leads to. */
#define ATTEMPT_WAYS 4

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_ATTEMPTS);
	__type(key, __u32);
	__type(value, struct weir_attempt);
} attempts SEC(".maps") __weak;

/* tcp.bpf.c says what it is. */
extern __u64 ticks;

static __noinline int attempt_failed(const struct weir_attempt *attempt);

static __always_inline struct weir_attempt *attempt_at(__u32 thread, __u32 way)
{
	__u32 at = (thread + way) % WEIR_ATTEMPTS;

	return bpf_map_lookup_elem(&attempts, &at);
}

/* A note for the thread to write: a free one, its own last one, or one that is old. What stood there is reported. */
static __always_inline struct weir_attempt *attempt_claim(__u32 thread)
{
	for (__u32 way = 0; way < ATTEMPT_WAYS; way++) {
		struct weir_attempt *attempt = attempt_at(thread, way);
		__u64 since;

		if (!attempt)
			return NULL;
		since = *(const volatile __u64 *)&attempt->since;
		if (since == WEIR_ATTEMPT_CLAIMED)
			continue;
		if (since && attempt->thread != thread && ticks - since < WEIR_ATTEMPT_OLD)
			continue;
		if (__sync_val_compare_and_swap(&attempt->since, since, WEIR_ATTEMPT_CLAIMED) != since)
			continue;
		if (since)
			attempt_failed(attempt);
		return attempt;
	}
	stat_add(WEIR_STAT_ATTEMPT_UNNOTED, 1);
	return NULL;
}

/* All but the addresses and the peer's port, which the caller adds. */
static __always_inline struct weir_attempt *attempt_begin(struct bpf_sock *sk)
{
	const struct sock *from = (const struct sock *)bpf_skc_to_tcp_sock(sk);
	struct task_struct *task = bpf_get_current_task_btf();
	struct weir_attempt *attempt = from ? attempt_claim(task->pid) : NULL;

	if (!attempt)
		return NULL;
	attempt->sk = (__u64)from;
	attempt->thread = task->pid;
	if (task->flags & PF_KTHREAD)
		__builtin_memset(&attempt->id, 0, sizeof(attempt->id));
	else
		id_set_owner(&attempt->id, task);
	attempt->id.netns = from->__sk_common.skc_net.net->ns.inum;
	attempt->id.local_port = sk->src_port;
	attempt->id.transport = IPPROTO_TCP;
	attempt->id.direction = WEIR_OUTGOING;
	return attempt;
}

static __always_inline void attempt_noted(struct weir_attempt *attempt)
{
	__sync_lock_test_and_set(&attempt->since, ticks);
}

/* A SYN follows. */
static __always_inline void attempt_is_sent(const struct sock *sk, __u32 thread)
{
	for (__u32 way = 0; way < ATTEMPT_WAYS; way++) {
		struct weir_attempt *attempt = attempt_at(thread, way);
		__u64 since;

		if (!attempt)
			return;
		since = *(const volatile __u64 *)&attempt->since;
		if (since <= WEIR_ATTEMPT_CLAIMED || attempt->thread != thread || attempt->sk != (__u64)sk)
			continue;
		__sync_val_compare_and_swap(&attempt->since, since, 0);
		return;
	}
}

#endif /* WEIR_ATTEMPTS_H */
