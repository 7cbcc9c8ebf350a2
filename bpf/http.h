/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a request that was followed on a socket is reported.
 *
 * A request is reported when the next one begins, when the connection ends, or by
 * the interval's walk: only then are its bytes known. Whoever moves `pending` from
 * the request's number to 0 reports it, so it is reported once; the walk copies the
 * record first and throws the copy away when it lost that race.
 */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include "conn.h"

static __always_inline __u32 http_record_size(const struct weir_http_record *record)
{
	__u32 head = record->head_len;

	if (head > WEIR_HTTP_HEAD_MAX)
		head = WEIR_HTTP_HEAD_MAX;
	return offsetof(struct weir_http_record, head) + head;
}

static __always_inline void http_emit(struct weir_http_record *record)
{
	__u32 size = http_record_size(record);

	if (bpf_ringbuf_output(&ring, record, size, ring_flags(size)))
		stat_add(WEIR_STAT_RING_FULL_HTTP, 1);
}

static __always_inline void http_set_bytes(const struct http_state *http, struct weir_http_record *record,
					   __u64 rx, __u64 tx)
{
	record->request_bytes = http->request_is_rx ? rx : tx;
	record->response_bytes = http->request_is_rx ? tx : rx;
}

/* Reports the request in work from the path that drives the socket's state. */
static __always_inline void http_report(struct conn *conn)
{
	struct http_state *http = &conn->http;
	struct weir_http_record *record = &conn->record;
	__u64 rx, tx;

	if (http->phase != HTTP_REQUEST && http->phase != HTTP_RESPONSE)
		return;
	rx = SETTLE(http->rx_reported, http->rx);
	tx = SETTLE(http->tx_reported, http->tx);
	if (!__sync_lock_test_and_set(&http->pending, 0)) {
		if (!rx && !tx)
			return;
		record->flags |= WEIR_HTTP_CONTINUED;
	}
	http_set_bytes(http, record, rx, tx);
	http_emit(record);
}

/* Reports from the walk what is new of a request whose response has begun. What finds no
 * room in the ring stays with the socket for the next walk. */
static __always_inline void http_report_from_walk(struct conn *conn)
{
	struct http_state *http = &conn->http;
	struct weir_http_record *copy;
	__u32 pending = http->pending, number = http->number;

	if (http->phase != HTTP_RESPONSE)
		return;
	if (!pending && http->rx == http->rx_reported && http->tx == http->tx_reported)
		return;
	copy = bpf_ringbuf_reserve(&ring, sizeof(*copy), 0);
	if (!copy)
		return;
	__builtin_memcpy(copy, &conn->record, sizeof(*copy));
	if (pending ? __sync_val_compare_and_swap(&http->pending, pending, 0) != pending
		    : http->number != number) {
		bpf_ringbuf_discard(copy, BPF_RB_NO_WAKEUP);
		return;
	}
	if (!pending)
		copy->flags |= WEIR_HTTP_CONTINUED;
	http_set_bytes(http, copy, ADVANCE(http->rx_reported, http->rx), ADVANCE(http->tx_reported, http->tx));
	bpf_ringbuf_submit(copy, BPF_RB_NO_WAKEUP);
}

#endif /* WEIR_HTTP_H */
