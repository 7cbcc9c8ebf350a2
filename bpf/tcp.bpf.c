// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP without a cost per packet.
 *
 * The kernel counts bytes, retransmissions and round trips in its own socket. Weir
 * learns of a connection when its state changes, reads the counters in a walk over
 * the followed sockets once an interval, and once more when the connection ends.
 * Between those it does nothing.
 *
 * The tracing logic stands in static functions over a socket; the entries at the end
 * only bring them their arguments, so that other attach types can share it.
 */
#include "conn.h"
#include "http.h"
#include "tcp_folds.h"
#include <asm-generic/errno.h>

/* Written once at load. */
const volatile __u32 ring_wake_bytes = 0;
const volatile __u8 follow_http = 0, follow_udp = 0, follow_dns = 0;
const volatile __u32 udp_bound_idle_walks = 1;

/* The walk's records. Read by user space through mmap after each walk. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768); /* set at load */
	__type(key, __u32);
	__type(value, struct weir_tcp_record);
} walk_records SEC(".maps");

/* Set to 0 by user space. A walk that has filled the records pauses: they are read, and it goes on from there. */
__u32 walk_count = 0;
/* The last walk: nothing is left for another one. */
__u32 walk_last = 0;
/* A connection that was established after this moment (boot time, ns) and was not seen to be accepted is left
 * to the next walk, so that it is not reported as the listener's and a moment later as its owner's. */
__u64 walk_unowned_since = 0;

/* Set by user space for a first pass, so that the addresses that this host connects from are known
 * before the connections that it accepted are looked at. */
__u32 held_outgoing_only = 0;

static __always_inline void record_rtt(struct weir_tcp_record *record, const struct tcp_sock *tp)
{
	record->rtt = tp->srtt_us >> 3;
	record->rtt_var = tp->mdev_us >> 2;
}

static __always_inline void report(const struct weir_tcp_record *record)
{
	if (bpf_ringbuf_output(&ring, (void *)record, sizeof(*record), ring_flags(sizeof(*record))))
		tcp_fold(record);
}

static __always_inline void connection_begins(const struct sock *sk, struct conn *conn)
{
	conn->sent = 0;
	conn->received = 0;
	conn->retransmits = 0;
	conn->established = NOT_ESTABLISHED;
	conn->settled = 0;
	conn->rested = 0;
	http_forget(sk, conn);
	conn->role = ROLE_CONNECTION;
}

static __always_inline void on_connect(const struct sock *sk)
{
	struct conn *conn = conn_create(sk);

	if (!conn)
		return;
	connection_begins(sk, conn);
	conn->id.direction = WEIR_OUTGOING;
	conn->id.owner = WEIR_OWNER_NONE;
	id_set_endpoints(&conn->id, sk);
	conn_set_owner_current(conn);
}

static __always_inline void on_listen(const struct sock *sk)
{
	struct conn *conn = conn_create(sk);

	if (!conn)
		return;
	conn->role = ROLE_LISTENER;
	conn->id.direction = WEIR_INCOMING;
	conn->id.owner = WEIR_OWNER_NONE;
	id_set_endpoints(&conn->id, sk);
	conn_set_owner_current(conn);
}

static __always_inline void on_established(const struct sock *sk, int old)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct conn *conn = conn_get(sk);

	if (!tp)
		return;
	if (!conn) {
		/* a child of a listener that is not followed, one of the kernel's own; or a connect
		 * that began before the start */
		conn = conn_create(sk);
		if (!conn)
			return;
		conn->role = ROLE_LISTENER;
	}
	id_set_endpoints(&conn->id, sk);
	if (conn->role != ROLE_CONNECTION) {
		connection_begins(sk, conn);
		conn->retransmits = tp->total_retrans; /* of the SYN-ACK, reported as they happened */
		conn->id.direction = old == TCP_SYN_SENT ? WEIR_OUTGOING : WEIR_INCOMING;
		if (conn->id.owner == WEIR_OWNER_EXACT)
			conn->id.owner = WEIR_OWNER_LISTENER;
		if (conn->id.direction == WEIR_INCOMING)
			stat_add(WEIR_STAT_ACCEPTED, 1);
	}
	id_note_peer(&conn->id);
	conn->established_at = bpf_ktime_get_boot_ns();
	conn->established = ESTABLISHED_NEW;
}

