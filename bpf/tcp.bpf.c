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
#include "attempts.h"
#include "tcp_folds.h"
#include "walk.h"
#include <asm-generic/errno.h>

/* Written once at load. */
const volatile __u32 ring_wake_bytes = 0;
const volatile __u8 follow_http = 0, follow_udp = 0, follow_dns = 0;
const volatile __u8 follow_attempts = 0; /* connects that fail before there is a SYN */
const volatile __u32 udp_bound_idle_walks = 1;

/* Set to 0 by user space. A walk that has filled the records pauses: they are read, and it goes on from there. */
__u32 walk_count = 0;
/* The last walk: nothing is left for another one. */
__u32 walk_last = 0;
/* A connection that was established after this moment (boot time, ns) and was not seen to be accepted is left
 * to the next walk, so that it is not reported as the listener's and a moment later as its owner's. */
__u64 walk_unowned_since = 0;

/* Told by user space some times a second: the tick; the boot time of the last one, and how far that is ahead of the
 * monotonic clock, which rests while the machine sleeps (ns). */
__u64 ticks = WEIR_TICK_FIRST, tick_time = 0, boot_ahead = 0;

/* Connections that were established before this moment (monotonic, us) are from before the start. Set by user space once
 * all that come are shown. */
__u64 follow_since = ~0ULL;

/* The bucket of the table that the next run begins with: set to 0 by user space, then where the last run ended. */
__u32 walk_bucket = 0;

/* Set by user space for a first pass, so that the addresses that this host connects from are known
 * before the connections that it accepted are looked at. */
__u32 held_outgoing_only = 0;

static __always_inline void report(const struct weir_tcp_record *record)
{
	if (bpf_ringbuf_output(&ring, (void *)record, sizeof(*record), ring_flags(sizeof(*record))))
		tcp_fold(record);
}

/* Its error is found by user space. */
static __noinline int attempt_failed(const struct weir_attempt *attempt)
{
	struct weir_tcp_record record = {.kind = WEIR_RECORD_TCP, .time = bpf_ktime_get_boot_ns()};

	record.flags = WEIR_TCP_FAILED | WEIR_TCP_UNSENT;
	record.id = attempt->id;
	report(&record);
	return 0;
}

int weir_report_gone(struct conn *conn)
{
	struct weir_tcp_record record;

	if (!conn)
		return 0;
	conn_settled(conn);
	fill_gone_record(&record, conn);
	report(&record);
	return 0;
}

static __always_inline void connection_begins(const struct sock *sk, struct conn *conn)
{
	if (conn->role == ROLE_CONNECTION)
		conn_report_gone(sk, conn);
	conn->sent = 0;
	conn->received = 0;
	conn->retransmits = 0;
	conn->established = NOT_ESTABLISHED;
	conn->settled = 0;
	conn->rested = 0;
	conn->error = 0;
	conn->finished = 0;
	http_forget(sk, conn);
	conn->role = ROLE_CONNECTION;
}

/* All that is told of it but its own port, which it does not have yet: a socket forgets its peer when a connect fails. */
static __always_inline void on_connect(const struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct conn *conn;

	if (follow_attempts)
		attempt_is_sent(sk, task->pid);
	conn = conn_create(sk);
	if (!conn)
		return;
	connection_begins(sk, conn);
	id_set_endpoints(&conn->id, sk);
	conn->id.direction = WEIR_OUTGOING;
	conn->id.owner = WEIR_OWNER_NONE;
	if (!(task->flags & PF_KTHREAD))
		id_set_owner(&conn->id, task);
}

static __always_inline void on_listen(const struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!(task->flags & PF_KTHREAD))
		listener_note(sk, task);
}

