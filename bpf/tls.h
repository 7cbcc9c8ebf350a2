/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS as a program's library calls show it.
 *
 * Plaintext is seen where the program hands it to its TLS library or gets it from there, which
 * says nothing of the socket. The socket is the one that the library sends or receives on
 * inside of that call. A library that is given memory instead of a socket is read from right
 * after its thread received what it reads, and its thread sends right after it wrote: the
 * connection object of such a call and the socket of such a send or receive are a pair. What
 * goes through before one of these is known waits; it is never given to another socket.
 *
 * HTTP's state belongs to the library's connection object: programs on user space calls cannot
 * reach socket storage.
 */
#ifndef WEIR_TLS_H
#define WEIR_TLS_H

#include "http_machine.h"

struct tls_key {
	__u64 ssl; /* address of the library's connection object */
	__u64 tgid;
};

enum tls_tie {
	TIE_NONE = 0,
	TIE_PAIR = 1, /* by what its thread did before or after a call */
	TIE_CALL = 2, /* the library itself used the socket */
};

struct tls_conn {
	struct http_state http;
	struct weir_http_record record; /* its id is the socket's; all zero before that is known */
	__u64 socket;			/* address, never followed */
	__u64 tie;			/* enum tls_tie */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct tls_key);
	__type(value, struct tls_conn);
} tls_conns SEC(".maps") __weak;

/* What a thread that calls a TLS library is at. */
struct tls_task {
	struct tls_key key; /* of the call that it is in, ssl 0 = none */
	const char *buffer;
	const __u64 *moved; /* where the call says how much it moved, if not in its result */
	__u64 time;	    /* of the call's begin */
	__u64 sent, got;    /* bytes of ciphertext in that call */
	__u64 wrote;	    /* connection object of its last write, 0 once something was sent or received */
	__u64 received;	    /* sockets that it received from since its last read, 2 = several */
	/* the socket of ciphertext that it used last */
	__u64 socket;
	struct weir_conn_id id;
	__u64 established_at;
	struct socket_evidence evidence;
	struct scratch scratch;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tls_task);
} tls_tasks SEC(".maps") __weak;

/* Sends of ciphertext on a socket without a known library, more than handshakes need. */
#define UNKNOWN_SENDS 6

/* Processes that were reported for such a socket. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u8);
} tls_unknown SEC(".maps") __weak;

/* Never written: what a new entry is made of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tls_conn);
} tls_fresh SEC(".maps") __weak;

static __always_inline struct tls_conn *tls_find(const struct tls_key *key)
{
	struct tls_conn *tls = bpf_map_lookup_elem(&tls_conns, key);
	__u32 zero = 0;
	void *fresh;

	if (tls)
		return tls;
	fresh = bpf_map_lookup_elem(&tls_fresh, &zero);
	if (!fresh)
		return NULL;
	if (bpf_map_update_elem(&tls_conns, key, fresh, BPF_NOEXIST) == -E2BIG)
		stat_add(WEIR_STAT_TLS_FULL, 1);
	tls = bpf_map_lookup_elem(&tls_conns, key);
	if (tls) {
		tls->http.is_tls = 1;
		tls->http.misses_left = HTTP_MISSES_MAX; /* it may be in the middle of a message */
	}
	return tls;
}

/* Its socket is the one that the thread used last, unless better is known. The lock is held. */
static __always_inline void tls_tie(struct tls_conn *tls, const struct tls_task *task, __u64 tie)
{
	if (tls->tie >= tie)
		return;
	tls->tie = tie;
	if (tls->socket == task->socket)
		return;
	tls->socket = task->socket;
	tls->record.id = task->id;
	tls->http.established_at = task->established_at;
	tls->http.evidence = task->evidence;
	tls->http.now.retransmits = task->evidence.retransmits; /* its request may have been first */
}

static __always_inline void tls_report_program(__u32 pid)
{
	struct weir_program_record record = {.kind = WEIR_RECORD_PROGRAM, .pid = pid};

	bpf_ringbuf_output(&ring, &record, sizeof(record), BPF_RB_FORCE_WAKEUP);
}

#endif /* WEIR_TLS_H */
