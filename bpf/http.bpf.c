// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HTTP from what goes through a socket.
 *
 * Most calls on most sockets must cost next to nothing: a socket that speaks another
 * protocol is found out once and from then on pays one lookup.
 */
#include "conn.h"
#include "http_common.h"
#include "tls.h"
#include "udp_calls.h"
#include "walk.h"

/* Written once at load. */
const volatile __u32 fold_port_from = 0;
const volatile __u8 follow_tls = 0;
const volatile __u8 has_rdonly_cast = 0; /* the kernel is 6.2 or later */

/* Set by user space: which folds are filled. */
__u32 fold_set = 0;

/* Goes up when user space has changed `passed_by`; 0: it never had a name. */
__u32 passed_by_change = 0;

/* conn_table.h */
const volatile __u32 conn_bucket_mask = 0;
__u32 conn_table_open = 0;
__u32 walked_place = 0;

__u32 next_fold_number = 1;
__u64 next_cookie = 1;

/* One for each program that uses it, so that none disturbs another that it interrupted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* The begin was missed: followed from here on. */
static __noinline struct conn *adopt_late(const struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct conn *conn;

	/* a fast open that is answered before its handshake is done has yet to begin */
	if (!tp || sk->__sk_common.skc_state == TCP_CLOSE || sk->__sk_common.skc_state == TCP_SYN_RECV)
		return NULL;
	if (has_just_ended(sk))
		return NULL;
	conn = conn_came_unseen(tp) ? conn_create_unseen(sk) : conn_create_late(sk);
	if (conn && conn->role == ROLE_NONE) {
		conn_adopt(conn, sk, tp);
		if (!conn->established_at)
			stat_add(WEIR_STAT_SEEN_LATE, 1);
	}
	return conn;
}

static __noinline int http_on_other_call(const struct sock *sk, struct http_conn *hc, __u32 len, __u64 time, bool rx)
{
	__u32 which = rx;
	struct pump p;

	p.scratch = bpf_map_lookup_elem(&scratches, &which);
	if (!p.scratch)
		return 0;
	p.call = &p.scratch->call;
	p.http = &hc->http;
	p.record = &hc->record;
	p.call->time = time;
	p.call->rx = rx;
	p.call->lost = 0;
	find_user_bytes(len, &p.call->bytes);
	take_evidence(sk, &p.call->evidence);
	http_on_other_bytes(&p);
	hc->http.common = common_next(&hc->http);
	return 0;
}

/* The socket has moved on between two calls. False when it has not: it is another's now, whose begin was not shown. */
static __noinline bool http_on_unseen(const struct sock *sk, struct http_conn *hc, __u64 time, __u32 seen)
{
	struct pump p = {.http = &hc->http, .record = &hc->record};
	__u32 unseen, which = 1;

	if (id_is_anothers(&hc->record.id, sk))
		return false;
	unseen = http_unseen(&hc->http, sk, as_tcp(sk), seen);
	if (!unseen)
		return true;
	p.scratch = bpf_map_lookup_elem(&scratches, &which);
	if (!p.scratch)
		return true;
	p.call = &p.scratch->call;
	p.call->time = time;
	http_on_unseen_bytes(&p, unseen);
	hc->http.common = common_next(&hc->http);
	return true;
}

/* The end came while a call was under way. */
static __noinline int close_late(const struct sock *sk, struct http_conn *hc)
{
	struct conn *conn;
	__u32 place;

	if (!http_close(sk, as_tcp(sk), hc))
		return 0;
	place = conn_table_find(sk);
	conn = place ? conn_at(place - 1) : NULL;
	if (conn && conn->role == ROLE_NONE)
		conn_table_leave(conn);
	return 0;
}

/* Whether the connection's owner is one to pass by, as things are now. */
static __noinline int look_at_owner(struct http_conn *hc)
{
	struct http_state *http = &hc->http;

	if (http->phase != HTTP_UNKNOWN && http->phase != HTTP_PASSED_BY)
		return 0;
	if (bpf_map_lookup_elem(&passed_by, hc->record.id.process)) {
		http->phase = HTTP_PASSED_BY;
		http->passed_by = passed_by_change;
	} else if (http->phase == HTTP_PASSED_BY) {
		http->misses_left = HTTP_MISSES_MAX; /* it may be in the middle of a message */
		http->phase = HTTP_UNKNOWN;
	}
	return 0;
}

