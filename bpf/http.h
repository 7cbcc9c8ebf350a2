/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How requests are added up and reported.
 *
 * A sum is reported when a request comes that differs, when it is full, at the end of the
 * connection, and by the interval's walk. When the ring has no room the walk leaves it where
 * it is, and whatever cannot wait goes into `folds`: added up by flow and status class, with
 * its latencies. So detail is lost to a full ring, and never a count.
 */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include "conn.h"
#include "folds.h"
#include "http2.h"

/* Tries of a lock before the call is given up; another CPU holds it for less than a microsecond. */
#define LOCK_TRIES 512
#define PIPELINE_MAX 1024

/* Requests that began before the one in work on their connection was answered. */
struct pipeline_key {
	__u64 state; /* address of the connection's http_state */
	__u64 number;
};

struct pipelined_request {
	struct http_request request;
	char head[WEIR_HTTP_HEAD_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct pipeline_key);
	__type(value, struct pipelined_request);
} pipelined SEC(".maps") __weak;

__weak int weir_http_wait_for_lock(struct http_state *http)
{
	if (!http)
		return 0;
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!__sync_val_compare_and_swap(&http->lock, 0, 1))
			return 1;
	}
	return 0;
}

static __always_inline bool http_lock(struct http_state *http)
{
	__u32 held = __sync_val_compare_and_swap(&http->lock, 0, 1);

	barrier_var(held); /* or the compiler makes the answer out of a second one */
	return !held || weir_http_wait_for_lock(http);
}

static __always_inline void http_unlock(struct http_state *http)
{
	__sync_lock_test_and_set(&http->lock, 0);
}

/* How far a value is shifted in its bucket's number. */
static __noinline __u32 bucket_shift(__u64 value)
{
	__u32 width = 0;

#define STEP(n) if (value >> (n)) { value >>= (n); width += (n); }
	STEP(32) STEP(16) STEP(8) STEP(4) STEP(2) STEP(1)
#undef STEP
	width += value != 0;
	return width > 7 ? width - 7 : 0;
}

/* The bucket of plugin/flow/histogram.h. Latencies of a connection are alike: the last one's shift most often fits. */
static __always_inline __u32 latency_bucket(__u64 value, __u8 *last_shift)
{
	__u32 shift = *last_shift;
	__u64 part = value >> shift;

	if (part < 64 || part >= 128) {
		if (value >= 1ULL << 48)
			value = (1ULL << 48) - 1;
		shift = bucket_shift(value);
		part = value >> shift;
		*last_shift = shift;
	}
	return (shift << 6) + (__u32)part;
}

static __always_inline __u32 http_record_size(const struct weir_http_record *record)
{
	__u32 head = record->head_len;

	if (record->count > 1)
		return sizeof(*record);
	if (head > WEIR_HTTP_HEAD_MAX)
		head = WEIR_HTTP_HEAD_MAX;
	return offsetof(struct weir_http_record, head) + head;
}

static __always_inline struct pipelined_request *newest_in_pipeline(struct http_state *http)
{
	struct pipeline_key key = {.state = (__u64)http, .number = http->newest};

	return bpf_map_lookup_elem(&pipelined, &key);
}

static __always_inline void count_response_bytes(struct http_state *http, struct weir_http_record *record, __u64 time,
						 __u32 n)
{
	if (http->waiting) {
		http->now.response_bytes += n;
		return;
	}
	record->response_bytes += n;
	if (http->slowest_in_work)
		record->total = time - record->time;
}

/* Counts n bytes of one direction. */
static __always_inline void count_bytes(struct http_state *http, struct weir_http_record *record, bool of_request,
					__u64 time, __u32 n)
{
	struct pipelined_request *next;

	if (!of_request) {
		count_response_bytes(http, record, time, n);
	} else if (http->newest != http->first) {
		next = newest_in_pipeline(http);
		if (next)
			next->request.request_bytes += n;
	} else if (http->waiting) {
		http->now.request_bytes += n;
	} else {
		record->request_bytes += n;
	}
}

/*
 * Bytes that the program received without a call that shows them (splice, mapped memory), besides the `seen` ones
 * of a call that has just ended.
 */
static __always_inline __u32 http_unseen(const struct http_state *http, const struct sock *sk,
					 const struct tcp_sock *tp, __u32 seen)
{
	__u32 until = tp->copied_seq;
	__s32 unseen = until - seen - http->read_until;

	/* a FIN that was read counts as a byte */
	if (until == tp->rcv_nxt && sk->__sk_common.skc_flags & (1UL << SOCK_DONE))
		unseen--;
	return http->phase == HTTP_ONE && unseen > 0 ? unseen : 0;
}

static __always_inline void http_clear(struct weir_http_record *record)
{
	record->request_bytes = 0;
	record->response_bytes = 0;
	record->latency_sum = 0;
	record->latency_max = 0;
	record->count = 0;
	record->latencies = 0;
}

