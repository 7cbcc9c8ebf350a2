/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/1 out of the calls that move its bytes.
 *
 * What is common goes another way (http_common.h). All else goes through the pump, which follows both
 * directions message by message (RFC 9112, section 6): bodies are passed over without reading them, heads are
 * read in pieces.
 *
 * Included by each object that has programs which see bytes.
 */
#ifndef WEIR_HTTP_MACHINE_H
#define WEIR_HTTP_MACHINE_H

#include "http.h"
#include "http_parse.h"

/* Steps of one call: messages, vectors and pieces of heads. */
#define STEPS_MAX 4096
/* Empty vectors that a call may begin with. */
#define EMPTY_MAX 8

/*
 * A call that moves bytes. It does not stand on the stack, where the verifier would tell
 * apart each way in which its members can be set.
 */
struct call {
	struct user_bytes bytes;
	struct http2_waiting waiting;
	__u64 time;
	__u8 rx;
	__u8 of_request;
	__u8 lost; /* what came made no sense */
	struct socket_evidence evidence;
};

struct scratch {
	struct call call;
	struct piece piece;
	struct pipelined_request request;
};

struct pump {
	struct http_state *http;
	struct weir_http_record *record;
	struct call *call;
	struct scratch *scratch;
};

static __always_inline void consume(struct pump *p, __u32 n)
{
	if (!p->http->on_wire)
		count_bytes(p->http, p->record, p->call->of_request, p->call->time, n);
	user_bytes_advance(&p->call->bytes, n);
}

/* The final status of the request in work, whose response began at `begin`. True when none in the sum took longer:
 * the socket's evidence is wanted. */
static __always_inline bool answer(struct http_state *http, struct weir_http_record *record, __u64 begin, __u64 time,
				   __u32 status, char minor_version)
{
	__s64 latency = begin - http->now.time;
	bool slowest;

	if (latency < 0) /* clocks of two processors */
		latency = 0;
	if (record->status != status || record->count >= WEIR_HTTP_LATENCIES_MAX) {
		weir_http_flush(record);
		record->status = status;
	}
	if (!record->version)
		record->version = minor_version == '0' ? 10 : 11;
	record->latency[record->count & (WEIR_HTTP_LATENCIES_MAX - 1)] =
		latency_bucket(latency, &http->latency_shift);
	record->count++;
	record->latencies = record->count;
	record->latency_sum += latency;
	slowest = (__u64)latency >= record->latency_max;
	http->slowest_in_work = slowest;
	if (slowest) {
		record->latency_max = latency;
		record->time = http->now.time;
		record->total = latency;
		record->age = http->established_at ? time - http->established_at : 0;
	}
	record->request_bytes += http->now.request_bytes;
	record->response_bytes += http->now.response_bytes;
	http->now.request_bytes = 0;
	http->now.response_bytes = 0;
	http->waiting = 0;
	http->misses_left = HTTP_MISSES_MAX;
	return slowest;
}

static __always_inline void keep_evidence(const struct http_state *http, struct weir_http_record *record,
					  const struct socket_evidence *evidence)
{
	record->retransmits = evidence->retransmits - http->now.retransmits;
	record->rtt = evidence->rtt;
	record->unread = evidence->unread;
	record->unsent = evidence->unsent;
}

static __always_inline bool is_tunnel(const struct http_state *http, const struct weir_http_record *record)
{
	return !http->waiting && (record->status == 101 || (http->now.is_connect && record->status / 100 == 2));
}

/* Whether a request that begins now must wait for the end of another's response. */
static __always_inline bool is_pipelined(const struct http_state *http)
{
	return http->waiting || (http->responses.state != LANE_START && http->responses.state != LANE_BLIND);
}

/* What may come next in one of the common ways, as the state is now. */
static __always_inline __u8 common_next(const struct http_state *http)
{
	__u8 common = 0;

	if (http->phase != HTTP_ONE)
		return 0;
	if (!is_pipelined(http))
		common = COMMON_REQUEST;
	if (http->responses.state == LANE_BLIND)
		common |= COMMON_REST;
	else if (http->responses.state == LANE_START && http->waiting && http->now.method_len &&
		 !http->now.is_connect && !http->careful && !http->status_len)
		common |= COMMON_RESPONSE;
	return common;
}

