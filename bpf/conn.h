/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What Weir remembers of each connection, and who it belongs to.
 *
 * The state lives in a table (conn_table.h) or, where that has no room, in socket
 * storage. Only the functions that get and make it know that.
 *
 * Exactly once. The interval's walk and the end of a connection may run on two
 * CPUs at once, and both report what is new since the last report. Each counter
 * therefore moves by compare-and-exchange (the walk) or exchange (the end, after
 * which the counters rest): no byte is reported twice and no delta is negative.
 */
#ifndef WEIR_CONN_H
#define WEIR_CONN_H

#include "conn_table.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct http_conn);
} http_conns SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22); /* bytes; set at load */
} ring SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_STAT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps") __weak;

struct address_key {
	__u8 bytes[16];
} __attribute__((aligned(8)));

/*
 * Addresses that sockets of this host connect from. An incoming connection from one of them
 * is the other end of a connection that is followed as outgoing, too. The client's end is
 * established first, so its address is here when the server's end asks.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct address_key);
	__type(value, __u8);
} local_addresses SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct address_key);
} last_local_address SEC(".maps") __weak;

static __always_inline void stat_add(__u32 which, __u64 n)
{
	__u64 *count = bpf_map_lookup_elem(&stats, &which);

	if (count)
		*count += n;
}

static __always_inline struct conn *conn_stored(const struct sock *sk)
{
	return sk->sk_bpf_storage ? bpf_sk_storage_get(&conns, (void *)sk, NULL, 0) : NULL;
}

static __always_inline struct conn *conn_get(const struct sock *sk)
{
	__u32 place = conn_table_find(sk);

	return place ? conn_at(place - 1) : conn_stored(sk);
}

/* The storage of sk, made when missing. NULL, and counted, when the kernel refuses. */
static __always_inline struct conn *conn_store(const struct sock *sk)
{
	struct conn *conn = bpf_sk_storage_get(&conns, (void *)sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!conn)
		stat_add(WEIR_STAT_STORAGE_REFUSED, 1);
	return conn;
}

/* For a connection that begins: whoever else looks at its socket waits, or comes later. */
static __always_inline struct conn *conn_create(const struct sock *sk)
{
	struct conn *conn = sk->sk_bpf_storage ? conn_get(sk) : NULL;

	if (!conn)
		conn = conn_table_get(sk);
	if (conn)
		return conn;
	stat_add(WEIR_STAT_STORED, 1);
	return conn_store(sk);
}

/* For one that has begun: two may look at it at once, and storage is made once. */
static __always_inline struct conn *conn_create_late(const struct sock *sk)
{
	struct conn *conn = conn_get(sk);

	return conn ? conn : conn_store(sk);
}

/*
 * For one that came unseen. It is given a place, as its end may not be shown either, and storage goes with its socket.
 * Whoever makes the storage takes the place, so that it has only one.
 */
static __always_inline struct conn *conn_create_unseen(const struct sock *sk)
{
	struct conn *stored = conn_store(sk), *conn;

	if (!stored || __sync_val_compare_and_swap(&stored->role, ROLE_NONE, ROLE_PLACED) != ROLE_NONE)
		return conn_get(sk);
	conn = conn_table_get(sk);
	if (conn)
		return conn;
	stored->role = ROLE_NONE;
	return stored;
}

static __always_inline struct http_conn *http_get_stored(const struct sock *sk)
{
	return bpf_sk_storage_get(&http_conns, (void *)sk, NULL, 0);
}

/* Of a connection that has it. */
static __always_inline struct http_conn *http_of(const struct sock *sk, const struct conn *conn)
{
	return conn->place ? http_at(conn->place - 1) : http_get_stored(sk);
}

static __always_inline struct http_conn *http_get(const struct sock *sk)
{
	__u32 place = conn_table_find(sk);
	struct http_conn *hc;

	if (!place)
		return sk->sk_bpf_storage ? http_get_stored(sk) : NULL;
	hc = http_at(place - 1);
	return hc && hc->http.phase != HTTP_ABSENT ? hc : NULL;
}

