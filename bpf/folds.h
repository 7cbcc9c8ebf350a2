/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What finds the ring full is added up by flow, so that detail is lost to a full ring and never a count. Here are
 * requests, and what they have in common with connections (tcp_folds.h).
 *
 * A flow that finds no room either goes into one sum for each kind, which user space has prepared.
 */
#ifndef WEIR_FOLDS_H
#define WEIR_FOLDS_H

#include "conn.h"

/* Written once at load: client ports from here on count as 0 in folds; 0 = none do. */
extern const volatile __u32 fold_port_from;

/*
 * Folds are filled in one of two sets, chosen by user space, which empties the other.
 */
extern __u32 fold_set;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct weir_fold_key);
	__type(value, struct weir_fold);
} folds_a SEC(".maps") __weak, folds_b SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 131072);
	__type(key, struct weir_fold_latency_key);
	__type(value, __u64);
} fold_latencies_a SEC(".maps") __weak, fold_latencies_b SEC(".maps") __weak;

static __always_inline void fold_client_port(struct weir_conn_id *id)
{
	if (!fold_port_from)
		return;
	if (id->direction == WEIR_OUTGOING && id->local_port >= fold_port_from)
		id->local_port = 0;
	if (id->direction != WEIR_OUTGOING && id->remote_port >= fold_port_from)
		id->remote_port = 0;
}

/* Of all flows of a direction. */
static __always_inline void fold_flow(struct weir_conn_id *id)
{
	__u8 direction = id->direction, transport = id->transport;

	__builtin_memset(id, 0, sizeof(*id));
	id->direction = direction;
	id->transport = transport;
}

static __always_inline void fold_latency(bool b, __u64 number, __u32 bucket)
{
	struct weir_fold_latency_key key = {.number = (__u32)number, .bucket = bucket};
	__u64 zero = 0, *count;

	count = b ? bpf_map_lookup_elem(&fold_latencies_b, &key) : bpf_map_lookup_elem(&fold_latencies_a, &key);
	if (!count) {
		if (b) {
			bpf_map_update_elem(&fold_latencies_b, &key, &zero, BPF_NOEXIST);
			count = bpf_map_lookup_elem(&fold_latencies_b, &key);
		} else {
			bpf_map_update_elem(&fold_latencies_a, &key, &zero, BPF_NOEXIST);
			count = bpf_map_lookup_elem(&fold_latencies_a, &key);
		}
	}
	if (count)
		__sync_fetch_and_add(count, 1);
}

extern __u32 next_fold_number;

/* Never written: what a new fold is made of. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_fold);
} fold_fresh SEC(".maps") __weak;

static __always_inline struct weir_fold *fold_find(bool b, const struct weir_fold_key *key)
{
	struct weir_fold *fold;
	__u32 zero = 0;
	void *fresh;

	fold = b ? bpf_map_lookup_elem(&folds_b, key) : bpf_map_lookup_elem(&folds_a, key);
	if (fold)
		return fold;
	fresh = bpf_map_lookup_elem(&fold_fresh, &zero);
	if (!fresh)
		return NULL;
	if (b)
		bpf_map_update_elem(&folds_b, key, fresh, BPF_NOEXIST);
	else
		bpf_map_update_elem(&folds_a, key, fresh, BPF_NOEXIST);
	fold = b ? bpf_map_lookup_elem(&folds_b, key) : bpf_map_lookup_elem(&folds_a, key);
	if (fold)
		__sync_val_compare_and_swap(&fold->number, 0, __sync_fetch_and_add(&next_fold_number, 1));
	return fold;
}

/* Adds what the ring had no room for to its flow's sum. */
static __noinline int http_fold(struct weir_http_record *record)
{
	struct weir_fold_key key = {};
	struct weir_fold *fold;
	bool b = fold_set != 0;
	__u32 n = record->latencies;

	key.id = record->id;
	key.status = record->status / 100 * 100;
	key.flags = record->flags & (WEIR_HTTP_SERVER | WEIR_HTTP_TLS);
	fold_client_port(&key.id);
	stat_add(WEIR_STAT_RING_FULL_HTTP, record->count);
	fold = fold_find(b, &key);
	if (!fold) {
		/* too many flows: one sum for all of them, made by user space */
		stat_add(WEIR_STAT_HTTP_FOLD_FULL, record->count);
		fold_flow(&key.id);
		fold = b ? bpf_map_lookup_elem(&folds_b, &key) : bpf_map_lookup_elem(&folds_a, &key);
		if (!fold)
			return 0;
	}
	__sync_fetch_and_add(&fold->count, record->count);
	__sync_fetch_and_add(&fold->request_bytes, record->request_bytes);
	__sync_fetch_and_add(&fold->response_bytes, record->response_bytes);
	__sync_fetch_and_add(&fold->latency_sum, record->latency_sum);
	if (record->latency_max > fold->latency_max)
		fold->latency_max = record->latency_max;
	for (__u32 i = 0; i < WEIR_HTTP_LATENCIES_MAX; i++) {
		if (i >= n)
			break;
		fold_latency(b, fold->number, record->latency[i]);
	}
	return 0;
}

#endif /* WEIR_FOLDS_H */
