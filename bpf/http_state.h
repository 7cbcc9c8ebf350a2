/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of the HTTP that goes through a connection.
 *
 * The record that stands beside this state is a sum: requests that were answered alike are added up there and
 * reported once an interval, or when a different one comes. That is what makes a request cheap, and it is why
 * a full ring costs no count.
 *
 * Two CPUs may send and receive on one connection at once, and the walk may look at it at the same time, so
 * whoever touches state or record holds `lock`.
 */
#ifndef WEIR_HTTP_STATE_H
#define WEIR_HTTP_STATE_H

#include "events.h"

/* A connection joined midway may show bodies first: so many calls may make no sense. */
#define HTTP_MISSES_MAX 16

enum http_phase {
	HTTP_UNKNOWN = 0, /* nothing recognised yet */
	HTTP_ONE,	  /* HTTP/1 is followed */
	HTTP_TWO,	  /* HTTP/2: its bytes go to user space */
	HTTP_UPGRADED,	  /* after a 101: HTTP/2 if its preface comes */
	/* from here on the socket's bytes are not looked at as HTTP */
	HTTP_NOT,	  /* another protocol: final, data is not looked at again */
	HTTP_TLS,	  /* ciphertext: followed where the program calls its TLS library */
	HTTP_DNS,	  /* its bytes go to user space */
	HTTP_PASSED_BY,	  /* of a process that nobody wants to know of */
	HTTP_ABSENT,	  /* there was no call on the connection yet: nothing else here counts */
};

/* What the next call may be to take the short way (http_common.h), which asks for nothing else then. */
enum http_common {
	COMMON_REQUEST = 1,  /* the same request again */
	COMMON_RESPONSE = 2, /* the begin of the only awaited response */
	COMMON_REST = 4,     /* more of a response whose end is not looked for */
};

/* Where one direction of a connection stands in its messages. */
enum lane_state {
	LANE_START = 0, /* a message may begin */
	LANE_LINE,	/* in its first line */
	LANE_FIELDS,	/* in the header fields */
	LANE_HEAD_END,	/* the empty line was read */
	LANE_BODY,	/* `left` more bytes */
	LANE_CHUNK_LINE,
	LANE_CHUNK,	/* `left` more bytes, the line end behind them included */
	LANE_TRAILERS,
	LANE_BLIND,	/* a response whose end is not looked for: it is over when the next request comes */
};

/* What the line in work may be. */
enum lane_field {
	FIELD_START = 0,
	FIELD_SKIP,
	FIELD_LENGTH,	    /* in the name Content-Length */
	FIELD_LENGTH_VALUE,
	FIELD_CODING,	    /* in the name Transfer-Encoding */
	FIELD_CODING_VALUE,
};

struct http_lane {
	__u64 left;	/* bytes to pass over; HTTP/2: of the frame */
	__u64 length;	/* Content-Length; HTTP/2: bytes so far */
	__u8 state;	/* enum lane_state */
	__u8 field;	/* enum lane_field */
	__u8 matched;	/* characters of a name or value; HTTP/2: bytes of the frame's header */
	__u8 has_length;
	__u8 chunked;
	__u8 last;	/* character before the end of the first line that tells the version */
	__u8 skip;	/* HTTP/2: the frame's payload is not handed over */
	__u8 reserved[3];
	__u16 at;	/* in the piece in work */
};

/* A request that was not answered yet. */
struct http_request {
	__u64 time; /* boot time of its first byte, ns */
	__u64 request_bytes, response_bytes;
	__u32 retransmits; /* of the socket, at its begin */
	__u16 captured;	   /* bytes in head */
	__u16 head_len;	   /* of those: method and path */
	__u8 method_len;
	__u8 version;
	__u8 truncated;
	__u8 line_done; /* the request line was read as far as it is kept */
	__u8 is_head;
	__u8 is_connect;
	__u8 reserved[2];
};

struct socket_evidence {
	__u32 retransmits, rtt, unread, unsent;
};

#define STATUS_LINE_NEEDED 12 /* "HTTP/1.1 200" */

struct http_state {
	__u32 lock;
	__u8 phase; /* enum http_phase */
	__u8 request_is_rx; /* requests are received: this end is the server */
	__u8 misses_left;   /* chunks that may still make no sense */
	__u8 closing;	    /* the end came while another held the lock */
	__u8 waiting;	    /* the request in work has no answer yet */
	__u8 careful;	    /* responses are followed to their end: requests did not wait for them */
	__u8 interim;	    /* the response in work is a 1xx */
	__u8 tail;	    /* bytes of a response whose end was not looked for may still come */
	__u8 status_len;    /* bytes in status_line */
	__u8 is_tls;
	__u8 on_wire;	    /* TLS: bytes are counted where the ciphertext goes */
	__u8 upgraded;
	__u8 slowest_in_work; /* the record's slowest request is the one in work */
	__u8 common;	    /* enum http_common, of the phase HTTP_ONE */
	__u8 latency_shift; /* of the last latency's bucket */
	__u32 first;	    /* number of the request in work */
	__u32 newest;	    /* number of the last request that began */
	__u32 whole;	    /* length of the request in record.head when it is there to its last byte, else 0;
			     * the requests' lane is at its start then */
	__u64 response_time;
	__u64 cookie;	    /* HTTP/2: of the connection; HTTP_TLS: address of the library's object, 0 = unknown */
	__u64 established_at;
	struct http_lane requests, responses;
	struct socket_evidence evidence; /* TLS: of the socket at its last call */
	struct http_request now; /* the request in work; its head is the record's */
	union {
		char status_line[16]; /* begin of a response, when it came in pieces; or of the last one that did not */
		__u64 status_words[2];
	};
	__u32 line_status; /* of that last one; 0 when it came in pieces */
	__u32 unknown_sends; /* HTTP_TLS: while the cookie is 0 */
	union {
		__u32 read_until; /* the socket's copied_seq after the last call */
		__u32 passed_by;  /* HTTP_PASSED_BY: since this change of whom to pass by */
	};
	__u32 reserved;
};

#endif /* WEIR_HTTP_STATE_H */