static __always_inline void on_established(const struct sock *sk, int old)
{
	struct conn *conn = conn_create(sk);
	struct tcp_sock *tp;

	if (!conn)
		return;
	if (conn->role != ROLE_CONNECTION || conn->established != NOT_ESTABLISHED ||
	    bpf_ntohs(sk->__sk_common.skc_dport) != conn->id.remote_port) {
		/* accepted; or a connect that began before the start; or of another connection */
		tp = bpf_skc_to_tcp_sock((void *)sk);
		if (!tp)
			return;
		connection_begins(sk, conn);
		conn->retransmits = tp->total_retrans; /* of the SYN-ACK, reported as they happened */
		conn->id.direction = old == TCP_SYN_SENT ? WEIR_OUTGOING : WEIR_INCOMING;
		conn->id.owner = WEIR_OWNER_NONE;
		if (conn->id.direction == WEIR_INCOMING)
			stat_add(WEIR_STAT_ACCEPTED, 1);
		id_set_endpoints(&conn->id, sk);
	}
	/* to a tick where no request tells its connection's age */
	conn_note_handshake(conn, sk, follow_http ? bpf_ktime_get_boot_ns() : tick_time);
	conn->established = ESTABLISHED_NEW;
}

/* Why a connect came to nothing, where no error is known. */
static __always_inline __u32 connect_error(const struct sock *sk, const struct tcp_sock *tp)
{
	if (sk->sk_err_soft)
		return sk->sk_err_soft;
	if (sk->__sk_common.skc_state == TCP_CLOSE && !tp->total_retrans)
		return EIO; /* its end was not shown, and nobody knows any more */
	if (!tp->segs_out)
		return EADDRNOTAVAIL; /* there was no SYN */
	/* closed by its program: had it waited for longer than an answer takes? */
	return tp->total_retrans ? ETIMEDOUT : ECONNABORTED;
}

struct connection_end {
	__u32 flags, error;
};

/* How it ended, and whether that was said before. False when there is nothing to say. */
static __always_inline bool find_end(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn, int old,
				     struct connection_end *end)
{
	if (conn_is_behind(conn, old))
		conn_catch_up(conn, sk);
	end->error = 0;
	switch (__sync_lock_test_and_set(&conn->established, NOT_ESTABLISHED)) {
	case NOT_ESTABLISHED:
		if (conn->id.direction != WEIR_OUTGOING)
			return false;
		/* only an end that was not shown finds the socket closed already */
		end->flags = sk->sk_err || sk->__sk_common.skc_state == TCP_CLOSE ? WEIR_TCP_FAILED | WEIR_TCP_RESET :
										     WEIR_TCP_FAILED;
		end->error = sk->sk_err;
		if (!end->error)
			end->error = conn->error;
		if (!end->error)
			end->error = connect_error(sk, tp);
		if (end->error == EADDRNOTAVAIL)
			end->flags |= WEIR_TCP_UNSENT;
		return true;
	case ESTABLISHED_NEW:
		end->flags = established_flags(conn) | WEIR_TCP_CLOSED;
		break;
	default:
		end->flags = WEIR_TCP_CLOSED;
	}
	if (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT || conn->error)
		end->flags |= WEIR_TCP_RESET;
	return true;
}

static __always_inline void fill_last_record(struct weir_tcp_record *record, const struct sock *sk,
					     const struct tcp_sock *tp, struct conn *conn,
					     const struct connection_end *end)
{
	struct tcp_counters now;

	record->kind = WEIR_RECORD_TCP;
	record->flags = end->flags;
	record->time = tp->tcp_mstamp * 1000 + boot_ahead;
	record->id = conn->id;
	tcp_read_counters(sk, tp, conn->id.direction == WEIR_OUTGOING, &now);
	record->bytes_sent = SETTLE(conn->sent, now.sent);
	record->bytes_received = SETTLE(conn->received, now.received);
	record->retransmits = SETTLE(conn->retransmits, now.retransmits);
	record_rtt(record, tp);
	record->error = end->error;
}

static __noinline int fold_end(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn,
			       const struct connection_end *end)
{
	struct weir_tcp_record record;

	fill_last_record(&record, sk, tp, conn, end);
	tcp_fold(&record);
	return 0;
}

/* The last report of a connection is made where user space reads it. */
static __always_inline void report_end(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn, int old)
{
	struct weir_tcp_record *record;
	struct connection_end end;

	if (!find_end(sk, tp, conn, old, &end))
		return;
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		fold_end(sk, tp, conn, &end);
		return;
	}
	fill_last_record(record, sk, tp, conn, &end);
	bpf_ringbuf_submit(record, ring_flags_now_and_then(record->time));
}