static __always_inline void lane_begin(struct http_lane *lane)
{
	lane->state = LANE_LINE;
	lane->field = FIELD_SKIP;
	lane->matched = 0;
	lane->has_length = 0;
	lane->chunked = 0;
	lane->last = 0;
	lane->length = 0;
}

/* The request in work is a new one. */
static __always_inline void request_in_work(struct http_state *http)
{
	http->first = http->newest;
	http->waiting = 1;
	http->slowest_in_work = 0;
	http->response_time = 0;
	http->status_len = 0;
	if (http->responses.state == LANE_BLIND) {
		http->responses.state = LANE_START;
		http->tail = 1;
	}
}

static __always_inline void record_set_request(struct weir_http_record *record, const struct http_request *request)
{
	record->head_len = request->head_len;
	record->method_len = request->method_len;
	record->version = request->version;
	record->flags = (record->flags & ~WEIR_HTTP_PATH_TRUNCATED) |
			(request->truncated ? WEIR_HTTP_PATH_TRUNCATED : 0);
}

/* A request begins with the n bytes of the piece. False when it is none. */
static __always_inline bool begin_request(struct pump *p, __u32 n)
{
	struct weir_http_record *record = p->record;
	struct scratch *scratch = p->scratch;
	struct http_request *request = &scratch->request.request;
	struct http_state *http = p->http;
	struct pipeline_key key = {.state = (__u64)http};
	__u32 verdict;

	__builtin_memset(request, 0, sizeof(*request));
	verdict = weir_parse_line((const struct head *)&scratch->piece, n, request);
	if (verdict == LINE_NOT)
		return false;
	request->line_done = verdict == LINE_DONE;
	request->time = p->call->time;
	request->retransmits = p->call->evidence.retransmits;
	if (is_pipelined(http)) {
		http->careful = 1;
		__builtin_memcpy(scratch->request.head, scratch->piece.bytes, HEAD_MAX);
		key.number = http->newest + 1;
		if (bpf_map_update_elem(&pipelined, &key, &scratch->request, BPF_ANY))
			return false;
		http->newest++;
	} else {
		if (verdict != LINE_DONE || !weir_is_same_request(record, request, (const struct head *)&scratch->piece))
			weir_http_flush(record);
		__builtin_memcpy(record->head, scratch->piece.bytes, HEAD_MAX);
		record_set_request(record, request);
		http->now = *request;
		http->newest++;
		request_in_work(http);
	}
	http->whole = 0;
	lane_begin(&http->requests);
	return true;
}

/* The next n bytes of a request line that came in pieces. False when it turns out to be none. */
static __always_inline bool continue_request(struct pump *p, __u32 n)
{
	struct http_state *http = p->http;
	bool in_work = http->newest == http->first;
	struct pipelined_request *next = in_work ? NULL : newest_in_pipeline(http);
	struct http_request *request;
	__u32 at, verdict;
	char *head;

	if (!in_work && !next)
		return true;
	request = in_work ? &http->now : &next->request;
	head = in_work ? p->record->head : next->head;
	if (request->line_done)
		return true;
	at = weir_append((struct head *)head, request->captured, &p->scratch->piece, n);
	verdict = weir_parse_line((const struct head *)head, at, request);
	request->line_done = verdict == LINE_DONE;
	if (in_work)
		record_set_request(p->record, request);
	return verdict != LINE_NOT;
}

/* What looked like the newest request was none. */
static __always_inline void take_back_request(struct http_state *http)
{
	struct pipeline_key key = {.state = (__u64)http, .number = http->newest};

	if (http->newest == http->first) {
		http->waiting = 0;
	} else {
		bpf_map_delete_elem(&pipelined, &key);
		http->newest--;
	}
}

