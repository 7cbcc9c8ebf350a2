/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/1 messages in pieces of memory (RFC 9112).
 *
 * The functions that loop are global ones: the verifier checks each once, for any
 * argument, instead of following every length through all that comes after.
 */
#ifndef WEIR_HTTP_PARSE_H
#define WEIR_HTTP_PARSE_H

#include "http_state.h"
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>

#define HEAD_MAX WEIR_HTTP_HEAD_MAX
#define PIECE_MAX 512

#define WORD(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)
#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

struct head {
	char bytes[HEAD_MAX];
};

/* Bytes of a call. Eight more than are used, so that they can be read by eight. */
struct piece {
	char bytes[PIECE_MAX + 8];
};

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

#define TEXT(s) ((__u64)(__u8)(s)[0] | (__u64)(__u8)(s)[1] << 8 | (__u64)(__u8)(s)[2] << 16 |       \
		 (__u64)(__u8)(s)[3] << 24 | (__u64)(__u8)(s)[4] << 32 | (__u64)(__u8)(s)[5] << 40 | \
		 (__u64)(__u8)(s)[6] << 48 | (__u64)(__u8)(s)[7] << 56)

/* Whether the len bytes are the begin of a method, and too short to be one. */
static __always_inline bool may_become_method(const char *head, __u32 len)
{
	__u64 word = *(const __u64 *)head, mask;

	if (!len || len >= 8)
		return false;
	mask = ~0ULL >> (64 - 8 * len);
	return !((word ^ TEXT("GET     ")) & mask) || !((word ^ TEXT("PUT     ")) & mask) ||
	       !((word ^ TEXT("POST    ")) & mask) || !((word ^ TEXT("HEAD    ")) & mask) ||
	       !((word ^ TEXT("PATCH   ")) & mask) || !((word ^ TEXT("TRACE   ")) & mask) ||
	       !((word ^ TEXT("DELETE  ")) & mask) || !((word ^ TEXT("OPTIONS ")) & mask) ||
	       !((word ^ TEXT("CONNECT ")) & mask);
}

static __always_inline bool is_http1(const char *at)
{
	return *(const __u32 *)at == WORD('H', 'T', 'T', 'P') &&
	       (*(const __u32 *)(at + 4) & 0xffffff) == WORD('/', '1', '.', 0);
}

