/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The calls that nearly all HTTP/1 consists of, at the least cost: a request that equals the one before it to
 * its last byte, the first bytes of the only response that is awaited, and what follows in that response, which
 * is counted and not read.
 *
 * What is read goes to the stack: kernels that check what is copied from user space look longer at other memory.
 */
#ifndef WEIR_HTTP_COMMON_H
#define WEIR_HTTP_COMMON_H

#include "http_machine.h"

/* No request is shorter: "GET / HTTP/1.1" and two line ends. */
#define REQUEST_MIN 16

static __always_inline void take_evidence(const struct sock *sk, struct socket_evidence *out)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (!tp)
		return;
	out->retransmits = tp->total_retrans;
	out->rtt = tp->srtt_us >> 3;
	out->unread = tp->rcv_nxt - tp->copied_seq;
	out->unsent = tp->write_seq - tp->snd_una;
}

/* Whether the n bytes at base in user memory are those that the record's request had. */
static __always_inline bool is_recorded_request(const char *base, const struct weir_http_record *record, __u32 n)
{
	__u64 bytes[HEAD_MAX / 8 + 1];
	const __u64 *recorded = (const __u64 *)record->head;
	__u32 whole, rest;

	if (n < REQUEST_MIN || n > HEAD_MAX || bpf_probe_read_user(bytes, n, base))
		return false;
#pragma unroll
	for (__u32 i = 0; i < HEAD_MAX / 8; i++) {
		if (8 * i + 8 > n)
			break;
		if (bytes[i] != recorded[i])
			return false;
	}
	rest = n & 7;
	whole = n >> 3;
	barrier_var(whole);
	if (!rest || whole >= HEAD_MAX / 8)
		return !rest;
	return !((bytes[whole] ^ recorded[whole]) << (64 - 8 * rest));
}

static __always_inline bool on_repeated_request(const struct sock *sk, struct http_conn *hc, __u32 len, __u64 time)
{
	struct http_state *http = &hc->http;
	__u32 here = len;
	struct tcp_sock *tp;
	const char *base;

	if (http->whole != len || http->requests.state != LANE_START || is_pipelined(http))
		return false;
	base = first_user_bytes(&here);
	if (!base || here != len || !is_recorded_request(base, &hc->record, len))
		return false;
	http->newest++;
	request_in_work(http);
	tp = bpf_skc_to_tcp_sock((void *)sk);
	http->now.retransmits = tp ? tp->total_retrans : 0;
	http->now.time = time;
	http->now.request_bytes = len;
	return true;
}

/* Status of a response that begins with these bytes; most often it is the last one's. 0 when it is none. */
static __always_inline __u32 plain_status(struct http_state *http, const __u64 *words)
{
	__u32 status;

	if (words[0] == http->status_words[0] && words[1] == http->status_words[1] && http->line_status)
		return http->line_status;
	status = status_of((const char *)words);
	http->status_words[0] = words[0];
	http->status_words[1] = words[1];
	http->line_status = status;
	return status;
}

static __always_inline bool on_plain_response(const struct sock *sk, struct http_conn *hc, __u32 len, __u64 time)
{
	struct socket_evidence evidence = {};
	struct weir_http_record *record = &hc->record;
	struct http_state *http = &hc->http;
	__u32 here = len, status;
	const char *base;
	__u64 line[2];

	if (http->responses.state == LANE_BLIND) {
		count_response_bytes(http, record, time, len);
		return true;
	}
	if (!http->waiting || !http->now.method_len || http->careful || http->responses.state != LANE_START ||
	    http->status_len)
		return false;
	base = first_user_bytes(&here);
	if (!base || here < sizeof(line) || bpf_probe_read_user(line, sizeof(line), base))
		return false;
	status = plain_status(http, line);
	if (status < 200)
		return false;
	http->response_time = time;
	http->responses.state = LANE_BLIND;
	if (answer(http, record, time, status, line[0] >> 56 == '0' ? 10 : 11)) {
		take_evidence(sk, &evidence);
		keep_evidence(http, record, &evidence);
	}
	count_response_bytes(http, record, time, len);
	http_look_for_tunnel(http, record);
	return true;
}

/* False when the call is none of these; nothing was done then. The lock is held. */
static __noinline int http_on_common_call(const struct sock *sk, struct http_conn *hc, __u32 len, __u64 time, bool rx)
{
	if (hc->http.phase != HTTP_ONE)
		return false;
	return rx == hc->http.request_is_rx ? on_repeated_request(sk, hc, len, time) : on_plain_response(sk, hc, len, time);
}

#endif /* WEIR_HTTP_COMMON_H */