/* Why a connect came to nothing. */
static __always_inline __u32 connect_error(const struct sock *sk, const struct tcp_sock *tp)
{
	if (sk->sk_err)
		return sk->sk_err;
	if (sk->sk_err_soft)
		return sk->sk_err_soft;
	if (!tp->segs_out)
		return EADDRNOTAVAIL; /* there was no SYN */
	/* closed by its program: had it waited for longer than an answer takes? */
	return tp->total_retrans ? ETIMEDOUT : ECONNABORTED;
}

/* First reports say when the begin was not seen. */
static __always_inline __u32 established_flags(const struct conn *conn)
{
	return conn->established_at ? WEIR_TCP_ESTABLISHED : WEIR_TCP_ESTABLISHED | WEIR_TCP_ADOPTED;
}

static __always_inline void on_close(const struct sock *sk, int old)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct conn *conn = conn_get(sk);
	struct weir_tcp_record record;
	struct tcp_counters now;

	if (!tp)
		return;
	if (!conn) {
		if (sk->__sk_common.skc_state != TCP_LISTEN && sk->__sk_common.skc_state != TCP_CLOSE)
			stat_add(WEIR_STAT_CLOSED_UNSEEN, 1);
		return;
	}
	if (conn->role != ROLE_CONNECTION) {
		conn->role = ROLE_NONE;
		return;
	}
	if (conn->has_http)
		http_on_close(sk, tp, http_get(sk));
	conn_settled(conn);
	conn->role = ROLE_NONE;

	__builtin_memset(&record, 0, sizeof(record));
	record.kind = WEIR_RECORD_TCP;
	record.time = bpf_ktime_get_boot_ns();
	record.id = conn->id;
	tcp_read_counters(sk, tp, record.id.direction == WEIR_OUTGOING, &now);
	record.bytes_sent = SETTLE(conn->sent, now.sent);
	record.bytes_received = SETTLE(conn->received, now.received);
	record.retransmits = SETTLE(conn->retransmits, now.retransmits);
	record_rtt(&record, tp);
	switch (__sync_lock_test_and_set(&conn->established, NOT_ESTABLISHED)) {
	case NOT_ESTABLISHED:
		if (record.id.direction != WEIR_OUTGOING)
			return;
		record.flags = sk->sk_err ? WEIR_TCP_FAILED | WEIR_TCP_RESET : WEIR_TCP_FAILED;
		record.error = connect_error(sk, tp);
		break;
	case ESTABLISHED_NEW:
		record.flags = established_flags(conn) | WEIR_TCP_CLOSED;
		break;
	default:
		record.flags = WEIR_TCP_CLOSED;
	}
	if (record.flags & WEIR_TCP_CLOSED && (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT))
		record.flags |= WEIR_TCP_RESET;
	report(&record);
}

/*
 * A SYN-ACK was sent again. There is no connection yet and perhaps never will be one, so it is reported
 * at once, as the listener's.
 */
static __always_inline void on_synack_again(const struct sock *sk, const struct request_sock *req)
{
	struct conn *conn = conn_get(sk);
	struct weir_tcp_record record;

	if (!conn)
		return;
	__builtin_memset(&record, 0, sizeof(record));
	record.kind = WEIR_RECORD_TCP;
	record.time = bpf_ktime_get_boot_ns();
	record.id = conn->id;
	id_set_addresses(&record.id, &req->__req_common);
	record.id.direction = WEIR_INCOMING;
	id_note_peer(&record.id);
	record.retransmits = 1;
	report(&record);
}

static __always_inline void on_state_change(const struct sock *sk, int old, int new)
{
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || !is_inet(sk))
		return;
	switch (new) {
	case TCP_SYN_SENT:
		on_connect(sk);
		break;
	case TCP_LISTEN:
		on_listen(sk);
		break;
	case TCP_ESTABLISHED:
		on_established(sk, old);
		break;
	case TCP_CLOSE:
		on_close(sk, old);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		/* shutdown() or close(): the owner's own system call, unless the peer's data
		 * completed a handshake that the owner had shut down already */
		if (old == TCP_SYN_RECV) {
			/* a fast open that was answered before the handshake was done */
			conn = conn_get(sk);
			if (conn && conn->role == ROLE_LISTENER)
				on_established(sk, old);
		}
		conn = old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT ? conn_get(sk) : NULL;
		if (conn && conn->role == ROLE_CONNECTION)
			conn_set_owner_current(conn);
		break;
	}
}

/*
 * Whether nothing has happened since a walk found all of it acknowledged and reported. Of most connections
 * that is so most of the time, and it takes one look at one cache line of the socket.
 */
static __always_inline bool is_at_rest(const struct conn *conn, const struct tcp_sock *tp)
{
	return conn->rested && tp->snd_nxt == conn->rest_sent && tp->rcv_nxt == conn->rest_received;
}

