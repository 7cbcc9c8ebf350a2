/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side says to user space: the only header that both include.
 *
 * Every structure has a fixed layout, padded by hand, with its size asserted on
 * both sides; numbers are in the machine's byte order, since both sides run on
 * one machine. The layouts are private to one build of Weir: the objects are
 * embedded in weir.so, so no version travels with a record.
 */
#ifndef WEIR_EVENTS_H
#define WEIR_EVENTS_H

#include <stddef.h>
#include <linux/types.h>

#ifdef __cplusplus
#define WEIR_ASSERT(cond) static_assert(cond, #cond)
#else
#define WEIR_ASSERT(cond) _Static_assert(cond, #cond)
#endif

enum weir_direction {
	WEIR_DIRECTION_UNKNOWN = 0,
	WEIR_INCOMING = 1, /* the local end listened */
	WEIR_OUTGOING = 2, /* the local end connected */
};

/* How the PID of a socket came to be known. */
enum weir_owner {
	WEIR_OWNER_NONE = 0,
	WEIR_OWNER_LISTENER = 1, /* inherited from the listener: not accepted yet, as far as seen */
	WEIR_OWNER_EXACT = 2,	 /* seen using the socket, or holding its descriptor */
};

/* Who a record is about. Addresses are 16 bytes, IPv4 mapped (::ffff:a.b.c.d). */
struct weir_conn_id {
	__u8 local[16];
	__u8 remote[16];
	__u64 cgroup;	   /* cgroup id of the owner, 0 = unknown */
	__u32 netns;	   /* inode number of the network namespace */
	__u32 pid;	   /* thread group id in the initial PID namespace, 0 = unknown */
	__u16 local_port;  /* host byte order */
	__u16 remote_port; /* host byte order */
	__u8 transport;	   /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 peer_is_local; /* incoming, from an address that this host connects from */
	__u8 direction;	   /* enum weir_direction */
	__u8 owner;	   /* enum weir_owner */
	char process[16];  /* name of the owner's thread group leader, NUL-padded */
};
WEIR_ASSERT(sizeof(struct weir_conn_id) == 72);

enum weir_record_kind {
	WEIR_RECORD_TCP = 1,
	WEIR_RECORD_HTTP = 2,
	WEIR_RECORD_UDP = 3,
	WEIR_RECORD_DNS = 4,
	WEIR_RECORD_CHUNK = 5,
	WEIR_RECORD_PROGRAM = 6,
};

/* Places of a bucket of the connection table (conn_table.h). */
#define WEIR_CONN_WAYS 4

/* Every record begins with its kind (u32). */

enum weir_tcp_flags {
	WEIR_TCP_ESTABLISHED = 1, /* first report of this connection */
	WEIR_TCP_CLOSED = 2,	  /* last report of this connection */
	WEIR_TCP_FAILED = 4,	  /* the connect failed, error says why; no connection was made */
	WEIR_TCP_ADOPTED = 8,	  /* with ESTABLISHED: its begin was not seen */
	WEIR_TCP_RESET = 16,	  /* with CLOSED: this end had not said that it was done; with FAILED: by an error
				   * of the connection, its program did not give up */
	WEIR_TCP_UNSENT = 32,	  /* with FAILED: before there was a SYN. Without an error: the route's */
	WEIR_TCP_FOLDED = 64,	  /* of flows that found no room: of the id, only the direction counts */
};

/* Every combination of the flags above but the last is below this. */
#define WEIR_TCP_FLAGS_END 64

/* What a TCP connection did since its last record. */
struct weir_tcp_record {
	__u32 kind;  /* WEIR_RECORD_TCP */
	__u32 flags; /* enum weir_tcp_flags */
	__u64 time;  /* boot time, ns; of the last packet with CLOSED and FAILED */
	struct weir_conn_id id;
	__u64 bytes_sent;     /* payload sent for the first time */
	__u64 bytes_received; /* payload received in order */
	__u32 retransmits;    /* segments */
	__u32 rtt;	      /* us, smoothed; 0 = no sample */
	__u32 rtt_var;	      /* us, mean deviation */
	__u32 error;	      /* errno of a failed connect */
};
WEIR_ASSERT(sizeof(struct weir_tcp_record) == 120);