/* A connection that is not followed, though it came after the start; NULL when there is none. */
static __noinline struct conn *conn_make_up(const struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct conn *conn;

	if (!tp || !conn_came_unseen(tp))
		return NULL;
	conn = conn_create_unseen(sk);
	if (conn && conn->role == ROLE_NONE)
		conn_adopt(conn, sk, tp);
	return conn;
}

static __always_inline void on_close(const struct sock *sk, int old)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	__u32 place;
	struct conn_bucket *bucket = conn_bucket_with(sk, &place);
	struct conn *conn = place ? conn_at(place - 1) : conn_stored(sk);
	bool has_ended = true;

	if (!tp || !bucket)
		return;
	conn = conn_unless_gone(sk, conn);
	if (!conn) {
		if (old == TCP_LISTEN || old == TCP_CLOSE || old == TCP_SYN_RECV)
			return;
		conn = old == TCP_SYN_SENT ? NULL : conn_make_up(sk);
		if (!conn) {
			stat_add(WEIR_STAT_CLOSED_UNSEEN, 1);
			return;
		}
		place = conn->place;
	}
	if (conn->role != ROLE_CONNECTION)
		return;
	if (conn->has_http)
		has_ended = http_on_close(sk, tp, http_of(sk, conn));
	conn_settled(conn);
	if (!conn_ends(conn))
		return;
	id_set_listener(&conn->id);
	report_end(sk, tp, conn, old);
	if (has_ended && place)
		conn_place_leave(bucket, place - 1, conn);
}

/*
 * A SYN-ACK was sent again. There is no connection yet and perhaps never will be one, so it is reported
 * at once, as the listener's.
 */
static __always_inline void on_synack_again(const struct sock *sk, const struct request_sock *req)
{
	struct weir_tcp_record record = {.kind = WEIR_RECORD_TCP, .time = bpf_ktime_get_boot_ns()};

	id_set_endpoints(&record.id, sk);
	id_set_addresses(&record.id, &req->__req_common);
	record.id.direction = WEIR_INCOMING;
	id_note_peer(&record.id);
	id_set_listener(&record.id);
	record.retransmits = 1;
	report(&record);
}

/* A fast open that was answered before the handshake was done. */
static __noinline int on_fast_open(const struct sock *sk)
{
	struct conn *conn = conn_get(sk);

	if (!conn || conn->role != ROLE_CONNECTION)
		on_established(sk, TCP_SYN_RECV);
	return 0;
}

/* So that its last bytes are known if its end is not shown, and its socket then another's. */
static __always_inline void conn_note_totals(struct conn *conn, const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	__u64 sent, received;

	if (!tp)
		return;
	received = tcp_without_fin(sk, tp->bytes_received);
	sent = tp->bytes_acked + (__u32)(tp->write_seq - tp->snd_una) - (conn->id.direction == WEIR_OUTGOING);
	if ((sent - conn->sent) >> 31 || (received - conn->received) >> 31)
		return;
	conn->rested = 0;
	conn->finished = 1;
	conn->rest_sent = (__u32)sent;
	conn->rest_received = (__u32)received;
}

/* Its owner says that it is done. */
static __always_inline void on_finish(const struct sock *sk)
{
	struct conn *conn = conn_unless_gone(sk, conn_get(sk));

	if (!conn)
		conn = conn_make_up(sk);
	if (!conn || conn->role != ROLE_CONNECTION)
		return;
	if (conn_is_behind(conn, TCP_ESTABLISHED))
		conn_catch_up(conn, sk);
	conn_set_owner_current(conn);
	conn_note_totals(conn, sk);
}

/* Most changes of state are none of these. */
#define STATES_OF_INTEREST (1 << TCP_SYN_SENT | 1 << TCP_LISTEN | 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE | \
			    1 << TCP_FIN_WAIT1 | 1 << TCP_LAST_ACK)

static __always_inline void on_state_change(const struct sock *sk, int old, int new)
{
	if (!(1 << new & STATES_OF_INTEREST) || sk->sk_protocol != IPPROTO_TCP)
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
		if (old == TCP_SYN_RECV)
			on_fast_open(sk);
		if (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT)
			on_finish(sk);
		break;
	}
}