/* Status of a response that begins with these twelve bytes, 0 when it is none. */
static __always_inline __u32 status_of(const char *line)
{
	__u8 a = line[9] - '0', b = line[10] - '0', c = line[11] - '0';

	if (!is_http1(line) || line[8] != ' ' || a > 9 || b > 9 || c > 9)
		return 0;
	return a * 100 + b * 10 + c;
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

/* First byte from `at` on that ends a path: below '!' or, where a query may begin, '?'. */
__weak __u32 weir_find_end(const struct head *head, __u32 at, __u32 stop_at_query)
{
	if (!head)
		return HEAD_MAX;
	for (int i = 0; i < HEAD_MAX / 8; i++) {
		__u64 word, marks, query;

		if (at >= HEAD_MAX)
			break;
		if (at > HEAD_MAX - 8)
			at = HEAD_MAX - 8; /* what is looked at again ended nothing */
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

enum line_verdict {
	LINE_NOT = 0, /* not a request */
	LINE_MORE,    /* could be one, if more comes */
	LINE_DONE,    /* all that is kept of it is known */
};

/*
 * Reads a request line as far as it was captured. head_len never goes beyond the path, so
 * that whatever ends the request, a query string is not sent on.
 */
__weak __u32 weir_parse_line(const struct head *head, __u32 len, struct http_request *request)
{
	__u32 method, end, target_end;

	if (!head || !request)
		return LINE_NOT;
	if (len > HEAD_MAX)
		len = HEAD_MAX;
	method = method_length(head->bytes, len);
	request->captured = len;
	request->method_len = method;
	request->head_len = 0;
	if (!method)
		return may_become_method(head->bytes, len) ? LINE_MORE : LINE_NOT;
	request->is_connect = head->bytes[0] == 'C';
	request->is_head = head->bytes[0] == 'H';
	end = weir_find_end(head, method + 1, 1);
	if (end >= len) {
		request->head_len = len;
		request->truncated = len == HEAD_MAX;
		return len == HEAD_MAX ? LINE_DONE : LINE_MORE;
	}
	request->head_len = end;
	target_end = end;
	if (end < HEAD_MAX && head->bytes[end] == '?')
		target_end = weir_find_end(head, end, 0);
	barrier_var(target_end); /* or the bound below is checked on a copy the verifier cannot relate */
	if (target_end > HEAD_MAX - 9)
		return LINE_DONE; /* the version stands beyond what is kept */
	if (target_end + 9 > len)
		return len == HEAD_MAX ? LINE_DONE : LINE_MORE;
	if (head->bytes[target_end] != ' ' || !is_http1(head->bytes + target_end + 1))
		return LINE_NOT;
	request->version = head->bytes[target_end + 8] == '0' ? 10 : 11;
	return LINE_DONE;
}

const char content_length[16] __weak = "content-length:";
const char transfer_encoding[19] __weak = "transfer-encoding:";
const char chunked_coding[8] __weak = "chunked";

#define LENGTH_MAX (1ULL << 60)
#define OTHER_CODING 255

/* A character of a line that may be one of the two fields that say how long a message is. */
static __always_inline void scan_character(struct http_lane *lane, __u8 c)
{
	__u8 lower = c >= 'A' && c <= 'Z' ? c | 0x20 : c, matched = lane->matched;

	switch (lane->field) {
	case FIELD_START:
		lane->matched = 1;
		lane->field = lower == 'c' ? FIELD_LENGTH : lower == 't' ? FIELD_CODING : FIELD_SKIP;
		return;
	case FIELD_LENGTH:
		if (matched >= sizeof(content_length) - 1 || content_length[matched] != lower) {
			lane->field = FIELD_SKIP;
		} else if (matched == sizeof(content_length) - 2) {
			lane->field = FIELD_LENGTH_VALUE;
			lane->length = 0;
		}
		lane->matched = matched + 1;
		return;
	case FIELD_LENGTH_VALUE:
		if (c >= '0' && c <= '9' && lane->length < LENGTH_MAX) {
			lane->length = lane->length * 10 + (c - '0');
			lane->has_length = 1;
		} else if (c != ' ' && c != '\t') {
			lane->field = FIELD_SKIP;
		}
		return;
	case FIELD_CODING:
		if (matched >= sizeof(transfer_encoding) - 1 || transfer_encoding[matched] != lower)
			lane->field = FIELD_SKIP;
		lane->matched = matched + 1;
		if (matched == sizeof(transfer_encoding) - 2) {
			lane->field = FIELD_CODING_VALUE;
			lane->matched = 0;
		}
		return;
	case FIELD_CODING_VALUE:
		/* chunked counts when it is the last coding */
		if (c == ',') {
			lane->matched = 0;
			lane->chunked = 0;
		} else if (c != '\r' && c != ' ' && c != '\t') {
			lane->matched = matched < sizeof(chunked_coding) - 1 && chunked_coding[matched] == lower ?
						matched + 1 :
						OTHER_CODING;
			lane->chunked = lane->matched == sizeof(chunked_coding) - 1;
		}
		return;
	}
}

/* How far a scan came stands in the lane: of what lies on its stack, the verifier would follow every value. */
struct scan {
	const struct piece *piece;
	struct http_lane *lane;
	__u32 n;
};

static __always_inline void end_line(struct scan *scan, __u32 at)
{
	const struct piece *piece = scan->piece;
	struct http_lane *lane = scan->lane;

	if (lane->state == LANE_LINE) {
		lane->state = LANE_FIELDS;
		if (at >= 2 && at < PIECE_MAX)
			lane->last = piece->bytes[at - 1] == '\r' ? piece->bytes[at - 2] : piece->bytes[at - 1];
	} else if (lane->field == FIELD_START) {
		lane->state = LANE_HEAD_END;
	}
	lane->field = FIELD_START;
}

/* The eight bytes at `text`, those marked that end a line. */
static __always_inline __u64 line_ends(const char *text)
{
	__u64 word = *(const __u64 *)text ^ ONES * '\n';

	return (word - ONES) & ~word & HIGHS;
}

static long scan_step(__u32 i, struct scan *scan)
{
	struct http_lane *lane = scan->lane;
	__u32 at = lane->at;
	__u64 marks;
	__u8 c;

	if (at >= scan->n || at >= PIECE_MAX)
		return 1;
	if (lane->field == FIELD_SKIP) {
		marks = line_ends(scan->piece->bytes + at);
		/* most lines are longer than a word, and a step costs more than a few of them */
		for (int words = 1; words < 4 && !marks; words++) {
			at += 8;
			barrier_var(at);
			if (at >= scan->n || at >= PIECE_MAX)
				break;
			marks = line_ends(scan->piece->bytes + at);
		}
		if (!marks) {
			lane->at = at >= scan->n ? at : at + 8;
			return 0;
		}
		at += first_marked(marks);
		barrier_var(at);
		if (at >= scan->n || at >= PIECE_MAX) {
			lane->at = scan->n;
			return 1;
		}
	}
	c = scan->piece->bytes[at];
	lane->at = at + 1;
	if (c == '\n') {
		end_line(scan, at);
		return lane->state == LANE_HEAD_END;
	}
	if (c != '\r' || lane->field != FIELD_START)
		scan_character(lane, c);
	return 0;
}

/*
 * Reads lines until the head or the trailers end (LANE_HEAD_END) or the piece does; returns
 * how far it came.
 */
__weak __u32 weir_scan(const struct piece *piece, struct http_lane *lane, __u32 n)
{
	struct scan scan = {.piece = piece, .lane = lane, .n = n};

	if (!piece || !lane)
		return n;
	lane->at = 0;
	bpf_loop(PIECE_MAX + 1, scan_step, &scan, 0);
	return lane->at < n ? lane->at : n;
}

static long chunk_line_step(__u32 i, struct scan *scan)
{
	struct http_lane *lane = scan->lane;
	__u32 at = lane->at;
	__u8 c, letter, digit;

	if (at >= scan->n || at >= PIECE_MAX)
		return 1;
	c = scan->piece->bytes[at];
	lane->at = at + 1;
	if (c == '\n') {
		lane->field = FIELD_START;
		lane->state = lane->left ? LANE_CHUNK : LANE_TRAILERS;
		if (lane->left)
			lane->left += 2;
		return 1;
	}
	if (lane->field == FIELD_SKIP)
		return 0;
	letter = c | 0x20;
	digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : 16;
	if (digit > 15 || lane->left >= LENGTH_MAX)
		lane->field = FIELD_SKIP;
	else
		lane->left = lane->left * 16 + digit;
	return 0;
}

/* The length of a chunk, in a line with perhaps more behind it; returns how far it came. */
__weak __u32 weir_chunk_line(const struct piece *piece, struct http_lane *lane, __u32 n)
{
	struct scan scan = {.piece = piece, .lane = lane, .n = n};

	if (!piece || !lane)
		return n;
	lane->at = 0;
	bpf_loop(PIECE_MAX, chunk_line_step, &scan, 0);
	return lane->at < n ? lane->at : n;
}

/* Adds the piece's first n bytes to the `at` there are, as far as there is room; returns how many are there then. */
__weak __u32 weir_append(struct head *head, __u32 at, const struct piece *piece, __u32 n)
{
	if (!head || !piece)
		return at;
	for (__u32 i = 0; i < HEAD_MAX; i++) {
		barrier_var(at);
		if (i >= n || at >= HEAD_MAX)
			return at;
		head->bytes[at] = piece->bytes[i];
		at++;
	}
	return at;
}

/* Whether the record's sum is of requests like this one. */
__weak int weir_is_same_request(const struct weir_http_record *record, const struct http_request *request,
				const struct head *head)
{
	__u32 len;

	if (!record || !request || !head)
		return 0;
	len = request->head_len;
	if (len != record->head_len || request->method_len != record->method_len ||
	    request->version != record->version || request->truncated != !!(record->flags & WEIR_HTTP_PATH_TRUNCATED))
		return 0;
	for (__u32 i = 0; i < HEAD_MAX / 8; i++) {
		__u64 differ = *(const __u64 *)(head->bytes + 8 * i) ^ *(const __u64 *)(record->head + 8 * i);

		if (8 * i + 8 >= len)
			return 8 * i >= len || !(differ & ~0ULL >> (64 - 8 * (len - 8 * i)));
		if (differ)
			return 0;
	}
	return 1;
}

#endif /* WEIR_HTTP_PARSE_H */
