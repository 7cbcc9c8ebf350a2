// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HTTP/1 from what goes through a socket.
 *
 * Most calls on most sockets must cost next to nothing, so user memory is read only where
 * the socket's phase needs it: at the first bytes of a request, and at the first bytes of
 * its response. Bodies are only counted. A socket that speaks another protocol is found
 * out once and from then on pays one lookup.
 *
 * Of a request the method and the path are kept, up to the query string, which never
 * leaves this file.
 */
#include "conn.h"
#include "http.h"
#include "udp.h"
#include "user_buffer.h"

#define HEAD_MAX WEIR_HTTP_HEAD_MAX
/* A request line that comes in pieces is put together from pieces of this size. */
#define PIECE_MAX 64
#define STATUS_LINE_NEEDED 12 /* "HTTP/1.1 200" */
/* A connection joined midway may show bodies first: so many chunks may make no sense. */
#define MISSES_MAX 16

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)
#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

/* Length of the method that head begins with, 0 when it is none. */
static __always_inline __u32 method_length(const char *head, __u32 len)
{
	__u32 first = *(const __u32 *)head, second = *(const __u32 *)(head + 4);

	switch (first) {
	case WORD('G', 'E', 'T', ' '):
	case WORD('P', 'U', 'T', ' '):
		return len >= 4 ? 3 : 0;
	case WORD('P', 'O', 'S', 'T'):
	case WORD('H', 'E', 'A', 'D'):
		return len >= 5 && head[4] == ' ' ? 4 : 0;
	case WORD('P', 'A', 'T', 'C'):
		return len >= 6 && (second & 0xffff) == (WORD('H', ' ', 0, 0)) ? 5 : 0;
	case WORD('T', 'R', 'A', 'C'):
		return len >= 6 && (second & 0xffff) == (WORD('E', ' ', 0, 0)) ? 5 : 0;
	case WORD('D', 'E', 'L', 'E'):
		return len >= 7 && (second & 0xffffff) == (WORD('T', 'E', ' ', 0)) ? 6 : 0;
	case WORD('O', 'P', 'T', 'I'):
		return len >= 8 && second == (WORD('O', 'N', 'S', ' ')) ? 7 : 0;
	case WORD('C', 'O', 'N', 'N'):
		return len >= 8 && second == (WORD('E', 'C', 'T', ' ')) ? 7 : 0;
	}
	return 0;
}

/* Whether what came so far is too short to be a method and begins like one. */
static __always_inline bool may_become_method(const char *head, __u32 len)
{
	char c = head[0];

	return len < 8 && (c == 'G' || c == 'P' || c == 'H' || c == 'D' || c == 'O' || c == 'C' || c == 'T');
}

static __always_inline bool is_http1(const char *at)
{
	return *(const __u32 *)at == WORD('H', 'T', 'T', 'P') &&
	       (*(const __u32 *)(at + 4) & 0xffffff) == WORD('/', '1', '.', 0);
}

/* Where the lowest marked byte of a word stands. A mark is the byte's high bit. */
static __always_inline __u32 first_marked(__u64 marks)
{
	__u32 at = 0;

	if (!(marks & 0xffffffffULL)) {
		marks >>= 32;
		at += 4;
	}
	if (!(marks & 0xffffULL)) {
		marks >>= 16;
		at += 2;
	}
	if (!(marks & 0xffULL))
		at += 1;
	return at;
}

struct head {
	char bytes[HEAD_MAX];
};

/*
 * First byte from `at` on that ends a path: below '!' or, where a query may begin, '?'.
 * Eight bytes a step. A global function: the verifier checks it once, for any `at`,
 * instead of following every length of a path through all that comes after.
 */
