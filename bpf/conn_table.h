/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table that connections live in as long as there is room.
 *
 * Socket storage costs some 1,800 instructions of the kernel's for each socket, to allocate it and to free it after a
 * grace period: more than everything else that is done for a connection that carries one request. Here a place is taken
 * with one compare-and-exchange in the bucket that the socket's address leads to, and given back with one store.
 *
 * Storage is freed with its socket, a place when the socket's state becomes closed. So:
 *  - A place is not taken again for some milliseconds. A program on another CPU that found it just before has ended then.
 *    At once it is taken only by a socket at the same address: whoever is in a call on a socket keeps it from being
 *    freed, so there is no such program then. (The kernel gives the same few addresses out again and again.)
 *  - The walk is in no such call. It says which place it looks at, and that one is not taken meanwhile.
 *  - The walk reads sockets by their address, as memory that may be gone. If the end of a connection was not seen (the
 *    kernel does not run a program that it interrupts), the socket says something else now, and the place is given back.
 *
 * A place holds the connection and, at the same index of another map, what is known of its HTTP, which is found without
 * looking at the connection: it is asked for with every call on a socket.
 */
#ifndef WEIR_CONN_TABLE_H
#define WEIR_CONN_TABLE_H

#include "conn_state.h"

#define CONN_WAYS WEIR_CONN_WAYS
#define CONN_BUCKETS_A_RUN 64 /* of the walk */
/* Jiffies that a place rests: 8 to 80 ms. */
#define CONN_REST 8

/* Whose the places are: the address of a socket; that plus 1 when it has left, at the jiffy `left`; or 0, never used. */
struct conn_bucket {
	__u64 places[CONN_WAYS];
	__u64 left[CONN_WAYS];
};

/* All are sized at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct conn_bucket);
} conn_buckets SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CONN_WAYS);
	__type(key, __u32);
	__type(value, struct conn);
} conn_places SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CONN_WAYS);
	__type(key, __u32);
	__type(value, struct http_conn);
} http_places SEC(".maps") __weak;

/* Buckets - 1, a power of two below 2^16. Written once at load. */
extern const volatile __u32 conn_bucket_mask;
/* What is followed besides TCP connections. Written once at load. */
extern const volatile __u8 follow_http, follow_udp, follow_dns;
/* Set when the sockets that were there before the start are known: from then on none is met by two at once. */
extern __u32 conn_table_open;
/* That the walk looks at, from 1; 0 = none. */
extern __u32 walked_place;

/* Addresses differ in their lower half; the kernel's verifier takes only that for a number. */
static __always_inline __u32 conn_bucket_of(const struct sock *sk)
{
	__u32 low = (__u32)(unsigned long)sk;

	return ((low * 0x9e3779b1u) >> 16) & conn_bucket_mask;
}

static __always_inline struct conn *conn_at(__u32 place)
{
	return bpf_map_lookup_elem(&conn_places, &place);
}

static __always_inline struct http_conn *http_at(__u32 place)
{
	return bpf_map_lookup_elem(&http_places, &place);
}

static __always_inline __u32 conn_find_in(const struct conn_bucket *bucket, __u32 at, const struct sock *sk)
{
	at *= CONN_WAYS;
	if (bucket->places[0] == (__u64)sk)
		return at + 1;
	if (bucket->places[1] == (__u64)sk)
		return at + 2;
	if (bucket->places[2] == (__u64)sk)
		return at + 3;
	return bucket->places[3] == (__u64)sk ? at + 4 : 0;
}

/* The bucket that sk's address leads to, and where sk stands, from 1; 0 = it has no place. */
static __always_inline struct conn_bucket *conn_bucket_with(const struct sock *sk, __u32 *place)
{
	__u32 at = conn_bucket_of(sk);
	struct conn_bucket *bucket = bpf_map_lookup_elem(&conn_buckets, &at);

	*place = bucket ? conn_find_in(bucket, at, sk) : 0;
	return bucket;
}

static __always_inline __u32 conn_table_find(const struct sock *sk)
{
	__u32 place;

	conn_bucket_with(sk, &place);
	return place;
}

static __always_inline bool conn_place_take(struct conn_bucket *bucket, __u32 at, __u32 way, const struct sock *sk)
{
	__u64 holder = bucket->places[way];

	if (holder != (__u64)sk + 1 && holder && (!(holder & 1) || bpf_jiffies64() - bucket->left[way] < CONN_REST))
		return false;
	if (__sync_val_compare_and_swap(&bucket->places[way], holder, (__u64)sk) != holder)
		return false;
	if (walked_place != at * CONN_WAYS + way + 1)
		return true;
	bucket->places[way] = holder;
	return false;
}

/* Says that the walk looks at a place that a socket had a moment ago; false when it has it no more. */
static __always_inline bool conn_place_walk(const struct conn_bucket *bucket, __u32 at, __u32 way, __u64 holder)
{
	__sync_lock_test_and_set(&walked_place, at * CONN_WAYS + way + 1); /* seen by whoever takes a place after this */
	return *(const volatile __u64 *)&bucket->places[way] == holder;
}

/* The way that sk has had before; where nothing was, the first. */
static __always_inline __u32 conn_way_before(const struct conn_bucket *bucket, const struct sock *sk)
{
	__u64 holder = (__u64)sk + 1;

	return bucket->places[1] == holder ? 1 : bucket->places[2] == holder ? 2 : bucket->places[3] == holder ? 3 : 0;
}

static __always_inline void conn_place_clear(struct conn *conn, __u32 at)
{
	struct http_conn *hc = conn->http_absent ? NULL : http_at(at);

	if (hc)
		hc->http.phase = HTTP_ABSENT;
	__builtin_memset(conn, 0, sizeof(*conn));
	conn->http_absent = 1;
	conn->place = at + 1;
}

/* Of sk, a new one if it has none: all zeros but for where it stands. NULL when there is no room. */
static __always_inline struct conn *conn_table_get(const struct sock *sk)
{
	__u32 at = conn_bucket_of(sk), place, way;
	struct conn_bucket *bucket;
	struct conn *conn;

	if (!conn_table_open)
		return NULL;
	bucket = bpf_map_lookup_elem(&conn_buckets, &at);
	if (!bucket)
		return NULL;
	place = conn_find_in(bucket, at, sk);
	if (place)
		return conn_at(place - 1);
	way = conn_way_before(bucket, sk);
	for (__u32 i = 0; !conn_place_take(bucket, at, way, sk); i++) {
		if (i == CONN_WAYS - 1)
			return NULL;
		way = (way + 1) % CONN_WAYS;
	}
	at = at * CONN_WAYS + way;
	conn = conn_at(at);
	if (conn)
		conn_place_clear(conn, at);
	return conn;
}

/* Gives back a place, from 0, unless somebody else has. It must not be used any more. */
static __always_inline void conn_place_leave(struct conn_bucket *bucket, __u32 place, struct conn *conn)
{
	__u32 way = place % CONN_WAYS;

	if (!conn->place)
		return;
	conn->role = ROLE_NONE;
	conn->place = 0;
	bucket->left[way] = bpf_jiffies64();
	bucket->places[way] |= 1;
}

/* The same where only the connection is known; nothing for one that has no place. */
static __always_inline void conn_table_leave(struct conn *conn)
{
	__u32 place = conn->place - 1, at = place / CONN_WAYS;
	struct conn_bucket *bucket = conn->place ? bpf_map_lookup_elem(&conn_buckets, &at) : NULL;

	if (bucket)
		conn_place_leave(bucket, place, conn);
}

#endif /* WEIR_CONN_TABLE_H */
