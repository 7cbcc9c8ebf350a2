/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a send or receive on a UDP socket adds to its flow. */
#ifndef WEIR_UDP_CALLS_H
#define WEIR_UDP_CALLS_H

#include "dns.h"
#include "udp.h"

/* Takes the peer that the cgroup hook has left for this call. */
static __always_inline bool udp_take_peer(struct udp_key *key, bool rx)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	struct udp_peer *peer = bpf_map_lookup_elem(&udp_peers, &thread);

	if (!peer || peer->pending != (rx ? PEER_OF_RECEIVE : PEER_OF_SEND))
		return false;
	peer->pending = PEER_NONE;
	__builtin_memcpy(key->remote, peer->address, sizeof(key->remote));
	key->remote_port = peer->port;
	return true;
}

/* The socket's own peer; zeros for an unconnected one. */
static __always_inline void udp_connected_peer(struct udp_key *key, const struct sock *sk)
{
	if (!sk->__sk_common.skc_dport)
		return;
	key->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (sk->__sk_common.skc_family == AF_INET)
		set_v4_mapped(key->remote, sk->__sk_common.skc_daddr);
	else
		copy_v6(key->remote, sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32);
}

/*
 * Who asked: whoever sent first. A socket whose port the kernel chose is a client, though, even
 * where its first datagram was sent before the start.
 */
static __always_inline __u8 udp_direction(bool is_bound, bool rx)
{
	return rx && is_bound ? WEIR_INCOMING : WEIR_OUTGOING;
}

static __always_inline bool udp_is_bound(const struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK;
}

static __always_inline struct udp_flow *udp_begin(const struct sock *sk, const struct udp_key *key, bool rx)
{
	struct udp_flow flow = {};

	id_set_endpoints(&flow.id, sk);
	__builtin_memcpy(flow.id.remote, key->remote, sizeof(flow.id.remote));
	flow.id.remote_port = key->remote_port;
	flow.is_bound = udp_is_bound(sk);
	flow.id.direction = udp_direction(flow.is_bound, rx);
	id_set_owner(&flow.id, bpf_get_current_task_btf());
	id_note_peer(&flow.id);
	bpf_map_update_elem(&udp_flows, key, &flow, BPF_NOEXIST);
	return bpf_map_lookup_elem(&udp_flows, key);
}

static __always_inline void udp_count(struct udp_counters *counters, __u32 len, bool rx)
{
	if (rx) {
		__sync_fetch_and_add(&counters->received, len);
		__sync_fetch_and_add(&counters->received_count, 1);
	} else {
		__sync_fetch_and_add(&counters->sent, len);
		__sync_fetch_and_add(&counters->sent_count, 1);
	}
}

/* Who sent first is not remembered here: a socket whose program chose the port is taken for a server's. */
static __always_inline void udp_count_other(const struct sock *sk, __u32 len, bool rx)
{
	__u32 which = !udp_is_bound(sk);
	struct udp_counters *other = bpf_map_lookup_elem(&udp_other, &which);

	if (other)
		udp_count(other, len, rx);
	stat_add(WEIR_STAT_UDP_FOLDED, 1);
}

/* A send or receive of current on a UDP socket moved len bytes, or failed: below 0. */
static __noinline int on_udp(const struct sock *sk, int len, bool rx)
{
	struct udp_key key = {};
	struct udp_flow *flow;

	if (!udp_take_peer(&key, rx))
		udp_connected_peer(&key, sk);
	if (len < 0) {
		dns_call_failed();
		return 0;
	}
	key.cookie = bpf_get_socket_cookie((void *)sk);
	flow = bpf_map_lookup_elem(&udp_flows, &key);
	if (!flow)
		flow = udp_begin(sk, &key, rx);
	if (!flow) {
		udp_count_other(sk, len, rx);
		return 0;
	}
	udp_count(&flow->now, len, rx);
	if (is_dns(&flow->id))
		dns_capture(&flow->id, len, rx);
	return 0;
}

#endif /* WEIR_UDP_CALLS_H */
