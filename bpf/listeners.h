/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who listens where: the owner of connections that nobody has accepted yet, as far as seen.
 *
 * Listeners stay known after their end, since what waits in their queue ends after them. Where several
 * processes listen on one address (SO_REUSEPORT), the last one stands for all until a connection is accepted.
 */
#ifndef WEIR_LISTENERS_H
#define WEIR_LISTENERS_H

#include "conn.h"

struct listener_key {
	__u8 address[16];
	__u32 netns;
	__u16 port;
	__u16 reserved;
};

struct listener {
	__u64 cgroup;
	__u32 pid;
	__u32 reserved;
	char process[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps") __weak;

static __always_inline struct listener_key listener_key_of(const struct weir_conn_id *id)
{
	struct listener_key key = {.netns = id->netns, .port = id->local_port};

	__builtin_memcpy(key.address, id->local, sizeof(key.address));
	return key;
}

static __always_inline void listener_note(const struct sock *sk, struct task_struct *task)
{
	struct weir_conn_id id = {};
	struct listener_key key;
	struct listener listener = {};

	id_set_endpoints(&id, sk);
	id_set_owner(&id, task);
	key = listener_key_of(&id);
	listener.cgroup = id.cgroup;
	listener.pid = id.pid;
	copy_name(listener.process, id.process);
	bpf_map_update_elem(&listeners, &key, &listener, BPF_ANY);
}

static __always_inline struct listener *listener_find(const struct weir_conn_id *id)
{
	struct listener_key key = listener_key_of(id);
	struct listener *found;

	found = bpf_map_lookup_elem(&listeners, &key);
	if (found)
		return found;
	if (is_v4_mapped(id->local)) {
		set_v4_mapped(key.address, 0);
		found = bpf_map_lookup_elem(&listeners, &key);
		if (found)
			return found;
	}
	__builtin_memset(key.address, 0, sizeof(key.address));
	return bpf_map_lookup_elem(&listeners, &key);
}

static __noinline int id_find_listener(struct weir_conn_id *id)
{
	struct listener *listener = listener_find(id);

	if (!listener)
		return 0;
	id->cgroup = listener->cgroup;
	id->pid = listener->pid;
	copy_name(id->process, listener->process);
	id->owner = WEIR_OWNER_LISTENER;
	return 0;
}

/* An incoming connection without an owner belongs to whoever listens. */
static __always_inline void id_set_listener(struct weir_conn_id *id)
{
	if (id->owner == WEIR_OWNER_NONE && id->direction == WEIR_INCOMING)
		id_find_listener(id);
}

#endif /* WEIR_LISTENERS_H */
