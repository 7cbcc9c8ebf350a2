/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS messages, carried to user space as they go through sockets with port 53 at either end.
 *
 * There are few of them, so they are not looked into here. A resolver often hands over its two
 * questions (A and AAAA) in one call of sendmmsg; the tracepoint fires once for each message of
 * such a call, in order, so a count for each thread tells which one it is.
 */
#ifndef WEIR_DNS_H
#define WEIR_DNS_H

#include "conn.h"
#include "user_buffer.h"

#define DNS_PORT 53
#define DNS_MAX_PIECES 4 /* of a message in user memory */

/* As the system call has it; user_msghdr is only its begin. */
struct user_mmsghdr {
	struct user_msghdr header;
	void *control;
	unsigned long control_len;
	int flags;
	int pad;
	unsigned int len;
	unsigned int pad_end;
};
WEIR_ASSERT(sizeof(struct user_mmsghdr) == 64);

/* Room for one more piece than a record holds, so that any piece may begin anywhere in it. */
struct dns_scratch {
	struct weir_dns_record record;
	__u8 beyond[WEIR_DNS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_scratch);
} dns_scratch SEC(".maps") __weak;

struct mmsg_progress {
	__u64 vector;
	__u32 next;
	__u32 reserved;
};

/* By thread: how far the call of sendmmsg or recvmmsg has come that it is in. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct mmsg_progress);
} mmsg_calls SEC(".maps") __weak;

static __always_inline bool is_dns(const struct weir_conn_id *id)
{
	return follow_dns && (id->local_port == DNS_PORT || id->remote_port == DNS_PORT);
}

/* The calls of this thread begin anew. */
static __always_inline void dns_call_failed(void)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct mmsg_progress *progress = bpf_map_lookup_elem(&mmsg_calls, &thread);

	if (progress)
		progress->next = 0;
}

/* Which message of its vector the thread's call is at. */
static __always_inline __u32 mmsg_index(__u64 vector, __u32 count)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid(), index = 0;
	struct mmsg_progress *progress = bpf_map_lookup_elem(&mmsg_calls, &thread);
	struct mmsg_progress fresh = {.vector = vector, .next = 1};

	if (progress && progress->vector == vector && progress->next < count) {
		index = progress->next;
		progress->next = index + 1;
	} else if (progress) {
		*progress = fresh;
	} else {
		bpf_map_update_elem(&mmsg_calls, &thread, &fresh, BPF_ANY);
	}
	return index;
}

/* The header of the message that the call of current is at, or one with the pieces that a call without has. */
static __always_inline bool find_user_message(struct user_msghdr *out)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u64 at = regs->si;

	switch (regs->orig_ax) {
	case NR_READV:
	case NR_WRITEV:
		out->iov = (struct user_iovec *)at;
		out->iovlen = regs->dx;
		return true;
	case NR_SENDMSG:
	case NR_RECVMSG:
		break;
	case NR_SENDMMSG:
	case NR_RECVMMSG:
		at += sizeof(struct user_mmsghdr) * mmsg_index(at, (__u32)regs->dx);
		break;
	default:
		return false;
	}
	return bpf_probe_read_user(out, sizeof(*out), (const void *)at) == 0;
}

/* Copies len bytes that lie in pieces; how many there are now. */
static __always_inline __u32 copy_pieces(struct dns_scratch *scratch, const struct user_iovec *pieces, __u64 count,
					 __u32 len)
{
	__u32 at = 0;

	for (int i = 0; i < DNS_MAX_PIECES; i++) {
		struct user_iovec piece;
		__u32 n;

		barrier_var(at); /* or its bound is checked on a copy the verifier cannot relate */
		if ((__u64)i >= count || at >= len || at >= WEIR_DNS_MAX)
			break;
		if (bpf_probe_read_user(&piece, sizeof(piece), pieces + i))
			break;
		n = piece.len < len - at ? piece.len : len - at;
		if (n > WEIR_DNS_MAX)
			n = WEIR_DNS_MAX;
		if (bpf_probe_read_user(scratch->record.data + at, n, piece.base))
			break;
		at += n;
	}
	return at;
}

/* Copies the message's bytes from user memory; how many. */
static __always_inline __u32 dns_copy(struct dns_scratch *scratch, __u32 len)
{
	struct user_bytes whole;
	struct user_msghdr message;
	__u32 n;

	if (find_user_message(&message))
		return copy_pieces(scratch, message.iov, message.iovlen, len);
	find_user_bytes(len, &whole);
	if (!whole.readable)
		return 0;
	n = whole.here < WEIR_DNS_MAX ? whole.here : WEIR_DNS_MAX;
	return bpf_probe_read_user(scratch->record.data, n, whole.base) ? 0 : n;
}

/* Current has sent or received len bytes on a socket of DNS. Its stack is its own: callers use much of theirs. */
static __noinline int dns_capture(const struct weir_conn_id *id, __u32 len, bool rx)
{
	__u32 zero = 0, n;
	struct dns_scratch *scratch = bpf_map_lookup_elem(&dns_scratch, &zero);

	if (!scratch || !len)
		return 0;
	n = dns_copy(scratch, len);
	if (!n) {
		stat_add(WEIR_STAT_DNS_UNREADABLE, 1);
		return 0;
	}
	if (n > WEIR_DNS_MAX)
		n = WEIR_DNS_MAX;
	scratch->record.kind = WEIR_RECORD_DNS;
	scratch->record.len = n;
	scratch->record.flags = (rx ? 0 : WEIR_DNS_SENT) | (n < len ? WEIR_DNS_TRUNCATED : 0);
	scratch->record.reserved = 0;
	scratch->record.time = bpf_ktime_get_boot_ns();
	scratch->record.id = *id;
	n += offsetof(struct weir_dns_record, data);
	if (bpf_ringbuf_output(&ring, &scratch->record, n, ring_flags(n)))
		stat_add(WEIR_STAT_RING_FULL_DNS, 1);
	return 0;
}

#endif /* WEIR_DNS_H */