static __always_inline void end_message(struct pump *p)
{
	struct http_state *http = p->http;

	if (p->call->of_request) {
		http->requests.state = LANE_START;
		/* what fits into the head and has no body can be recognised by its bytes alone */
		if (!http->is_tls && http->newest == http->first && http->waiting && !http->requests.has_length &&
		    !http->requests.chunked && http->now.line_done && !http->now.is_connect &&
		    http->now.request_bytes <= http->now.captured)
			http->whole = http->now.request_bytes;
		return;
	}
	http->responses.state = LANE_START;
	http->status_len = 0;
	http->tail = 0;
	http_next_in_pipeline(http, p->record);
}

/* How the message goes on behind its head. */
static __always_inline void end_head(struct pump *p)
{
	struct http_state *http = p->http;
	struct http_lane *lane = p->call->of_request ? &http->requests : &http->responses;
	__u32 status = p->record->status;
	bool has_body;

	if (p->call->of_request) {
		if (!http->now.version && http->newest == http->first && (lane->last == '0' || lane->last == '1')) {
			http->now.version = lane->last == '0' ? 10 : 11;
			if (!p->record->version)
				p->record->version = http->now.version;
		}
		has_body = lane->chunked || lane->has_length;
	} else if (http->interim) {
		/* 100 Continue and its kind: the answer is still to come */
		http->interim = 0;
		http->status_len = 0;
		http->response_time = 0;
		lane->state = LANE_START;
		return;
	} else {
		has_body = !http->now.is_head && status != 204 && status != 304;
		if (has_body && !lane->chunked && !lane->has_length) {
			lane->state = LANE_BLIND;
			return;
		}
	}
	if (has_body && lane->chunked) {
		lane->state = LANE_CHUNK_LINE;
		lane->field = FIELD_START;
		lane->left = 0;
	} else if (has_body && lane->length) {
		lane->state = LANE_BODY;
		lane->left = lane->length;
	} else {
		end_message(p);
	}
}

/* A response begins with the n bytes of the piece. False when it is none. */
static __always_inline bool begin_response(struct pump *p, __u32 n)
{
	struct http_state *http = p->http;
	const char *line = p->scratch->piece.bytes;
	__u32 at = http->status_len & 15, status;

	if (!http->waiting) {
		http->responses.state = LANE_BLIND; /* nobody asked */
		return true;
	}
	if (!http->now.method_len)
		return false; /* what was asked was no request */
	if (!at)
		http->response_time = p->call->time;
	if (at || n < STATUS_LINE_NEEDED) {
		http->line_status = 0;
		for (__u32 i = 0; i < STATUS_LINE_NEEDED; i++) {
			if (at + i >= STATUS_LINE_NEEDED || i >= n)
				break;
			http->status_line[(at + i) & 15] = line[i];
			http->status_len++;
		}
		line = http->status_line;
		if (http->status_len < STATUS_LINE_NEEDED) {
			consume(p, n);
			return true;
		}
		consume(p, http->status_len - at);
	}
	status = status_of(line);
	if (!status)
		return false;
	lane_begin(&http->responses);
	if (status < 200 && status != 101)
		http->interim = 1;
	else if (answer(http, p->record, http->response_time, p->call->time, status, line[7]))
		keep_evidence(http, p->record, &p->call->evidence);
	return true;
}

/* Takes up to a piece of what comes next into the scratch room; 0 when it cannot be read. */
static __always_inline __u32 read_piece(struct pump *p)
{
	__u32 n = p->call->bytes.here < PIECE_MAX ? p->call->bytes.here : PIECE_MAX;

	barrier_var(n);
	if (n > PIECE_MAX)
		return 0;
	if (!p->call->bytes.readable || bpf_probe_read_user(p->scratch->piece.bytes, n, p->call->bytes.base)) {
		stat_add(WEIR_STAT_BUFFER_UNREADABLE, 1);
		return 0;
	}
	return n;
}