/* Starts to follow a socket that a task holds, or learns the owner of one that is followed. */
static __always_inline void visit_held_socket(struct task_struct *task, const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct tcp_sock *tp;
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || !is_inet(sk) || state == TCP_CLOSE || state == TCP_SYN_RECV)
		return;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return;
	if (held_outgoing_only &&
	    (state == TCP_LISTEN || (state != TCP_SYN_SENT && tcp_direction(sk, tp) != WEIR_OUTGOING)))
		return;
	if (state == TCP_LISTEN) {
		listener_note(sk, task);
		return;
	}
	conn = conn_get(sk);
	if (!conn && has_just_ended(sk))
		return;
	if (!conn)
		conn = state != TCP_SYN_SENT && conn_came_unseen(tp) ? conn_create_unseen(sk) : conn_store(sk);
	if (!conn)
		return;
	if (conn->role == ROLE_NONE) {
		if (state == TCP_SYN_SENT) {
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

/* The kernel's hooks may refuse a connect; these always let it pass: 1. Where it goes may be changed behind them. */
SEC("cgroup/connect4")
int weir_connect4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct weir_attempt *attempt;

	/* an address of another family is refused whatever it is: nobody is asked for */
	if (ctx->protocol != IPPROTO_TCP || ctx->user_family != AF_INET)
		return 1;
	attempt = attempt_begin(sk);
	if (!attempt)
		return 1;
	set_v4_mapped(attempt->id.local, sk->src_ip4);
	set_v4_mapped(attempt->id.remote, ctx->user_ip4);
	attempt->id.remote_port = bpf_ntohs((__u16)ctx->user_port);
	attempt_noted(attempt);
	return 1;
}

SEC("cgroup/connect6")
int weir_connect6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	__be32 remote[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
	__be32 local[4] = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]};
	struct weir_attempt *attempt;

	if (ctx->protocol != IPPROTO_TCP || ctx->user_family != AF_INET6)
		return 1;
	attempt = attempt_begin(sk);
	if (!attempt)
		return 1;
	copy_v6(attempt->id.local, local);
	copy_v6(attempt->id.remote, remote);
	if (is_v4_mapped(attempt->id.remote) && is_unspecified(attempt->id.local))
		set_v4_mapped(attempt->id.local, 0);
	attempt->id.remote_port = bpf_ntohs((__u16)ctx->user_port);
	attempt_noted(attempt);
	return 1;
}

/*
 * The last that is seen of a socket: an end that was not shown is made up for here, while the kernel's counters are still
 * there. The kernel does not run a program for an event that interrupts this very program; it calls this one where softirqs
 * are off. Attached where events are known to be passed by, and where connections have only storage, which goes with its
 * socket. Elsewhere the walk and the next connection at the same address make up for what is missed, and none pays for it.
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(weir_destroy, const struct sock *sk)
{
	struct conn *conn = conn_get(sk);
	struct tcp_sock *tp;
	bool failed;

	if (!conn || conn->role != ROLE_CONNECTION)
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	failed = conn->established == NOT_ESTABLISHED && tp && !tp->bytes_acked; /* not even the SYN */
	on_close(sk, failed ? TCP_SYN_SENT : TCP_FIN_WAIT1);
	return 0;
}

/*
 * Errors of connects. A program takes the error from its socket by asking for it, and may then close it; and an end may not
 * be shown. An ICMP message that does not end the connect is queued.
 */
static __always_inline int last_queued_error(const struct sock *sk)
{
	const struct sock_exterr_skb *queued = (const void *)&sk->sk_error_queue.prev->cb;
	int error = 0;

	bpf_probe_read_kernel(&error, sizeof(error), &queued->ee.ee_errno);
	return error;
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(weir_error, const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct conn *conn;

	if (sk->sk_protocol != IPPROTO_TCP || (state != TCP_CLOSE && state != TCP_SYN_SENT))
		return 0;
	conn = conn_get(sk);
	if (conn && conn->role == ROLE_CONNECTION)
		conn->error = sk->sk_err || state == TCP_CLOSE ? sk->sk_err : last_queued_error(sk);
	return 0;
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