/* Reports what was added up, if anything was and it is known of which socket. */
__weak int weir_http_flush(struct weir_http_record *record)
{
	__u32 size;

	if (!record)
		return 0;
	if (!record->count && !record->request_bytes && !record->response_bytes)
		return 0;
	size = http_record_size(record);
	if (!record->id.transport)
		stat_add(WEIR_STAT_TLS_NO_SOCKET, record->count);
	else if (bpf_ringbuf_output(&ring, record, size, ring_flags(size)))
		http_fold(record);
	http_clear(record);
	return 0;
}

/* Reports the request in work, which got no answer. */
static __always_inline void http_report_unanswered(struct http_state *http, struct weir_http_record *record)
{
	weir_http_flush(record);
	if (http->now.method_len) {
		record->status = 0;
		record->version = http->now.version;
		record->time = http->now.time;
		record->count = 1;
		record->request_bytes = http->now.request_bytes;
		record->response_bytes = http->now.response_bytes;
		record->total = 0;
		weir_http_flush(record);
	}
	http->waiting = 0;
}

/* Makes a request that waited in the pipeline the one in work. False when there is none. */
static __always_inline bool http_next_in_pipeline(struct http_state *http, struct weir_http_record *record)
{
	struct pipeline_key key = {.state = (__u64)http};
	struct pipelined_request *next;

	if (http->first == http->newest)
		return false;
	http->first++;
	key.number = http->first;
	next = bpf_map_lookup_elem(&pipelined, &key);
	if (!next)
		return true;
	weir_http_flush(record);
	http->now = next->request;
	__builtin_memcpy(record->head, next->head, sizeof(record->head));
	record->head_len = http->now.head_len;
	record->method_len = http->now.method_len;
	record->version = http->now.version;
	record->flags = (record->flags & ~WEIR_HTTP_PATH_TRUNCATED) |
			(http->now.truncated ? WEIR_HTTP_PATH_TRUNCATED : 0);
	http->waiting = 1;
	http->whole = 0;
	bpf_map_delete_elem(&pipelined, &key);
	return true;
}

struct http_finish_context {
	struct http_state *http;
	struct weir_http_record *record;
};

static long http_finish_step(__u32 i, struct http_finish_context *c)
{
	if (!http_next_in_pipeline(c->http, c->record))
		return 1;
	if (c->http->waiting)
		http_report_unanswered(c->http, c->record);
	return 0;
}

/* Nothing more is expected of what was asked: all of it is reported. The lock is held. */
__weak int weir_http_finish(struct http_state *http, struct weir_http_record *record)
{
	struct http_finish_context context = {.http = http, .record = record};

	if (!http || !record)
		return 0;
	if (http->waiting)
		http_report_unanswered(http, record);
	else
		weir_http_flush(record);
	if (http->first != http->newest)
		bpf_loop(PIPELINE_MAX, http_finish_step, &context, 0);
	return 0;
}

/* Nothing more comes. The lock is held. */
static __always_inline void http_end(struct http_state *http, struct weir_http_record *record)
{
	weir_http_finish(http, record);
	if (http->phase == HTTP_TWO)
		http2_end(http, &record->id);
	http->phase = HTTP_NOT;
	http->common = 0;
}

/* The connection ended. What another CPU holds is ended by that one; false then. */
static __always_inline bool http_close(const struct sock *sk, const struct tcp_sock *tp, struct http_conn *hc)
{
	struct http_state *http;
	__u32 unseen;

	if (!hc)
		return true;
	http = &hc->http;
	http->closing = 1;
	if (!http_lock(http))
		return false;
	if (http->closing) {
		http->closing = 0;
		unseen = http_unseen(http, sk, tp, 0);
		if (unseen)
			count_bytes(http, &hc->record, http->request_is_rx, bpf_ktime_get_boot_ns(), unseen);
		http_end(http, &hc->record);
	}
	http_unlock(http);
	return true;
}

/*
 * The socket is closed. A reset may answer what a call sends before that call returns: what it
 * sent is looked at then, and the end comes after it; false then.
 */
static __always_inline bool http_on_close(const struct sock *sk, const struct tcp_sock *tp, struct http_conn *hc)
{
	if (!hc)
		return true;
	if (is_sending(sk)) {
		hc->http.closing = 1;
		return false;
	}
	return http_close(sk, tp, hc);
}

/* The same for a connection whose end was not shown. */
__weak int weir_http_gone(struct http_conn *hc)
{
	if (!hc || !http_lock(&hc->http))
		return 0;
	http_end(&hc->http, &hc->record);
	http_unlock(&hc->http);
	return 0;
}

/* From a walk: reports what is there, if the ring has room. */
static __always_inline void http_report_sum(struct http_state *http, struct weir_http_record *record)
{
	__u32 size;

	if (!record->count && !record->request_bytes && !record->response_bytes)
		return;
	if (!http_lock(http))
		return;
	if (record->count || record->request_bytes || record->response_bytes) {
		size = http_record_size(record);
		if (!bpf_ringbuf_output(&ring, record, size, ring_flags(size)))
			http_clear(record);
	}
	http_unlock(http);
}

#endif /* WEIR_HTTP_H */