/* Connects that are under way, or have failed before there was a SYN (attempts.h): a map that both sides write. */
#define WEIR_ATTEMPTS 1024
#define WEIR_ATTEMPT_CLAIMED 1

/*
 * Ticks are a clock that costs a load: user space counts them, some times a second, none sooner than this after the
 * last. While it does not come to that nothing grows old. The first is above what `since` says otherwise.
 */
#define WEIR_TICK_NS 100000000
#define WEIR_TICK_FIRST 2
#define WEIR_ATTEMPT_OLD 4 /* ticks, at least 300 ms: no connect is under way for as long as this */

struct weir_attempt {
	__u64 since;  /* tick; 0 = free; or claimed by who writes it */
	__u64 sk;
	__u32 thread; /* in the initial PID namespace */
	__u32 reserved;
	struct weir_conn_id id;
};
WEIR_ASSERT(sizeof(struct weir_attempt) == 96);

enum weir_http_flags {
	WEIR_HTTP_SERVER = 1,	     /* the requests were received here */
	WEIR_HTTP_PATH_TRUNCATED = 2,
	WEIR_HTTP_FOLDED = 4,	     /* counted by flow and status class only: no head, status is 0, 100 .. 500 */
	WEIR_HTTP_TLS = 8,
};

/* Method, space and path of a request; the rest of the request is never kept. */
#define WEIR_HTTP_HEAD_MAX 208
/* Latencies of one record. */
#define WEIR_HTTP_LATENCIES_MAX 64

/*
 * HTTP/1 requests that one connection answered alike: same method, path, version and status. A record with
 * count 0 brings more bytes of requests that were reported before.
 *
 * A latency goes from the request's first byte to the response's first byte. Requests without a response
 * (status 0) have none. Latencies are told as buckets, by the formula of plugin/flow/histogram.h, with
 * their exact sum and maximum; a record of one request tells only those.
 *
 * Sent without `latency` when there is only one request, and then without the unused end of head.
 */
struct weir_http_record {
	__u32 kind;	  /* WEIR_RECORD_HTTP */
	__u16 status;	  /* 0 = no response seen */
	__u8 flags;	  /* enum weir_http_flags */
	__u8 version;	  /* 10 or 11, 0 = unknown */
	__u64 time;	  /* boot time of the slowest request's first byte, ns */
	struct weir_conn_id id;
	__u64 request_bytes;  /* bytes of the connection in the requests' direction */
	__u64 response_bytes;
	__u64 latency_sum;    /* ns */
	__u64 latency_max;    /* ns; of the slowest request */
	__u32 count;
	__u16 latencies;      /* entries of latency: count, or one that stands for all, or 0 */
	__u16 head_len;	      /* bytes of head in use; ends before '?' */
	/* what the socket of the slowest request said when its response began */
	__u64 total;	      /* ns from that request's first byte to the last byte seen of its response */
	__u64 age;	      /* ns since the connection was established, 0 = before the start */
	__u32 retransmits;    /* segments, since the request's first byte */
	__u32 rtt;	      /* us, smoothed; 0 = no sample */
	__u32 unread;	      /* bytes received and not read by the program */
	__u32 unsent;	      /* bytes written and not acknowledged by the peer */
	__u8 method_len;      /* head starts with the method, then one space, then the path */
	__u8 reserved[7];
	char head[WEIR_HTTP_HEAD_MAX];
	__u16 latency[WEIR_HTTP_LATENCIES_MAX]; /* buckets */
};
WEIR_ASSERT(offsetof(struct weir_http_record, head) == 168);
WEIR_ASSERT(sizeof(struct weir_http_record) == 168 + WEIR_HTTP_HEAD_MAX + 2 * WEIR_HTTP_LATENCIES_MAX);

