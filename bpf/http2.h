/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/2 (RFC 9113): its bytes are handed to user space, where HPACK's state lives.
 *
 * Here only the frames' lengths and types are followed, so that the payload of DATA frames,
 * which is most of what moves and says nothing, is neither read nor handed over.
 */
#ifndef WEIR_HTTP2_H
#define WEIR_HTTP2_H

#include "conn.h"
#include "user_buffer.h"

#define HTTP2_PREFACE_LEN 24
#define HTTP2_FRAME_HEADER 9
#define HTTP2_DATA 0
#define HTTP2_HEADERS 1
#define HTTP2_SETTINGS 4
/* Payload of DATA that is shorter costs less to hand over than to leave out. */
#define HTTP2_SHORT_DATA 64
#define HTTP2_STEPS_MAX 4096

enum http2_kind {
	HTTP2_NOT = 0,
	HTTP2_PREFACE, /* the client's first bytes */
	HTTP2_SERVER_PREFACE, /* the server's */
	HTTP2_MIDWAY,
};

extern __u64 next_cookie;

/* How n bytes at the begin of a call, or of a connection, are HTTP/2. */
static __always_inline __u32 http2_recognise(const char *bytes, __u32 n, bool midway)
{
	const __u8 *b = (const __u8 *)bytes;
	__u32 length, stream;

	if (n >= 4 && *(const __u32 *)b == ('P' | 'R' << 8 | 'I' << 16 | ' ' << 24))
		return HTTP2_PREFACE;
	if (n < HTTP2_FRAME_HEADER)
		return HTTP2_NOT;
	length = b[0] << 16 | b[1] << 8 | b[2];
	stream = (__u32)b[5] << 24 | b[6] << 16 | b[7] << 8 | b[8];
	if (b[3] == HTTP2_SETTINGS && b[4] == 0 && !stream && length % 6 == 0 && length <= 6 * 16)
		return HTTP2_SERVER_PREFACE;
	if (midway && b[3] == HTTP2_HEADERS && !(b[4] & ~0x2d) && b[4] & 4 && (stream & 0x80000001) == 1 && length &&
	    length + HTTP2_FRAME_HEADER <= n)
		return HTTP2_MIDWAY;
	return HTTP2_NOT;
}

static __always_inline void http2_lane_begin(struct http_lane *lane)
{
	__builtin_memset(lane, 0, sizeof(*lane));
}

static __always_inline void http2_begin(struct http_state *http, const struct weir_conn_id *id, bool rx, __u32 kind)
{
	struct http_lane *requests = &http->requests;

	http2_lane_begin(requests);
	http2_lane_begin(&http->responses);
	http->request_is_rx = kind == HTTP2_PREFACE	     ? rx
			      : kind == HTTP2_SERVER_PREFACE ? !rx
							     : id->direction == WEIR_INCOMING;
	http->careful = kind != HTTP2_MIDWAY; /* seen from its begin on */
	if (http->careful)
		requests->left = HTTP2_PREFACE_LEN;
	http->cookie = __sync_fetch_and_add(&next_cookie, 1);
	http->phase = HTTP_TWO;
}

static __always_inline void chunk_fill(struct weir_chunk_record *chunk, const struct http_state *http,
				       const struct weir_conn_id *id)
{
	chunk->kind = WEIR_RECORD_CHUNK;
	chunk->time = bpf_ktime_get_boot_ns();
	chunk->id = *id;
	chunk->cookie = http->cookie;
	chunk->reserved = 0;
	chunk->flags = (http->request_is_rx ? WEIR_CHUNK_SERVER : 0) | (http->is_tls ? WEIR_CHUNK_TLS : 0) |
		       (http->upgraded ? WEIR_CHUNK_UPGRADED : 0) | (http->careful ? WEIR_CHUNK_BEGIN : 0);
}

/* Bytes that lie together and wait to be handed over. */
struct http2_waiting {
	const char *base;
	__u64 offset;
	__u32 len;
	__u32 rx;
};

struct http2_call {
	struct http_state *http;
	const struct weir_conn_id *id;
	struct user_bytes *bytes;
	struct http2_waiting *waiting;
	struct http_lane *lane;
};

/* The ring takes records of sizes that are known when the program is loaded. */
#define CHUNK_OF(size)                                                                                        \
	({                                                                                                    \
		struct weir_chunk_record *chunk_ =                                                            \
			bpf_ringbuf_reserve(&ring, offsetof(struct weir_chunk_record, data) + (size), 0);     \
		if (chunk_ && n <= (size) && !bpf_probe_read_user(chunk_->data, n, call->waiting->base)) {             \
			chunk_fill(chunk_, call->http, call->id);                                     \
			chunk_->flags |= call->waiting->rx ? WEIR_CHUNK_RX : 0;                                        \
			chunk_->len = n;                                                                      \
			chunk_->offset = call->waiting->offset;                                                        \
			bpf_ringbuf_submit(chunk_, ring_flags(size));                                         \
			sent = true;                                                                          \
		} else if (chunk_) {                                                                          \
			bpf_ringbuf_discard(chunk_, BPF_RB_NO_WAKEUP);                                        \
		}                                                                                             \
	})

