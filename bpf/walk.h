/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an interval's walk does with a live connection: what is new in its socket's own counters goes into records
 * that user space reads.
 */
#ifndef WEIR_WALK_H
#define WEIR_WALK_H

#include "http.h"
#include "listeners.h"

/* The walk's records. Read by user space through mmap after each walk. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 32768); /* set at load */
	__type(key, __u32);
	__type(value, struct weir_tcp_record);
} walk_records SEC(".maps") __weak;

/* tcp.bpf.c says what they are. */
extern __u32 walk_count, walk_last;
extern __u64 walk_unowned_since;

static __always_inline void record_rtt(struct weir_tcp_record *record, const struct tcp_sock *tp)
{
	record->rtt = tp->srtt_us >> 3;
	record->rtt_var = tp->mdev_us >> 2;
}

/* First reports say when the begin was not seen. */
static __always_inline __u32 established_flags(const struct conn *conn)
{
	return conn->established_at ? WEIR_TCP_ESTABLISHED : WEIR_TCP_ESTABLISHED | WEIR_TCP_ADOPTED;
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

/*
 * Whether a walk has nothing to do with it: no connection, or one whose owner may become known in a moment. Of one that
 * is older, one cache line is looked at.
 */
static __always_inline bool walk_passes_by(const struct conn *conn)
{
	return conn->role != ROLE_CONNECTION ||
	       (conn->established_at > walk_unowned_since && conn->id.owner != WEIR_OWNER_EXACT);
}

static __always_inline struct weir_tcp_record *walk_room(void)
{
	__u32 at = walk_count;

	return bpf_map_lookup_elem(&walk_records, &at);
}

/* Reports what a live connection did since the last report. False when the records are full: nothing was moved. */
static __always_inline bool walk_connection(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn)
{
	__u32 snd_nxt = tp->snd_nxt, rcv_nxt = tp->rcv_nxt;
	struct weir_tcp_record *record;
	struct tcp_counters now;
	bool rests;

	rests = tp->snd_una == snd_nxt;
	tcp_read_counters(sk, tp, conn->id.direction == WEIR_OUTGOING, &now);
	conn_catch_up_live(conn, sk);
	if (conn->established == ESTABLISHED_NEW || now.sent > conn->sent || now.received > conn->received ||
	    now.retransmits > conn->retransmits) {
		record = walk_room();
		if (!record)
			return false;
		id_set_listener(&conn->id);
		fill_walk_record(record, sk, tp, conn, &now);
		walk_count++;
	}
	if (conn->finished)
		return true;
	/* read before the counters: what has moved since then makes a difference to the next walk */
	conn->rest_sent = snd_nxt;
	conn->rest_received = rcv_nxt;
	conn->rested = rests;
	return true;
}

/* In the table or not is told by whoever calls: of the table's, the kernel's helpers do not take the socket. */
static __always_inline bool walk_live(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn, bool is_placed)
{
	bool rests = is_at_rest(conn, tp);

	if (conn->has_http && (!rests || conn->rested < RESTED_LONG || walk_last))
		walk_http(is_placed ? http_at(conn->place - 1) : http_get_stored(sk));
	if (rests) {
		if (conn->rested != RESTED_LONG)
			conn->rested = RESTED_LONG;
		return true;
	}
	return walk_connection(sk, tp, conn);
}

static __always_inline __u64 unreported(__u32 total, __u64 reported)
{
	__u32 more = total - (__u32)reported;

	return more >> 31 ? 0 : more;
}

/* The last report of a connection whose end was not seen; without its last bytes, unless it had finished. */
static __always_inline void fill_gone_record(struct weir_tcp_record *record, struct conn *conn)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->kind = WEIR_RECORD_TCP;
	record->time = bpf_ktime_get_boot_ns();
	id_set_listener(&conn->id);
	record->id = conn->id;
	record->error = conn->error;
	record->flags = conn->established == NOT_ESTABLISHED ? WEIR_TCP_FAILED | WEIR_TCP_RESET :
			conn->established == ESTABLISHED_NEW ? established_flags(conn) | WEIR_TCP_CLOSED :
							       WEIR_TCP_CLOSED;
	conn->established = NOT_ESTABLISHED;
	if (!conn->finished)
		return;
	record->bytes_sent = unreported(conn->rest_sent, conn->sent);
	record->bytes_received = unreported(conn->rest_received, conn->received);
}