enum weir_udp_flags {
	WEIR_UDP_IDLE = 1,   /* nothing is new for a while: the kernel side may forget it */
	WEIR_UDP_FOLDED = 2, /* of flows that found no room: of the id, only the direction counts */
};

/*
 * What went between a UDP socket and one peer since its last record. The local address is
 * all zeros for a socket that is bound to none; so is the remote one, with port 0, where the
 * program did not ask who had sent.
 */
struct weir_udp_record {
	__u32 kind;  /* WEIR_RECORD_UDP */
	__u32 flags; /* enum weir_udp_flags */
	__u64 time;  /* boot time, ns */
	struct weir_conn_id id;
	__u64 cookie;	  /* of the socket */
	__u64 bytes_sent; /* payload */
	__u64 bytes_received;
	__u32 datagrams_sent; /* calls: one that the kernel cuts into segments (GSO) counts once */
	__u32 datagrams_received;
};
WEIR_ASSERT(sizeof(struct weir_udp_record) == 120);

enum weir_dns_flags {
	WEIR_DNS_SENT = 1,	/* else received */
	WEIR_DNS_TRUNCATED = 2, /* data is only the begin of what went through */
};

#define WEIR_DNS_MAX 4096

/*
 * What a send or receive moved on a socket with port 53 at either end: over UDP one message,
 * over TCP a piece of the stream. Sent without the unused end of data.
 */
struct weir_dns_record {
	__u32 kind; /* WEIR_RECORD_DNS */
	__u16 len;  /* bytes of data in use */
	__u8 flags; /* enum weir_dns_flags */
	__u8 reserved;
	__u64 time; /* boot time, ns */
	struct weir_conn_id id;
	__u8 data[WEIR_DNS_MAX];
};
WEIR_ASSERT(offsetof(struct weir_dns_record, data) == 88);
WEIR_ASSERT(sizeof(struct weir_dns_record) == 88 + WEIR_DNS_MAX);

enum weir_chunk_flags {
	WEIR_CHUNK_RX = 1,	 /* received here; otherwise sent */
	WEIR_CHUNK_SERVER = 2,	 /* this end is the server: who did not send the preface */
	WEIR_CHUNK_TLS = 4,	 /* plaintext of TLS */
	WEIR_CHUNK_BEGIN = 8,	 /* offset 0 is the first byte of HTTP/2 in this direction; else joined midway */
	WEIR_CHUNK_END = 16,	 /* the connection ended: no bytes, nothing follows with this cookie */
	WEIR_CHUNK_UPGRADED = 32, /* after 101 to an HTTP/1 request, which has its own record: stream 1 */
};

/* Bytes of a chunk; a longer call comes as several chunks. */
#define WEIR_CHUNK_MAX 4096

/*
 * Bytes of an HTTP/2 connection as its program read or wrote them, in order for each direction. What is
 * missing between offset + len of one chunk and offset of the next was not handed over: payload of DATA
 * frames that was left out, or a loss (the ring was full, memory was not readable), which only the frame
 * headers around it tell apart. Both directions of a connection have the same cookie, which is never used
 * again for another one. Sent without the unused end of data.
 */
struct weir_chunk_record {
	__u32 kind;   /* WEIR_RECORD_CHUNK */
	__u32 len;    /* bytes of data in use, at most WEIR_CHUNK_MAX */
	__u64 time;   /* boot time of the call, ns */
	struct weir_conn_id id;
	__u64 cookie; /* the connection */
	__u64 offset; /* of data's first byte in this direction, counted from the first byte of HTTP/2 */
	__u32 flags;  /* enum weir_chunk_flags */
	__u32 reserved;
	__u8 data[WEIR_CHUNK_MAX];
};
WEIR_ASSERT(offsetof(struct weir_chunk_record, data) == 112);
WEIR_ASSERT(sizeof(struct weir_chunk_record) == 112 + WEIR_CHUNK_MAX);