__noinline __u32 weir_find_end(const struct head *head, __u32 at, __u32 stop_at_query)
{
	if (!head)
		return HEAD_MAX;
	for (int i = 0; i < HEAD_MAX / 8; i++) {
		__u64 word, marks, query;

		if (at > HEAD_MAX - 8)
			break;
		word = *(const __u64 *)(head->bytes + at);
		marks = (word - ONES * '!') & ~word & HIGHS;
		if (stop_at_query) {
			query = word ^ ONES * '?';
			marks |= (query - ONES) & ~query & HIGHS;
		}
		if (marks)
			return at + first_marked(marks);
		at += 8;
	}
	return HEAD_MAX;
}

/* What is not HTTP where a request should begin: nothing more is looked for once the misses are used up. */
static __always_inline void http_miss(struct http_state *http)
{
	if (http->misses_left) {
		http->misses_left--;
		http->phase = HTTP_UNKNOWN;
	} else {
		http->phase = HTTP_NOT;
	}
}

/*
 * Reads the request line as far as it was captured. record.head_len never goes beyond the
 * path, so that whatever ends the request, a query string is not sent on.
 */
static __always_inline void parse_request_line(struct conn *conn)
{
	struct weir_http_record *record = &conn->record;
	struct http_state *http = &conn->http;
	__u32 len = http->captured, method = method_length(record->head, len), end, target_end;

	if (!method) {
		if (!may_become_method(record->head, len))
			http_miss(http);
		return;
	}
	if (!http->pending)
		http->pending = http->number;
	record->method_len = method;
	http->is_connect = record->head[0] == 'C';
	/* no room for another piece: what is there must do */
	http->request_line_done = len > HEAD_MAX - PIECE_MAX;

	end = weir_find_end((const struct head *)record->head, method + 1, 1);
	if (end >= len) {
		record->head_len = len;
		if (http->request_line_done)
			record->flags |= WEIR_HTTP_PATH_TRUNCATED;
		return;
	}
	record->head_len = end;
	target_end = end;
	if (end < HEAD_MAX && record->head[end] == '?')
		target_end = weir_find_end((const struct head *)record->head, end, 0);
	barrier_var(target_end); /* or the bound below is checked on a copy the verifier cannot relate */
	if (target_end > HEAD_MAX - 9 || target_end + 9 > len)
		return;
	http->request_line_done = 1;
	if (!is_http1(record->head + target_end + 1)) {
		http->pending = 0;
		http_miss(http);
		return;
	}
	record->version = record->head[target_end + 8] == '0' ? 10 : 11;
}

/* A chunk where a request may begin. */
static __always_inline void on_request_begin(struct conn *conn, __u32 len, bool rx)
{
	struct weir_http_record *record = &conn->record;
	struct http_state *http = &conn->http;
	struct user_buffer data;
	__u32 n;

	http_report(conn);
	http->pending = 0;
	if (!find_user_buffer(len, &data)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		http_miss(http);
		return;
	}
	n = data.len < HEAD_MAX ? data.len : HEAD_MAX;
	if (bpf_probe_read_user(record->head, n, data.base)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		http_miss(http);
		return;
	}
	if (http->phase == HTTP_UNKNOWN && is_http1(record->head))
		return; /* the end of an exchange whose begin was not seen */
	record->kind = WEIR_RECORD_HTTP;
	record->status = 0;
	record->flags = rx ? WEIR_HTTP_SERVER : 0;
	record->version = 0;
	record->time = bpf_ktime_get_boot_ns();
	record->latency = 0;
	record->method_len = 0;
	record->head_len = 0;
	if (http->phase == HTTP_RESPONSE)
		http->misses_left = MISSES_MAX;
	http->phase = HTTP_REQUEST;
	http->request_is_rx = rx;
	http->request_line_done = 0;
	http->status_len = 0;
	http->captured = n;
	http->number++;
	http->rx_reported = http->rx;
	http->tx_reported = http->tx;
	parse_request_line(conn);
}

