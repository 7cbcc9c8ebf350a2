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

/* Weak: kernels before 6.2 have none, and run no program that calls it. */
extern void *bpf_rdonly_cast(const void *object, __u32 type_id) __ksym __weak;

/* Of a socket that is known to be one of TCP. Costs nothing, unlike bpf_skc_to_tcp_sock(). */
static __always_inline const struct tcp_sock *as_tcp(const struct sock *sk)
{
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
}

static __always_inline void take_evidence(const struct sock *sk, struct socket_evidence *out)
{
	const struct tcp_sock *tp = as_tcp(sk);

	out->retransmits = tp->total_retrans;
	out->rtt = tp->srtt_us >> 3;
	out->unread = tp->rcv_nxt - tp->copied_seq;
	out->unsent = tp->write_seq - tp->snd_una;
}

/* Whether the n bytes at base in user memory are those that the record's request had. The room for them is on a
 * stack of its own: other calls need theirs. */
static __noinline int is_recorded_request(const char *base, const struct weir_http_record *record, __u32 n)
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

static __always_inline bool on_repeated_request(const struct sock *sk, struct http_conn *hc, struct task_struct *task,
						__u32 len, __u64 time)
{
	struct http_state *http = &hc->http;
	__u32 here = len;
	const char *base;

	if (!(http->common & COMMON_REQUEST) || http->whole != len)
		return false;
	base = first_user_bytes(task, &here);
	if (!base || here != len || !is_recorded_request(base, &hc->record, len))
		return false;
	http->newest++;
	request_in_work(http);
	http->common = http->careful ? 0 : COMMON_RESPONSE;
	http->now.retransmits = as_tcp(sk)->total_retrans;
	http->now.time = time;
	http->now.request_bytes = len;
	return true;
}

/* Another one than the last one's. */
static __noinline __u32 take_status(struct http_state *http, __u64 first, __u64 second)
{
	__u64 words[2] = {first, second};
	__u32 status = status_of((const char *)words);

	if (status < 200)
		return 0;
	http->status_words[0] = first;
	http->status_words[1] = second;
	http->line_status = status;
	return status;
}

/* Status of a response that begins with these bytes; most often it is the last one's. 0 when it is none that is final. */
static __always_inline __u32 plain_status(struct http_state *http, const __u64 *words)
{
	if (words[0] == http->status_words[0] && words[1] == http->status_words[1] && http->line_status)
		return http->line_status;
	return take_status(http, words[0], words[1]);
}

static __always_inline bool on_plain_response(const struct sock *sk, struct http_conn *hc, struct task_struct *task,
					      __u32 len, __u64 time)
{
	struct weir_http_record *record = &hc->record;
	struct http_state *http = &hc->http;
	struct socket_evidence evidence;
	__u32 here = len, status;
	const char *base;
	__u64 line[2];

	if (http->common & COMMON_REST) {
		count_response_bytes(http, record, time, len);
		return true;
	}
	if (!(http->common & COMMON_RESPONSE))
		return false;
	base = first_user_bytes(task, &here);
	if (!base || here < sizeof(line) || bpf_probe_read_user(line, sizeof(line), base))
		return false;
	status = plain_status(http, line);
	if (!status)
		return false;
	http->responses.state = LANE_BLIND;
	http->common = COMMON_REQUEST | COMMON_REST;
	http->now.response_bytes += len;
	if (answer(http, record, time, time, status, line[0] >> 56)) {
		take_evidence(sk, &evidence);
		keep_evidence(http, record, &evidence);
	}
	return true;
}

/* False when the call is none of these; nothing was done then. The lock is held. */
static __always_inline bool http_on_common_call(const struct sock *sk, struct http_conn *hc, struct task_struct *task,
						__u32 len, __u64 time, bool rx)
{
	return rx == hc->http.request_is_rx ? on_repeated_request(sk, hc, task, len, time) :
					      on_plain_response(sk, hc, task, len, time);
}

#endif /* WEIR_HTTP_COMMON_H */
