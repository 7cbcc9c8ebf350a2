/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports of connections that find the ring full, added up by flow. */
#ifndef WEIR_TCP_FOLDS_H
#define WEIR_TCP_FOLDS_H

#include "folds.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct weir_tcp_fold_key);
	__type(value, struct weir_tcp_fold);
} tcp_folds_a SEC(".maps"), tcp_folds_b SEC(".maps");

static __always_inline struct weir_tcp_fold *tcp_fold_find(bool b, const struct weir_tcp_fold_key *key)
{
	return b ? bpf_map_lookup_elem(&tcp_folds_b, key) : bpf_map_lookup_elem(&tcp_folds_a, key);
}

static __always_inline struct weir_tcp_fold *tcp_fold_make(bool b, const struct weir_tcp_fold_key *key)
{
	struct weir_tcp_fold fresh = {};

	if (b)
		bpf_map_update_elem(&tcp_folds_b, key, &fresh, BPF_NOEXIST);
	else
		bpf_map_update_elem(&tcp_folds_a, key, &fresh, BPF_NOEXIST);
	return tcp_fold_find(b, key);
}

/* Adds what the ring had no room for to its flow's sum: all but its round trip time. */
static __noinline int tcp_fold(const struct weir_tcp_record *record)
{
	struct weir_tcp_fold_key key = {};
	struct weir_tcp_fold *fold;
	bool b = fold_set != 0;

	stat_add(WEIR_STAT_RING_FULL_TCP, 1);
	key.id = record->id;
	key.flags = record->flags;
	key.error = record->error;
	fold_client_port(&key.id);
	fold = tcp_fold_find(b, &key);
	if (!fold)
		fold = tcp_fold_make(b, &key);
	if (!fold) {
		stat_add(WEIR_STAT_TCP_FOLD_FULL, 1);
		fold_flow(&key.id);
		key.error = 0;
		fold = tcp_fold_find(b, &key);
		if (!fold)
			return 0;
	}
	__sync_fetch_and_add(&fold->count, 1);
	__sync_fetch_and_add(&fold->bytes_sent, record->bytes_sent);
	__sync_fetch_and_add(&fold->bytes_received, record->bytes_received);
	__sync_fetch_and_add(&fold->retransmits, record->retransmits);
	return 0;
}

#endif /* WEIR_TCP_FOLDS_H */