/* A process that may bring a TLS library along: it runs a file that none ran before, or speaks TLS out of none known. */
struct weir_program_record {
	__u32 kind; /* WEIR_RECORD_PROGRAM */
	__u32 pid;  /* thread group id in the initial PID namespace */
};
WEIR_ASSERT(sizeof(struct weir_program_record) == 8);

/* Connections of one flow whose records found the ring full. The client's port is 0 when the kernel folds it. */
struct weir_tcp_fold_key {
	struct weir_conn_id id;
	__u32 flags; /* enum weir_tcp_flags */
	__u32 error;
};
WEIR_ASSERT(sizeof(struct weir_tcp_fold_key) == 80);

struct weir_tcp_fold {
	__u64 count;
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 retransmits;
};
WEIR_ASSERT(sizeof(struct weir_tcp_fold) == 32);

/* Requests of one flow that found the ring full. The client's port is 0 when the kernel folds it. */
struct weir_fold_key {
	struct weir_conn_id id;
	__u16 status; /* of the class: 0, 100 .. 500 */
	__u8 flags;   /* WEIR_HTTP_SERVER, WEIR_HTTP_TLS */
	__u8 reserved[5];
};
WEIR_ASSERT(sizeof(struct weir_fold_key) == 80);

struct weir_fold {
	__u64 count;
	__u64 request_bytes;
	__u64 response_bytes;
	__u64 latency_sum; /* ns */
	__u64 latency_max; /* ns */
	__u64 number;	   /* key of its latencies */
};
WEIR_ASSERT(sizeof(struct weir_fold) == 48);

/* How many of a fold's latencies lie in a bucket. */
struct weir_fold_latency_key {
	__u32 number;
	__u32 bucket;
};
WEIR_ASSERT(sizeof(struct weir_fold_latency_key) == 8);

/* Counters of the kernel side, one per-CPU array. Names and help: plugin/base/ledger. */
enum weir_stat {
	WEIR_STAT_RING_FULL_TCP = 0,	 /* records of connections that found the ring full */
	WEIR_STAT_TCP_FOLD_FULL,	 /* of those: not even by flow, as there were too many */
	WEIR_STAT_RING_FULL_DNS,	 /* DNS messages that found the ring full */
	WEIR_STAT_UDP_FOLDED,		 /* datagrams of flows that found no room */
	WEIR_STAT_DNS_UNREADABLE,	 /* DNS messages whose bytes could not be read */
	WEIR_STAT_RING_FULL_HTTP,	 /* requests that were counted without detail: the ring was full */
	WEIR_STAT_STORAGE_REFUSED,	 /* sockets the kernel gave no storage for */
	WEIR_STAT_BUFFER_UNREADABLE,	 /* calls on HTTP sockets whose data could not be read */
	WEIR_STAT_SEEN_LATE,		 /* connections first seen after they began */
	WEIR_STAT_CLOSED_UNSEEN,	 /* connections seen only at their end */
	WEIR_STAT_ACCEPTED,		 /* incoming connections established */
	WEIR_STAT_SETTLED,		 /* of those: owner known exactly, or gone */
	WEIR_STAT_HTTP_FOLD_FULL,	 /* of those: not even by flow, as there were too many */
	WEIR_STAT_HTTP_LOST,		 /* requests given up: the connection's bytes made no sense any more */
	WEIR_STAT_HTTP_CONTENDED,	 /* calls not looked at: another CPU held the connection for too long */
	WEIR_STAT_TLS_FULL,		 /* TLS connections that found no room */
	WEIR_STAT_TLS_NO_SOCKET,	 /* requests under TLS whose socket did not become known */
	WEIR_STAT_ATTEMPT_UNNOTED,	 /* connects that found no room to be noted: a failure before a SYN is missed */
	WEIR_STAT_STORED,		 /* connections that began and have no place in the table, but storage */
	WEIR_STAT_CHUNK_LOST,		 /* pieces of HTTP/2 that found the ring full or were not readable */
	WEIR_STAT_MAX,
};

#endif /* WEIR_EVENTS_H */