/* The first call on a socket. */
static __noinline struct http_conn *http_begin(const struct sock *sk)
{
	struct http_conn *hc;
	struct conn *conn;

	if (!is_inet(sk))
		return NULL;
	conn = conn_unless_gone(sk, conn_get(sk));
	if (!conn)
		conn = adopt_late(sk);
	if (!conn || conn->role != ROLE_CONNECTION)
		return NULL;
	conn_catch_up_live(conn, sk);
	conn_used_by_current(conn);
	if (!follow_http && !is_dns(&conn->id))
		return NULL;
	hc = http_create(sk, conn);
	if (hc && is_dns(&conn->id))
		hc->http.phase = HTTP_DNS;
	else if (hc && passed_by_change)
		look_at_owner(hc);
	return hc;
}

static __always_inline bool http_lock_or_count(struct http_state *http)
{
	if (http_lock(http))
		return true;
	stat_add(WEIR_STAT_HTTP_CONTENDED, 1);
	return false;
}

static __always_inline void http_on_call(const struct sock *sk, struct http_conn *hc, struct task_struct *task,
					 __u32 len, bool rx)
{
	struct http_state *http = &hc->http;
	__u64 time = bpf_ktime_get_boot_ns();
	__u32 seen = rx ? len : 0, until;

	if (!http_lock_or_count(http))
		return;
	until = as_tcp(sk)->copied_seq;
	if (until - seen != http->read_until && !http_on_unseen(sk, hc, time, seen)) {
		http_unlock(http);
		hc = http_begin(sk);
		if (!hc || !http_lock_or_count(&hc->http))
			return;
		http = &hc->http;
	}
	http->read_until = until;
	if (!http_on_common_call(sk, hc, task, len, time, rx))
		http_on_other_call(sk, hc, len, time, rx);
	http_unlock(http);
	if (http->closing)
		close_late(sk, hc);
}

/* The socket was inherited or passed on, and this call is its new owner's. */
static __noinline void changes_hands(const struct sock *sk, struct http_conn *hc)
{
	struct conn *conn = conn_get(sk);

	if (!conn || conn->role != ROLE_CONNECTION)
		return;
	conn_used_by_current(conn);
	hc->record.id = conn->id;
	if (passed_by_change)
		look_at_owner(hc);
}

/*
 * Ciphertext was sent and no known library made it. A program that others ran before may have
 * loaded one that those did not; one look at each such process finds it.
 */
static __noinline int tls_on_unknown_send(struct http_conn *hc)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u8 one = 1;

	if (!hc || ++hc->http.unknown_sends != UNKNOWN_SENDS)
		return 0;
	if (!bpf_map_update_elem(&tls_unknown, &pid, &one, BPF_NOEXIST))
		tls_report_program(pid);
	return 0;
}

/* len bytes of ciphertext: whose they are, for the thread's calls of its TLS library. */
static __noinline int tls_on_call(const struct sock *sk, struct http_conn *hc, __u32 len, bool rx)
{
	struct tls_task *task = bpf_task_storage_get(&tls_tasks, bpf_get_current_task_btf(), NULL,
						     BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u64 tie = TIE_NONE;
	struct tls_key key = {};
	struct tls_conn *tls;

	if (!task)
		return 0;
	if (task->key.ssl) {
		key.ssl = task->key.ssl;
		tie = TIE_CALL;
		if (rx)
			task->got += len;
		else
			task->sent += len;
	} else if (rx) {
		task->received = task->received && task->socket != (__u64)sk ? 2 : 1;
	} else if (task->wrote) {
		key.ssl = task->wrote;
		tie = TIE_PAIR;
	}
	task->wrote = 0;
	task->socket = (__u64)sk;
	task->id = hc->record.id;
	task->established_at = hc->http.established_at;
	take_evidence(sk, &task->evidence);
	if (!key.ssl)
		key.ssl = hc->http.cookie;
	if (!key.ssl)
		return rx ? 0 : tls_on_unknown_send(hc);
	key.tgid = bpf_get_current_pid_tgid() >> 32;
	tls = tie == TIE_CALL ? tls_find(&key) : bpf_map_lookup_elem(&tls_conns, &key);
	if (!tls || !http_lock(&tls->http))
		return 0;
	tls_tie(tls, task, tie);
	if (tls->socket == task->socket) {
		hc->http.cookie = key.ssl;
		tls->http.evidence = task->evidence;
	}
	if (tie == TIE_CALL)
		tls->http.on_wire = 1;
	http_unlock(&tls->http);
	return 0;
}

/* len bytes went through the socket in a call of current. */
static __always_inline void on_data(const struct sock *sk, __u32 len, bool rx)
{
	struct http_conn *hc = http_get(sk);
	struct task_struct *task;

	if (!hc)
		hc = http_begin(sk);
	if (!hc)
		return;
	task = bpf_get_current_task_btf();
	if (hc->record.id.pid != (__u32)task->tgid)
		changes_hands(sk, hc);
	if (hc->http.phase < HTTP_NOT)
		http_on_call(sk, hc, task, len, rx);
	if (hc->http.phase <= HTTP_NOT)
		return;
	if (hc->http.phase == HTTP_DNS)
		dns_capture(&hc->record.id, len, rx);
	else if (hc->http.phase == HTTP_TLS && follow_tls)
		tls_on_call(sk, hc, len, rx);
	else if (hc->http.phase == HTTP_PASSED_BY && hc->http.passed_by != passed_by_change)
		look_at_owner(hc);
}

/* A call that sent nothing may have seen the end, too. */
static __always_inline void on_failed_send(const struct sock *sk)
{
	struct http_conn *hc = http_get(sk);

	if (hc && hc->http.closing)
		close_late(sk, hc);
}

static __always_inline void on_call(const struct sock *sk, int ret, bool rx)
{
	barrier_var(ret); /* it stays in one register */
	if (sk->sk_protocol == IPPROTO_TCP) {
		if (!follow_http && !follow_dns)
			return;
		if (ret > 0)
			on_data(sk, ret, rx);
		else if (!rx)
			on_failed_send(sk);
	} else if (sk->sk_protocol == IPPROTO_UDP) {
		if (follow_udp && is_inet(sk))
			on_udp(sk, ret, rx);
	}
}

/*
 * The walks. They stand here because they call bpf_rdonly_cast(), and libbpf 1.1 does not link two objects that both
 * call a function of the kernel's.
 */
extern __u32 walk_bucket;

/* One of socket storage. The helper looks at two cache lines of the socket before the walk looks at one. */
static __always_inline bool walk_stored(const struct sock *sk, struct conn *conn)
{
	const struct tcp_sock *tp;

	if (walk_passes_by(conn))
		return true;
	tp = has_rdonly_cast ? as_tcp(sk) : bpf_skc_to_tcp_sock((void *)sk);
	return !tp || walk_live(sk, tp, conn, false);
}

SEC("iter/bpf_sk_storage_map")
int weir_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct conn *conn = ctx->value;

	/* 1: the same socket again, when there is room */
	return sk && conn && !walk_stored(sk, conn);
}