/* RFC 9112, section 2.2: empty lines may stand before a request. */
static __always_inline bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* Begins a message; the number of its bytes that were taken stays with the caller. False when lost. */
static __always_inline bool begin_message(struct pump *p, __u32 n)
{
	char c = p->scratch->piece.bytes[0];

	if (p->call->of_request) {
		if (is_line_end(c)) {
			consume(p, 1);
			return true;
		}
		return begin_request(p, n);
	}
	if (begin_response(p, n))
		return true;
	if (!p->http->tail)
		return false;
	/* the rest of a response whose end was not looked for */
	p->http->status_len = 0;
	consume(p, p->call->bytes.here);
	return true;
}

static __always_inline void read_lines(struct pump *p, struct http_lane *lane, __u32 n)
{
	bool in_trailers = lane->state == LANE_TRAILERS;
	__u32 used;

	if (lane->state == LANE_CHUNK_LINE) {
		consume(p, weir_chunk_line(&p->scratch->piece, lane, n));
		return;
	}
	used = weir_scan(&p->scratch->piece, lane, n);
	consume(p, used);
	if (lane->state != LANE_HEAD_END)
		return;
	if (in_trailers)
		end_message(p);
	else
		end_head(p);
}

/* n of the bytes that the lane is to pass over. */
static __always_inline void pass_over(struct pump *p, struct http_lane *lane, __u32 n)
{
	lane->left -= n;
	if (lane->left)
		return;
	if (lane->state == LANE_BODY) {
		end_message(p);
	} else {
		lane->state = LANE_CHUNK_LINE;
		lane->field = FIELD_START;
	}
}

static long pump_step(__u32 i, struct pump *p)
{
	struct http_state *http = p->http;
	struct http_lane *lane = p->call->of_request ? &http->requests : &http->responses;
	__u32 n, left;

	if (!p->call->bytes.left || http->phase != HTTP_ONE)
		return 1;
	if (!p->call->bytes.here) /* the next one may be empty, too */
		return !user_bytes_next(&p->call->bytes);
	if (lane->state == LANE_BLIND) {
		if (!is_tunnel(http, p->record))
			consume(p, p->call->bytes.left);
		return 1;
	}
	if (lane->state == LANE_BODY || lane->state == LANE_CHUNK) {
		n = lane->left < p->call->bytes.here ? lane->left : p->call->bytes.here;
		consume(p, n);
		pass_over(p, lane, n);
		return 0;
	}
	n = read_piece(p);
	if (!n) {
		p->call->lost = 1;
		return 1;
	}
	if (lane->state == LANE_START) {
		left = p->call->bytes.left;
		p->call->lost = !begin_message(p, n);
		if (p->call->lost || p->call->bytes.left != left || lane->state != LANE_LINE)
			return p->call->lost;
	} else if (p->call->of_request && lane->state == LANE_LINE && !continue_request(p, n)) {
		take_back_request(http);
		p->call->lost = 1;
		return 1;
	}
	read_lines(p, lane, n);
	return 0;
}

/* What came made no sense where a message should begin: nothing more is looked for once the misses are used up. */
static __always_inline void http_miss(struct pump *p)
{
	struct http_state *http = p->http;

	if (http->phase == HTTP_ONE) {
		if (http->waiting)
			stat_add(WEIR_STAT_HTTP_LOST, 1);
		weir_http_finish(http, p->record);
	}
	if (http->misses_left) {
		http->misses_left--;
		http->phase = HTTP_UNKNOWN;
	} else {
		http->phase = HTTP_NOT;
	}
}

/* After bytes of a response: from here on the connection may carry something else. */
static __always_inline void http_look_for_tunnel(struct http_state *http, struct weir_http_record *record)
{
	if (http->responses.state != LANE_BLIND || !is_tunnel(http, record))
		return;
	weir_http_finish(http, record);
	http->upgraded = record->status == 101;
	http->phase = http->upgraded ? HTTP_UPGRADED : HTTP_NOT;
}