/* Hands over what waits. */
static __noinline int http2_ship(struct http2_call *call)
{
	bool sent = false;
	__u32 n;

	if (!call)
		return 0;
	n = call->waiting->len;
	if (!n)
		return 0;
	barrier_var(n);
	if (n > WEIR_CHUNK_MAX)
		return 0;
	if (n <= 128)
		CHUNK_OF(128);
	else if (n <= 1024)
		CHUNK_OF(1024);
	else
		CHUNK_OF(WEIR_CHUNK_MAX);
	if (!sent)
		stat_add(WEIR_STAT_CHUNK_LOST, 1);
	call->waiting->len = 0;
	return 0;
}

/* Takes n bytes of the call, to be handed over or not. */
static __always_inline void http2_take(struct http2_call *call, __u32 n, bool wanted)
{
	struct http2_waiting *waiting = call->waiting;
	struct user_bytes *bytes = call->bytes;

	if (wanted && bytes->readable) {
		if (!waiting->len) {
			waiting->base = bytes->base;
			waiting->offset = call->lane->length;
		}
		waiting->len += n;
	}
	call->lane->length += n;
	user_bytes_advance(bytes, n);
}

/* Reads what is here of a frame's header. */
static __always_inline void http2_frame_header(struct http2_call *call)
{
	struct http_lane *lane = call->lane;
	__u32 at = lane->matched, n = HTTP2_FRAME_HEADER - at;
	__u8 header[HTTP2_FRAME_HEADER] = {};

	if (at >= HTTP2_FRAME_HEADER) {
		lane->matched = 0;
		return;
	}
	if (n > call->bytes->here)
		n = call->bytes->here;
	barrier_var(n);
	if (n > HTTP2_FRAME_HEADER)
		return;
	bpf_probe_read_user(header, n, call->bytes->base);
	for (__u32 i = 0; i < HTTP2_FRAME_HEADER; i++) {
		if (i >= n)
			break;
		if (at + i < 3)
			lane->left = lane->left << 8 | header[i];
		else if (at + i == 3)
			lane->chunked = header[i]; /* the type */
	}
	lane->matched = at + n;
	http2_take(call, n, true);
	if (lane->matched == HTTP2_FRAME_HEADER) {
		lane->matched = 0;
		lane->skip = lane->chunked == HTTP2_DATA && lane->left > HTTP2_SHORT_DATA;
	}
}

static long http2_step(__u32 i, struct http2_call *call)
{
	struct user_bytes *bytes = call->bytes;
	struct http_lane *lane = call->lane;
	__u32 n;

	if (!bytes->left) {
		return 1;
	}
	if (!bytes->here) {
		http2_ship(call); /* what is together in memory goes together */
		return !user_bytes_next(bytes);
	}
	if (!bytes->readable) {
		stat_add(WEIR_STAT_CHUNK_LOST, 1);
		http2_take(call, bytes->left, false);
		return 1;
	}
	if (call->waiting->len > WEIR_CHUNK_MAX - HTTP2_FRAME_HEADER) {
		http2_ship(call);
		return 0;
	}
	if (!lane->left || lane->matched) {
		http2_frame_header(call);
		return 0;
	}
	n = lane->left < bytes->here ? lane->left : bytes->here;
	if (lane->skip) {
		http2_ship(call);
		http2_take(call, n, false);
	} else {
		if (n > WEIR_CHUNK_MAX - call->waiting->len)
			n = WEIR_CHUNK_MAX - call->waiting->len;
		http2_take(call, n, true);
	}
	lane->left -= n;
	return 0;
}

/* The bytes of a call on an HTTP/2 connection. The lock is held. */
__weak int weir_http2_bytes(struct http_state *http, const struct weir_conn_id *id, struct user_bytes *bytes,
			    struct http2_waiting *waiting, __u32 rx)
{
	struct http2_call call = {.http = http, .id = id, .bytes = bytes, .waiting = waiting};

	if (!http || !id || !bytes || !waiting)
		return 0;
	waiting->len = 0;
	waiting->rx = rx;
	call.lane = !rx == !http->request_is_rx ? &http->requests : &http->responses;
	bpf_loop(HTTP2_STEPS_MAX, http2_step, &call, 0);
	http2_ship(&call);
	return 0;
}

/* The connection ended. */
static __always_inline void http2_end(struct http_state *http, const struct weir_conn_id *id)
{
	struct weir_chunk_record *chunk = bpf_ringbuf_reserve(&ring, offsetof(struct weir_chunk_record, data), 0);

	if (!chunk) {
		stat_add(WEIR_STAT_CHUNK_LOST, 1);
		return;
	}
	chunk_fill(chunk, http, id);
	chunk->flags |= WEIR_CHUNK_END;
	chunk->len = 0;
	chunk->offset = 0;
	bpf_ringbuf_submit(chunk, ring_flags(offsetof(struct weir_chunk_record, data)));
}

#endif /* WEIR_HTTP2_H */