/* Its end may be shown at this moment, before its socket says so. */
static __noinline bool has_just_ended(const struct sock *sk)
{
	__u32 at = conn_bucket_of(sk), way;
	struct conn_bucket *bucket = bpf_map_lookup_elem(&conn_buckets, &at);
	struct conn *conn;

	if (!bucket)
		return false;
	way = conn_way_before(bucket, sk);
	if (bucket->places[way] != (__u64)sk + 1)
		return false;
	conn = conn_at(at * CONN_WAYS + way);
	return conn && !id_is_anothers(&conn->id, sk);
}

/* In the place of sk's: of a socket that had this address before, and whose end was not shown. */
static __always_inline bool conn_is_gone(const struct conn *conn, const struct sock *sk)
{
	return conn->role == ROLE_CONNECTION && conn->established != NOT_ESTABLISHED && id_is_anothers(&conn->id, sk);
}

/* tcp.bpf.c */
extern int weir_report_gone(struct conn *conn);

/* Reports the last of a connection that is gone. It keeps its role and its place. */
static __always_inline void conn_report_gone(const struct sock *sk, struct conn *conn)
{
	if (conn->has_http)
		weir_http_gone(http_of(sk, conn));
	weir_report_gone(conn);
}

/* The same, and the place is free. */
static __always_inline void conn_give_up(const struct sock *sk, struct conn *conn)
{
	conn_settled(conn);
	if (!conn_ends(conn))
		return;
	conn_report_gone(sk, conn);
	http_forget(sk, conn);
	conn_table_leave(conn);
}

/* What was found for sk; NULL when it is gone: that is given up. */
static __always_inline struct conn *conn_unless_gone(const struct sock *sk, struct conn *conn)
{
	if (!conn || !conn_is_gone(conn, sk))
		return conn;
	conn_give_up(sk, conn);
	return NULL;
}

/* A socket that was freed keeps its counters until another begins at its address; its port was given back. */
static __always_inline bool is_last_of(const struct sock *sk, const struct conn *conn)
{
	struct weir_conn_id id = {};

	id_set_addresses(&id, &sk->__sk_common);
	return sk->__sk_common.skc_state == TCP_CLOSE && (!id.local_port || id.local_port == conn->id.local_port) &&
	       id.remote_port == conn->id.remote_port &&
	       same_address((const struct address_key *)id.remote, (const struct address_key *)conn->id.remote);
}

/*
 * The end of this connection was not seen: its socket is closed, or says something else by now. False when the records
 * are full.
 */
static __always_inline bool walk_gone(const struct sock *sk, const struct tcp_sock *tp, struct conn *conn)
{
	struct weir_tcp_record *record = walk_room();
	struct tcp_counters now;

	if (!record)
		return false;
	conn_settled(conn);
	if (!conn_ends(conn))
		return true;
	if (conn->has_http)
		weir_http_gone(http_at(conn->place - 1));
	fill_gone_record(record, conn);
	if (is_last_of(sk, conn)) {
		tcp_read_counters(sk, tp, conn->id.direction == WEIR_OUTGOING, &now);
		record->bytes_sent = SETTLE(conn->sent, now.sent);
		record->bytes_received = SETTLE(conn->received, now.received);
		record->retransmits = SETTLE(conn->retransmits, now.retransmits);
		if (!record->error)
			record->error = sk->sk_err_soft;
	}
	walk_count++;
	conn_table_leave(conn);
	return true;
}

/* Without a role: a call that was under way at the end did not come back, or not yet. */
static __always_inline void walk_left(struct conn *conn)
{
	if (conn->rested > RESTED_LONG)
		conn_table_leave(conn);
	else
		conn->rested++;
}

#endif /* WEIR_WALK_H */