/* Follows a call's bytes through the messages they belong to. */
__weak int weir_pump(struct http_state *http, struct weir_http_record *record, struct scratch *scratch)
{
	struct pump p = {.http = http, .record = record, .scratch = scratch};

	if (!http || !record || !scratch)
		return 0;
	p.call = &scratch->call;
	bpf_loop(STEPS_MAX, pump_step, &p, 0);
	if (p.call->lost)
		http_miss(&p);
	return 0;
}

/* The first bytes of a connection, or of one whose sense was lost. */
__weak int weir_identify(struct http_state *http, struct weir_http_record *record, struct scratch *scratch)
{
	struct pump p = {.http = http, .record = record, .scratch = scratch};
	const char *bytes;
	__u32 n, kind;

	if (!http || !record || !scratch)
		return 0;
	p.call = &scratch->call;
	bytes = scratch->piece.bytes;
	for (int i = 0; i < EMPTY_MAX && !p.call->bytes.here; i++) {
		if (!user_bytes_next(&p.call->bytes))
			break;
	}
	n = read_piece(&p);
	kind = n ? http2_recognise(bytes, n, http->misses_left != 0) : 0;
	if (kind && !record->id.transport) {
		stat_add(WEIR_STAT_TLS_NO_SOCKET, 1); /* it is joined when its socket is known */
	} else if (kind) {
		http2_begin(http, &record->id, scratch->call.rx, kind);
	} else if (http->phase == HTTP_UPGRADED) {
		http->phase = HTTP_NOT;
	} else if (n && (is_line_end(bytes[0]) ||
			 weir_parse_line((const struct head *)&scratch->piece, n, &scratch->request.request))) {
		http->phase = HTTP_ONE;
		http->request_is_rx = scratch->call.rx;
		http->requests.state = LANE_START;
		http->responses.state = LANE_START;
		http->status_len = 0;
		http->waiting = 0;
		http->whole = 0;
		record->kind = WEIR_RECORD_HTTP;
		record->flags = (scratch->call.rx ? WEIR_HTTP_SERVER : 0) | (http->is_tls ? WEIR_HTTP_TLS : 0);
	} else if (n >= 3 && !http->is_tls && (__u8)bytes[0] >= 0x14 && (__u8)bytes[0] <= 0x17 && bytes[1] == 3 &&
		   (__u8)bytes[2] <= 4) {
		http->phase = HTTP_TLS;
	} else if (n < 8 || !is_http1(bytes)) {
		http_miss(&p); /* else: the end of an exchange whose begin was not seen */
	}
	return 0;
}

/* n bytes were received that no call shows: of a body, for a program reads what it understands. */
static __always_inline void http_on_unseen_bytes(struct pump *p, __u32 n)
{
	struct http_state *http = p->http;
	struct http_lane *lane;

	p->call->of_request = http->request_is_rx;
	lane = p->call->of_request ? &http->requests : &http->responses;
	if (lane->state != LANE_BODY && lane->state != LANE_CHUNK && lane->state != LANE_BLIND)
		return;
	count_bytes(http, p->record, p->call->of_request, p->call->time, n);
	if (lane->state != LANE_BLIND)
		pass_over(p, lane, n < lane->left ? n : lane->left);
}

/* What cannot be done in the two common ways. */
static __always_inline void http_on_other_bytes(struct pump *p)
{
	struct http_state *http = p->http;

	if (http->phase == HTTP_UNKNOWN)
		weir_identify(http, p->record, p->scratch);
	if (http->phase == HTTP_ONE) {
		p->call->of_request = p->call->rx == http->request_is_rx;
		weir_pump(http, p->record, p->scratch);
		if (!p->call->of_request)
			http_look_for_tunnel(http, p->record);
	}
	if (http->phase == HTTP_UPGRADED && p->call->bytes.left)
		weir_identify(http, p->record, p->scratch);
	if (http->phase == HTTP_TWO && p->call->bytes.left)
		weir_http2_bytes(http, &p->record->id, &p->call->bytes, &p->call->waiting, p->call->rx);
}

#endif /* WEIR_HTTP_MACHINE_H */
