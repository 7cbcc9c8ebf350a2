// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * UDP: who the peer of a call is, and the walk over the flows. udp.h says how they come about.
 */
#include "udp.h"

static __always_inline struct udp_peer *udp_peer_slot(void)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct udp_peer fresh = {};

	if (!bpf_map_lookup_elem(&udp_peers, &thread))
		bpf_map_update_elem(&udp_peers, &thread, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&udp_peers, &thread);
}

static __always_inline void udp_note_v4(__be32 address, __u32 port, enum udp_pending pending)
{
	struct udp_peer *peer = udp_peer_slot();

	if (!peer)
		return;
	set_v4_mapped(peer->address, address);
	peer->port = bpf_ntohs((__u16)port);
	peer->pending = pending;
}

static __always_inline void udp_note_v6(const __be32 *address, __u32 port, enum udp_pending pending)
{
	struct udp_peer *peer = udp_peer_slot();

	if (!peer)
		return;
	copy_v6(peer->address, address);
	peer->port = bpf_ntohs((__u16)port);
	peer->pending = pending;
}

/* The kernel's hooks may refuse a call; these always let it pass: 1. */
SEC("cgroup/sendmsg4")
int weir_sendmsg4(struct bpf_sock_addr *ctx)
{
	udp_note_v4(ctx->user_ip4, ctx->user_port, PEER_OF_SEND);
	return 1;
}

SEC("cgroup/recvmsg4")
int weir_recvmsg4(struct bpf_sock_addr *ctx)
{
	udp_note_v4(ctx->user_ip4, ctx->user_port, PEER_OF_RECEIVE);
	return 1;
}

SEC("cgroup/sendmsg6")
int weir_sendmsg6(struct bpf_sock_addr *ctx)
{
	__be32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	udp_note_v6(address, ctx->user_port, PEER_OF_SEND);
	return 1;
}

SEC("cgroup/recvmsg6")
int weir_recvmsg6(struct bpf_sock_addr *ctx)
{
	__be32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	udp_note_v6(address, ctx->user_port, PEER_OF_RECEIVE);
	return 1;
}

/*
 * Writes what is new of each flow as a record into the iterator's stream. A record that finds no
 * room there is asked for again, so the counters move only when it was written. Nobody else moves
 * `reported`, and what is counted meanwhile is new for the next walk.
 */
SEC("iter/bpf_map_elem")
int weir_udp_walk(struct bpf_iter__bpf_map_elem *ctx)
{
	struct udp_flow *flow = ctx->value;
	struct udp_key *key = ctx->key;
	struct weir_udp_record record;
	struct udp_counters now;

	if (!flow || !key)
		return 0;
	now = flow->now;
	__builtin_memset(&record, 0, sizeof(record));
	record.bytes_sent = now.sent - flow->reported.sent;
	record.bytes_received = now.received - flow->reported.received;
	record.datagrams_sent = now.sent_count - flow->reported.sent_count;
	record.datagrams_received = now.received_count - flow->reported.received_count;
	if (!record.datagrams_sent && !record.datagrams_received) {
		if (++flow->idle < (flow->is_bound ? udp_bound_idle_walks : 1))
			return 0;
		record.flags = WEIR_UDP_IDLE;
	}
	record.kind = WEIR_RECORD_UDP;
	record.time = bpf_ktime_get_boot_ns();
	record.cookie = key->cookie;
	__builtin_memcpy(&record.id, &flow->id, sizeof(record.id));
	if (bpf_seq_write(ctx->meta->seq, &record, sizeof(record)))
		return 0;
	flow->reported = now;
	if (!(record.flags & WEIR_UDP_IDLE))
		flow->idle = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