/*
 * Whether a connect came to nothing, which was not shown. Its begin is shown a moment before its socket's state says so:
 * it is left to the next walk.
 */
static __always_inline bool connect_is_over(struct conn *conn, const struct sock *sk)
{
	if (sk->__sk_common.skc_state != TCP_CLOSE && bpf_ntohs(sk->__sk_common.skc_dport) == conn->id.remote_port)
		return false;
	if (!conn->rested && !walk_last) {
		conn->rested = 1;
		return false;
	}
	return true;
}

/* Whether the socket is closed, or another connection's. */
static __always_inline bool is_another(struct conn *conn, const struct sock *sk)
{
	if (conn->established == NOT_ESTABLISHED)
		return connect_is_over(conn, sk);
	return !sk->__sk_common.skc_num || id_is_anothers(&conn->id, sk);
}

/* One of the table, of the socket at this address; nobody holds the socket meanwhile. */
static __always_inline bool walk_placed(__u64 address, struct conn *conn)
{
	const struct sock *sk = bpf_rdonly_cast((void *)address, bpf_core_type_id_kernel(struct sock));

	if (conn->role == ROLE_NONE)
		walk_left(conn);
	if (walk_passes_by(conn))
		return true;
	if (is_another(conn, sk))
		return conn->role == ROLE_NONE || walk_gone(sk, as_tcp(sk), conn);
	return walk_live(sk, as_tcp(sk), conn, true);
}

static long walk_next_bucket(__u32 i, void *unused)
{
	__u32 at = walk_bucket;
	struct conn_bucket *bucket = bpf_map_lookup_elem(&conn_buckets, &at);
	struct conn *conn;
	__u64 holder;

	if (!bucket)
		return 1;
	for (__u32 way = 0; way < CONN_WAYS; way++) {
		holder = bucket->places[way];
		if (!holder || holder & 1 || !conn_place_walk(bucket, at, way, holder))
			continue;
		conn = conn_at(at * CONN_WAYS + way);
		if (conn && !walk_placed(holder, conn))
			return 1;
	}
	walk_bucket = at + 1;
	return 0;
}

/* Run by user space for some buckets at a time: nothing takes it off its processor meanwhile. */
SEC("raw_tp/weir_walk_table")
int weir_walk_table(void *unused)
{
	bpf_loop(CONN_BUCKETS_A_RUN, walk_next_bucket, NULL, 0);
	walked_place = 0;
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(weir_send, const struct sock *sk, int ret, int flags)
{
	on_call(sk, ret, false);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(weir_recv, const struct sock *sk, int ret, int flags)
{
	if (!(flags & MSG_PEEK))
		on_call(sk, ret, true);
	return 0;
}