/* The next piece of a request line that came in pieces. */
static __always_inline void on_request_piece(struct conn *conn, __u32 len)
{
	struct http_state *http = &conn->http;
	__u32 at = http->captured, n;
	struct user_buffer data;

	if (at > HEAD_MAX - PIECE_MAX || !find_user_buffer(len, &data)) {
		http->request_line_done = 1;
		return;
	}
	n = data.len < PIECE_MAX ? data.len : PIECE_MAX;
	if (bpf_probe_read_user(conn->record.head + at, n, data.base)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		http->request_line_done = 1;
		return;
	}
	http->captured = at + n;
	parse_request_line(conn);
}

/* First bytes against the direction of the request. */
static __always_inline void on_response_begin(struct conn *conn, __u32 len)
{
	struct weir_http_record *record = &conn->record;
	struct http_state *http = &conn->http;
	__u32 at = http->status_len & 15, n;
	const char *line = http->status_line;
	struct user_buffer data;
	__u16 status;

	if (!record->latency)
		record->latency = bpf_ktime_get_boot_ns() - record->time;
	if (!find_user_buffer(len, &data)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		http->phase = HTTP_RESPONSE;
		return;
	}
	n = data.len < 16 ? data.len : 16;
	if (bpf_probe_read_user(http->status_line + at, n, data.base)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		http->phase = HTTP_RESPONSE;
		return;
	}
	if (at + n < STATUS_LINE_NEEDED) {
		http->status_len = at + n;
		return;
	}
	http->status_len = 0;
	if (!is_http1(line) || line[8] != ' ') {
		http->pending = 0;
		http_miss(http);
		return;
	}
	status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	if (status < 200 && status != 101) {
		/* 100 Continue and its kind: the answer is still to come */
		record->latency = 0;
		return;
	}
	record->status = status;
	if (!record->version)
		record->version = line[7] == '0' ? 10 : 11;
	http->phase = HTTP_RESPONSE;
}

/* The begin was missed: followed from here on. */
static __always_inline struct conn *adopt_late(const struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct conn *conn;

	if (!tp || sk->__sk_common.skc_state == TCP_CLOSE)
		return NULL;
	conn = conn_create(sk);
	if (conn && conn->role == ROLE_NONE) {
		conn_adopt(conn, sk, tp);
		stat_add(WEIR_STAT_SEEN_LATE, 1);
	}
	return conn;
}

static __always_inline void count_bytes(struct http_state *http, __u32 len, bool rx)
{
	if (rx)
		http->rx += len;
	else
		http->tx += len;
}

/* len bytes went through the socket in a call of current. */
static __always_inline void on_data(const struct sock *sk, int len, bool rx)
{
	struct http_state *http;
	struct conn *conn;
	bool of_request;

	if (len <= 0 || !is_inet(sk))
		return;
	conn = conn_get(sk);
	if (!conn)
		conn = adopt_late(sk);
	if (!conn || conn->role != ROLE_CONNECTION)
		return;
	conn_set_owner_current(conn);
	http = &conn->http;
	if (http->phase == HTTP_NOT)
		return;

	of_request = rx == http->request_is_rx;
	if (http->phase == HTTP_UNKNOWN || (http->phase == HTTP_RESPONSE && of_request)) {
		on_request_begin(conn, len, rx);
	} else if (http->phase == HTTP_REQUEST) {
		if (!of_request)
			on_response_begin(conn, len);
		else if (!http->request_line_done)
			on_request_piece(conn, len);
	}
	count_bytes(http, len, rx);

	if (http->phase == HTTP_RESPONSE && !of_request &&
	    (conn->record.status == 101 || (http->is_connect && conn->record.status / 100 == 2))) {
		/* from here on the connection carries something else */
		http_report(conn);
		http->phase = HTTP_NOT;
	}
}

static __always_inline void on_call(const struct sock *sk, int ret, bool rx)
{
	if (sk->sk_protocol == IPPROTO_TCP) {
		if (follow_http)
			on_data(sk, ret, rx);
	} else if (sk->sk_protocol == IPPROTO_UDP) {
		if (follow_udp && is_inet(sk))
			on_udp(sk, ret, rx);
	}
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


