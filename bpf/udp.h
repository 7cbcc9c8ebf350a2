/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP flows: what each socket sends to and receives from each of its peers.
 *
 * The kernel keeps no counters in a UDP socket, so each send and receive is counted here, in a
 * map of (socket, peer) that the interval's walk reads (udp.bpf.c). Connected sockets name their
 * peer themselves. For the others the tracepoints carry no address; but when a program gives or
 * asks for one, the kernel calls the cgroup hooks sendmsg and recvmsg within the same call of the
 * same thread, before the tracepoint: they leave the peer in udp_peers for it.
 *
 * A program that receives on an unconnected socket and does not ask who sent is not told, and
 * neither are we: such bytes stand under a peer of zeros.
 */
#ifndef WEIR_UDP_H
#define WEIR_UDP_H

#include "conn.h"

#define SOCK_BINDPORT_LOCK 8 /* sk_userlocks: the program chose the port itself */

struct udp_key {
	__u64 cookie; /* of the socket */
	__u8 remote[16];
	__u16 remote_port;
	__u16 reserved[3];
};

struct udp_counters {
	__u64 sent, received;		  /* bytes of payload */
	__u32 sent_count, received_count; /* calls */
};

struct udp_flow {
	struct weir_conn_id id;
	struct udp_counters now, reported;
	__u32 idle;	/* walks that found nothing new */
	__u32 is_bound; /* the program chose the port: most likely a server's, worth remembering longer */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536); /* set at load */
	__type(key, struct udp_key);
	__type(value, struct udp_flow);
} udp_flows SEC(".maps") __weak;

/* What found no room in udp_flows, by direction: incoming, outgoing. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct udp_counters);
} udp_other SEC(".maps") __weak;

enum udp_pending {
	PEER_NONE = 0,
	PEER_OF_SEND = 1,
	PEER_OF_RECEIVE = 2,
};

struct udp_peer {
	__u8 address[16];
	__u16 port;
	__u16 pending; /* enum udp_pending */
};

/* By thread: the peer of the call that it is in. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct udp_peer);
} udp_peers SEC(".maps") __weak;

#endif /* WEIR_UDP_H */