/* Room for the HTTP of a connection, all zeros but for texts whose length is zero. */
static __always_inline struct http_conn *http_make_room(const struct sock *sk, struct conn *conn)
{
	struct http_conn *hc;

	if (!conn->place)
		return bpf_sk_storage_get(&http_conns, (void *)sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	hc = http_at(conn->place - 1);
	if (hc && !conn->has_http) {
		conn->http_absent = 0;
		__builtin_memset(&hc->http, 0, sizeof(hc->http));
		__builtin_memset(&hc->record, 0, offsetof(struct weir_http_record, head));
	}
	return hc;
}

static __always_inline struct http_conn *http_create(const struct sock *sk, struct conn *conn)
{
	struct http_conn *hc = http_make_room(sk, conn);

	if (!hc) {
		stat_add(WEIR_STAT_STORAGE_REFUSED, 1);
		return NULL;
	}
	if (!conn->has_http) {
		hc->record.id = conn->id;
		hc->http.established_at = conn->established_at;
		/* one from before the start may be in the middle of a message */
		hc->http.misses_left = conn->established_at ? 0 : HTTP_MISSES_MAX;
		conn->has_http = 1;
	}
	return hc;
}

/* The socket begins another connection. */
static __always_inline void http_forget(const struct sock *sk, struct conn *conn)
{
	struct http_conn *hc;

	if (!conn->has_http)
		return;
	conn->has_http = 0;
	if (!conn->place) {
		bpf_sk_storage_delete(&http_conns, (void *)sk);
		return;
	}
	hc = http_at(conn->place - 1);
	if (hc)
		hc->http.phase = HTTP_ABSENT;
}

/* Walks after which an idle flow of a socket that was bound by its program is forgotten. */
extern const volatile __u32 udp_bound_idle_walks;

/* Waking the consumer costs more than a record, so it is woken when a quarter of the
 * ring is full; below that it comes by itself, several times a second. */
extern const volatile __u32 ring_wake_bytes;

static __always_inline __u64 ring_flags(__u32 size)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return waiting < ring_wake_bytes && waiting + size >= ring_wake_bytes ? BPF_RB_FORCE_WAKEUP
									     : BPF_RB_NO_WAKEUP;
}

