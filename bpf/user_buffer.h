/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the bytes of a send or receive lie in user memory.
 *
 * The tracepoints carry a socket and a length, not the data. But they fire inside the
 * system call, and its number and arguments are still in the task's saved registers.
 * Calls without a user buffer (sendfile, splice), those made for the task by someone else
 * (io_uring), those of 32-bit programs, and sendmmsg and recvmmsg with several messages,
 * which do not say which of them it is, cannot be read: their bytes can be passed over.
 *
 * The number alone tells: none of a 32-bit call that moves a socket's bytes is among these. The
 * kernel's own threads have no registers, only zeros: a read to no address.
 */
#ifndef WEIR_USER_BUFFER_H
#define WEIR_USER_BUFFER_H

#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* System call numbers of 64-bit programs, x86. */
enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_SENDFILE = 40,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
	NR_RECVMMSG = 299,
	NR_SENDMMSG = 307,
};

/* Whether current is in a call that sends on the socket that it has locked. */
static __always_inline bool is_sending(const struct sock *sk)
{
	struct pt_regs *regs;

	if (!sk->sk_lock.owned)
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	switch (regs->orig_ax) {
	case NR_WRITE:
	case NR_WRITEV:
	case NR_SENDTO:
	case NR_SENDMSG:
	case NR_SENDMMSG:
	case NR_SENDFILE:
		return true;
	}
	return false;
}

/* What is left of a call's bytes. */
struct user_bytes {
	const char *base;
	__u32 here;    /* bytes that lie together at base, at most left */
	__u32 left;    /* bytes of the whole call */
	__u32 vectors; /* that come after this one */
	__u32 readable;
	const void *next; /* where the next vector is described */
};

/* Goes on to the next vector. False when there is none. */
static __always_inline bool user_bytes_next(struct user_bytes *bytes)
{
	struct user_iovec vector;

	if (!bytes->vectors || bpf_probe_read_user(&vector, sizeof(vector), bytes->next))
		return false;
	bytes->vectors--;
	bytes->next = (const char *)bytes->next + sizeof(vector);
	bytes->base = vector.base;
	bytes->here = vector.len < bytes->left ? vector.len : bytes->left;
	return true;
}

static __always_inline void user_bytes_advance(struct user_bytes *bytes, __u32 n)
{
	bytes->base += n;
	bytes->here -= n;
	bytes->left -= n;
}

static __always_inline bool user_bytes_of_message(const void *message, struct user_bytes *out)
{
	struct user_msghdr msg;

	if (bpf_probe_read_user(&msg, sizeof(msg), message))
		return false;
	out->next = msg.iov;
	out->vectors = msg.iovlen;
	return user_bytes_next(out);
}

/* The bytes of the call that current is in, which moved len bytes. Unreadable ones lie
 * together at no address. */
static __always_inline void find_user_bytes(__u32 len, struct user_bytes *out)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	out->base = (const char *)regs->si;
	out->here = len;
	out->left = len;
	out->vectors = 0;
	out->next = NULL;
	out->readable = 1;
	switch (regs->orig_ax) {
	case NR_READ:
	case NR_WRITE:
	case NR_SENDTO:
	case NR_RECVFROM:
		return;
	case NR_READV:
	case NR_WRITEV:
		out->next = (const void *)regs->si;
		out->vectors = regs->dx;
		if (user_bytes_next(out))
			return;
		break;
	case NR_SENDMMSG:
	case NR_RECVMMSG:
		if (regs->dx != 1)
			break;
		/* fallthrough */
	case NR_SENDMSG:
	case NR_RECVMSG:
		if (user_bytes_of_message((const void *)regs->si, out))
			return;
		break;
	}
	out->here = len;
	out->vectors = 0;
	out->readable = 0;
}

/*
 * Where the bytes of the call begin that the task, which is current, is in, for the calls that most programs make.
 * `here` is how many the call moved, and then how many of those lie together. NULL when find_user_bytes() must be
 * asked.
 */
static __always_inline const char *first_user_bytes(struct task_struct *task, __u32 *here)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct user_iovec vector;
	__u64 nr = regs->orig_ax;

	if (nr == NR_READ || nr == NR_WRITE || nr == NR_SENDTO || nr == NR_RECVFROM)
		return (const char *)regs->si;
	if ((nr != NR_WRITEV && nr != NR_READV) || bpf_probe_read_user(&vector, sizeof(vector), (const void *)regs->si))
		return NULL;
	if (vector.len < *here)
		*here = vector.len;
	return vector.base;
}

#endif /* WEIR_USER_BUFFER_H */
