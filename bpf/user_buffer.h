/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the bytes of a send or receive lie in user memory.
 *
 * The tracepoints carry a socket and a length, not the data. But they fire inside the
 * system call, and its number and arguments are still in the task's saved registers.
 * Calls without a user buffer (sendfile, splice) and those made for the task by someone
 * else (io_uring's workers) have none: 0.
 */
#ifndef WEIR_USER_BUFFER_H
#define WEIR_USER_BUFFER_H

#include "kernel_types.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* x86-64 system call numbers. */
enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
};

struct user_buffer {
	const void *base;
	__u32 len; /* bytes that lie together at base */
};

static __always_inline bool first_of_iovec(const void *iov, __u32 len, struct user_buffer *out)
{
	struct user_iovec first;

	if (bpf_probe_read_user(&first, sizeof(first), iov))
		return false;
	out->base = first.base;
	out->len = first.len < len ? first.len : len;
	return true;
}

/* The first bytes of the call that current is in, which moved len bytes. */
static __always_inline bool find_user_buffer(__u32 len, struct user_buffer *out)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct user_msghdr msg;

	if (regs->cs != USER_CS_64)
		return false;
	switch (regs->orig_ax) {
	case NR_READ:
	case NR_WRITE:
	case NR_SENDTO:
	case NR_RECVFROM:
		out->base = (const void *)regs->si;
		out->len = len;
		return true;
	case NR_READV:
	case NR_WRITEV:
		return first_of_iovec((const void *)regs->si, len, out);
	case NR_SENDMSG:
	case NR_RECVMSG:
		if (bpf_probe_read_user(&msg, sizeof(msg), (const void *)regs->si))
			return false;
		return first_of_iovec(msg.iov, len, out);
	}
	return false;
}

#endif /* WEIR_USER_BUFFER_H */