/* For a record that was just made at `time`. How much waits is asked for one time in sixteen, whatever the clock's steps. */
static __always_inline __u64 ring_flags_now_and_then(__u64 time)
{
	if ((__u32)time * 0x9e3779b1u >> 28)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= ring_wake_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline bool is_inet(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6;
}

static __always_inline void set_v4_mapped(__u8 *out, __be32 addr)
{
	__u32 *words = (__u32 *)out;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = addr;
}

static __always_inline bool is_v4_mapped(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_unspecified(const __u8 *address)
{
	const __u64 *words = (const __u64 *)address;

	return !words[0] && !words[1];
}

static __always_inline void copy_v6(__u8 *out, const __be32 *addr)
{
	__u32 *words = (__u32 *)out;

	words[0] = addr[0];
	words[1] = addr[1];
	words[2] = addr[2];
	words[3] = addr[3];
}

static __always_inline bool same_address(const struct address_key *a, const struct address_key *b)
{
	const __u64 *x = (const __u64 *)a->bytes, *y = (const __u64 *)b->bytes;

	return x[0] == y[0] && x[1] == y[1];
}

/* For a connection that is established: both of its addresses are known now. Most often it is the
 * address that was found last on this processor. */
static __always_inline void id_note_peer(struct weir_conn_id *id)
{
	bool outgoing = id->direction == WEIR_OUTGOING, known;
	const struct address_key *from = (const struct address_key *)(outgoing ? id->local : id->remote);
	struct address_key key = *from, *last;
	__u32 zero = 0;
	__u8 one = 1;

	last = bpf_map_lookup_elem(&last_local_address, &zero);
	known = last && same_address(last, &key);
	if (!known && bpf_map_lookup_elem(&local_addresses, &key)) {
		known = true;
		if (last)
			*last = key;
	}
	id->peer_is_local = known && !outgoing;
	if (outgoing && !known)
		bpf_map_update_elem(&local_addresses, &key, &one, BPF_ANY);
}

static __always_inline void id_set_addresses(struct weir_conn_id *id, const struct sock_common *ends)
{
	id->local_port = ends->skc_num;
	id->remote_port = bpf_ntohs(ends->skc_dport);
	if (ends->skc_family == AF_INET) {
		set_v4_mapped(id->local, ends->skc_rcv_saddr);
		set_v4_mapped(id->remote, ends->skc_daddr);
	} else {
		copy_v6(id->local, ends->skc_v6_rcv_saddr.in6_u.u6_addr32);
		copy_v6(id->remote, ends->skc_v6_daddr.in6_u.u6_addr32);
	}
}

/* Addresses and ports as the socket has them now. */
static __always_inline void id_set_endpoints(struct weir_conn_id *id, const struct sock *sk)
{
	id->transport = (__u8)sk->sk_protocol;
	id->netns = sk->__sk_common.skc_net.net->ns.inum;
	id_set_addresses(id, &sk->__sk_common);
}

static __always_inline void conn_settled(struct conn *conn)
{
	if (!conn->settled && conn->id.direction == WEIR_INCOMING && conn->role == ROLE_CONNECTION) {
		conn->settled = 1;
		stat_add(WEIR_STAT_SETTLED, 1);
	}
}

/* Whether sk is not the connection's. A socket gives back its port a moment before its state says that it is closed. */
static __always_inline bool id_is_anothers(const struct weir_conn_id *id, const struct sock *sk)
{
	__u16 port = sk->__sk_common.skc_num;

	return bpf_ntohs(sk->__sk_common.skc_dport) != id->remote_port || (port && port != id->local_port);
}

/* Takes the connection's end upon whoever sees it first; false for all others. The socket's port is given back a moment
 * before its state says that it is closed, so a walk may see the end as well. */
static __always_inline bool conn_ends(struct conn *conn)
{
	return __sync_lock_test_and_set(&conn->role, ROLE_NONE) == ROLE_CONNECTION;
}

/* Both are 16 bytes; the kernel pads names with zeros. Plain loads cost less than a helper's call. */
static __always_inline void copy_name(char *to, const char *from)
{
	const __u64 *words = (const __u64 *)from;

	((__u64 *)to)[0] = words[0];
	((__u64 *)to)[1] = words[1];
}

/* Only where the task is known to use the socket: never in a softirq. */
static __always_inline void id_set_owner(struct weir_conn_id *id, struct task_struct *task)
{
	id->pid = task->tgid;
	id->cgroup = task->cgroups->dfl_cgrp->kn->id;
	copy_name(id->process, task->group_leader->comm);
	id->owner = WEIR_OWNER_EXACT;
}

struct process_name {
	char bytes[16];
};

/* Names of processes that user space leaves out, whatever they do: what they send and receive is not looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct process_name);
	__type(value, __u8);
} passed_by SEC(".maps") __weak;

extern __u32 passed_by_change;

static __always_inline bool is_passed_by(struct task_struct *task)
{
	struct process_name name;

	if (!passed_by_change)
		return false;
	copy_name(name.bytes, task->group_leader->comm);
	return bpf_map_lookup_elem(&passed_by, &name) != NULL;
}

/* The kernel's own threads end connections for others (MPTCP does), and own none. */
static __always_inline void conn_set_owner_current(struct conn *conn)
{
	struct task_struct *task;

	if (conn->id.owner == WEIR_OWNER_EXACT)
		return;
	task = bpf_get_current_task_btf();
	if (task->flags & PF_KTHREAD)
		return;
	id_set_owner(&conn->id, task);
	conn_settled(conn);
}

/* A socket belongs to who uses it: one that was inherited or passed on changes its owner. */
static __always_inline void conn_used_by_current(struct conn *conn)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (conn->id.pid == (__u32)task->tgid && conn->id.owner == WEIR_OWNER_EXACT)
		return;
	id_set_owner(&conn->id, task);
	conn_settled(conn);
}

/* States without a connection. */
#define STATES_OF_CONNECT (1 << TCP_CLOSE | 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV)

/* tcp.bpf.c says what they are. */
extern __u64 follow_since, tick_time, boot_ahead;

/* What the kernel has counted. */
struct tcp_counters {
	__u64 sent, received;
	__u32 retransmits;
};

static __always_inline bool tcp_is_past_fin(__u8 state)
{
	return 1u << state & (1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSING | 1 << TCP_LAST_ACK | 1 << TCP_TIME_WAIT);
}

/*
 * Payload sent once. Two ways to know it: bytes_sent without bytes_retrans counts a segment twice that
 * could not be handed to the device and was sent anew; the sequence numbers count a SYN and a FIN, and
 * the walk may read them half moved. Neither is ever too low when both rest, so the smaller is right.
 */
static __always_inline __u64 tcp_payload_sent(const struct sock *sk, const struct tcp_sock *tp, bool outgoing,
					      __u64 sent, __u64 again)
{
	__u64 sequence = tp->bytes_acked + (__u32)(tp->snd_nxt - tp->snd_una);
	__u64 flags = outgoing;

	if (tcp_is_past_fin(sk->__sk_common.skc_state) && tp->snd_nxt == tp->write_seq)
		flags++;
	sent = sent > again ? sent - again : 0;
	sequence = sequence > flags ? sequence - flags : 0;
	return sent < sequence ? sent : sequence;
}

/* The kernel counts the peer's FIN as a byte received, a moment before it says that there was one. */
static __always_inline __u64 tcp_without_fin(const struct sock *sk, __u64 received)
{
	return received && (sk->__sk_common.skc_flags & (1UL << SOCK_DONE)) ? received - 1 : received;
}

static __always_inline void tcp_read_counters(const struct sock *sk, const struct tcp_sock *tp, bool outgoing,
					      struct tcp_counters *out)
{
	__u64 received = tp->bytes_received, sent = tp->bytes_sent;

	barrier(); /* a segment counts as sent again before it counts as sent */
	out->retransmits = tp->total_retrans;
	out->sent = tcp_payload_sent(sk, tp, outgoing, sent, out->retransmits ? tp->bytes_retrans : 0);
	barrier(); /* the FIN's flag is read last */
	out->received = tcp_without_fin(sk, received);
}

/*
 * Whether this end connected, told from the kernel's counters for a connection whose
 * begin was not seen. bytes_acked counts the SYN of the end that connected, and not the
 * SYN-ACK of the end that accepted; so it is, with what is in flight, one more than the
 * payload sent. A FIN already sent counts one more.
 */
static __always_inline __u8 tcp_direction(const struct sock *sk, const struct tcp_sock *tp)
{
	__u8 state = sk->__sk_common.skc_state;
	__u64 counted = tp->bytes_acked + (__u32)(tp->snd_nxt - tp->snd_una);
	__u64 payload = tp->bytes_sent - tp->bytes_retrans;
	bool fin_queued = state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT;

	if (fin_queued && tp->snd_nxt == tp->write_seq)
		payload++;
	return counted > payload ? WEIR_OUTGOING : WEIR_INCOMING;
}

/* Whether it came after the start: that it was established was not shown, because a program was busy. */
static __always_inline bool conn_came_unseen(const struct tcp_sock *tp)
{
	return tp->rcvq_space.time >= follow_since;
}

/*
 * Begins to follow a connection that is already there. The past of one from before the start is not reported; one that
 * came unseen is followed from its begin. Of its retransmissions those of the SYN-ACK are then told twice.
 */
static __always_inline void conn_adopt(struct conn *conn, const struct sock *sk, const struct tcp_sock *tp)
{
	bool came_unseen = conn_came_unseen(tp);
	struct tcp_counters now = {};

	id_set_endpoints(&conn->id, sk);
	conn->id.direction = tcp_direction(sk, tp);
	if (!came_unseen)
		tcp_read_counters(sk, tp, conn->id.direction == WEIR_OUTGOING, &now);
	id_note_peer(&conn->id);
	conn->sent = now.sent;
	conn->received = now.received;
	conn->retransmits = now.retransmits;
	conn->established = ESTABLISHED_NEW;
	conn->established_at = came_unseen ? tp->rcvq_space.time * 1000 + boot_ahead : 0;
	conn->role = ROLE_CONNECTION;
	if (conn->id.direction == WEIR_INCOMING)
		stat_add(WEIR_STAT_ACCEPTED, 1);
}

/* Whether a connect succeeded and that was not shown: the kernel says so before its socket does. state: the socket's. */
static __always_inline bool conn_is_behind(const struct conn *conn, __u8 state)
{
	return conn->established == NOT_ESTABLISHED && !(1 << state & STATES_OF_CONNECT) &&
	       conn->id.direction == WEIR_OUTGOING;
}

/* What is known of a connection since its handshake is done. */
static __always_inline void conn_note_handshake(struct conn *conn, const struct sock *sk, __u64 time)
{
	conn->id.local_port = sk->__sk_common.skc_num;
	conn->error = 0;
	id_note_peer(&conn->id);
	conn->established_at = time;
}

static __always_inline void conn_catch_up(struct conn *conn, const struct sock *sk)
{
	conn_note_handshake(conn, sk, tick_time);
	__sync_val_compare_and_swap(&conn->established, NOT_ESTABLISHED, ESTABLISHED_NEW);
}

/*
 * The same for whoever does not hold the socket. An end takes the role before it says that nothing is established. One
 * that sends data with its SYN has its port by now.
 */
static __always_inline void conn_catch_up_live(struct conn *conn, const struct sock *sk)
{
	if (conn->established != NOT_ESTABLISHED)
		return;
	conn->id.local_port = sk->__sk_common.skc_num;
	if (!conn_is_behind(conn, sk->__sk_common.skc_state))
		return;
	barrier();
	if (*(volatile __u32 *)&conn->role == ROLE_CONNECTION)
		conn_catch_up(conn, sk);
}

/* Moves a reported counter up to now; the difference, 0 when another CPU was faster. */
#define ADVANCE(reported, now)                                                                 \
	({                                                                                     \
		__typeof__(reported) old_ = (reported), new_ = (now);                          \
		new_ > old_ && __sync_val_compare_and_swap(&(reported), old_, new_) == old_    \
			? new_ - old_                                                          \
			: 0;                                                                   \
	})

/* The same for the path that drives the socket: it is never behind, so it always moves. */
#define SETTLE(reported, now)                                                                  \
	({                                                                                     \
		__typeof__(reported) new_ = (now);                                             \
		__typeof__(reported) old_ = __sync_lock_test_and_set(&(reported), new_);       \
		new_ > old_ ? new_ - old_ : 0;                                                 \
	})

#endif /* WEIR_CONN_H */