static __always_inline void fill_walk_record(struct weir_tcp_record *record, const struct sock *sk,
					     const struct tcp_sock *tp, struct conn *conn, struct tcp_counters *now)
{
	record->kind = WEIR_RECORD_TCP;
	record->time = bpf_ktime_get_boot_ns();
	record->id = conn->id;
	record->flags = conn->established == ESTABLISHED_NEW &&
					__sync_val_compare_and_swap(&conn->established, ESTABLISHED_NEW,
								    ESTABLISHED_REPORTED) == ESTABLISHED_NEW ?
				established_flags(conn) :
				0;
	record->bytes_sent = ADVANCE(conn->sent, now->sent);
	/* whether a FIN came is asked once more: it may have been counted and not been said */
	if (now->received == tp->bytes_received)
		now->received = tcp_without_fin(sk, now->received);
	record->bytes_received = ADVANCE(conn->received, now->received);
	record->retransmits = ADVANCE(conn->retransmits, now->retransmits);
	record_rtt(record, tp);
	record->error = 0;
}

static __always_inline void walk_http(struct http_conn *hc)
{
	if (hc)
		http_report_sum(&hc->http, &hc->record);
}

/* Reports what a live connection did since the last report. False when the records are full: nothing was moved. */
static __always_inline bool walk_connection(const struct sock *sk, struct conn *conn)
{
	__u32 at = walk_count, snd_nxt, rcv_nxt;
	struct weir_tcp_record *record;
	struct tcp_counters now;
	struct tcp_sock *tp;
	bool rests;

	if (conn->role != ROLE_CONNECTION)
		return true;
	if (conn->id.owner != WEIR_OWNER_EXACT && conn->established_at > walk_unowned_since)
		return true;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return true;
	rests = is_at_rest(conn, tp);
	if (conn->has_http && (!rests || conn->rested < RESTED_LONG || walk_last))
		walk_http(http_get(sk));
	if (rests) {
		conn->rested = RESTED_LONG;
		return true;
	}
	snd_nxt = tp->snd_nxt;
	rcv_nxt = tp->rcv_nxt;
	rests = tp->snd_una == snd_nxt;
	tcp_read_counters(sk, tp, conn->id.direction == WEIR_OUTGOING, &now);
	if (conn->established == ESTABLISHED_NEW || now.sent > conn->sent || now.received > conn->received ||
	    now.retransmits > conn->retransmits) {
		record = bpf_map_lookup_elem(&walk_records, &at);
		if (!record)
			return false;
		fill_walk_record(record, sk, tp, conn, &now);
		walk_count = at + 1;
	}
	/* read before the counters: what has moved since then makes a difference to the next walk */
	conn->rest_sent = snd_nxt;
	conn->rest_received = rcv_nxt;
	conn->rested = rests;
	return true;
}

/* Starts to follow a socket that a task holds, or learns the owner of one that is followed. */
static __always_inline void visit_held_socket(struct task_struct *task, const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct tcp_sock *tp;
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || !is_inet(sk) || state == TCP_CLOSE)
		return;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return;
	if (held_outgoing_only &&
	    (state == TCP_LISTEN || (state != TCP_SYN_SENT && tcp_direction(sk, tp) != WEIR_OUTGOING)))
		return;
	conn = conn_create(sk);
	if (!conn)
		return;
	if (conn->role == ROLE_NONE) {
		if (state == TCP_LISTEN) {
			conn->role = ROLE_LISTENER;
			conn->id.direction = WEIR_INCOMING;
			id_set_endpoints(&conn->id, sk);
		} else if (state == TCP_SYN_SENT) {
			connection_begins(sk, conn);
			conn->retransmits = tp->total_retrans;
			conn->id.direction = WEIR_OUTGOING;
			id_set_endpoints(&conn->id, sk);
		} else {
			conn_adopt(conn, sk, tp);
		}
	}
	if (conn->id.owner != WEIR_OWNER_EXACT) {
		id_set_owner(&conn->id, task);
		conn_settled(conn);
	}
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(weir_state, const struct sock *sk, int old, int new)
{
	on_state_change(sk, old, new);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(weir_synack, const struct sock *sk, const struct request_sock *req)
{
	on_synack_again(sk, req);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int weir_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *conn = ctx->value;

	/* 1: the same socket again, when there is room */
	return sk && conn && !walk_connection(sk, conn);
}

SEC("iter/task_file")
int weir_held(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (sk)
		visit_held_socket(task, sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
