/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of a connection. */
#ifndef WEIR_CONN_STATE_H
#define WEIR_CONN_STATE_H

#include "kernel_types.h"
#include "events.h"
#include "http_state.h"
#include <bpf/bpf_helpers.h>

enum conn_role {
	ROLE_NONE = 0, /* closed, or not begun */
	ROLE_CONNECTION = 1,
	ROLE_PLACED = 2, /* in storage: the connection has a place in the table, or is about to */
};

/* Whether the connection was counted in tcp_established. */
enum conn_established {
	NOT_ESTABLISHED = 0,
	ESTABLISHED_NEW = 1,
	ESTABLISHED_REPORTED = 2,
};

/* How long HTTP is asked after a connection has come to rest: its program may read what came a little later. */
#define RESTED_LONG 2

struct conn {
	__u64 sent, received; /* reported so far */
	__u32 retransmits;    /* reported so far */
	__u32 established;    /* enum conn_established */
	__u32 role;	      /* enum conn_role */
	__u32 place;	      /* in the table, from 1; 0 = in socket storage */
	__u32 rest_sent, rest_received; /* sequence numbers when a walk found it at rest; of one that has finished, see there */
	__u8 settled;	      /* counted in WEIR_STAT_SETTLED */
	__u8 has_http;	      /* there is an http_conn beside it */
	__u8 rested;	      /* walks that found it at rest, up to RESTED_LONG; without a role: that found it so */
	__u8 http_absent;     /* what stands beside it in the table says HTTP_ABSENT */
	__u8 finished;	      /* its owner is done: rest_* are what `sent` and `received` will come to, modulo 2^32 */
	__u8 reserved;
	__u16 error;	      /* that its socket told its program, as long as its end was not shown */
	__u64 established_at; /* boot time, ns; 0 = before the start */
	struct weir_conn_id id;
};

/* Only of connections whose bytes are looked at. Made when the owner is known, so its id is complete. */
struct http_conn {
	struct http_state http;
	struct weir_http_record record;
};

#endif /* WEIR_CONN_STATE_H */
