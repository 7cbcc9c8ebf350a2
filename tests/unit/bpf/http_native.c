/* The helpers are pointers in libbpf's headers; native_open() sets them to the functions below. */
#include "tests/unit/bpf/http_native.h"

/* UDP and DNS are not part of it: their headers need the BPF compiler. */
#define WEIR_UDP_CALLS_H
struct sock;
struct weir_conn_id;
static inline int on_udp(const struct sock *sk, int bytes, int received) { return 0; }
static inline int is_dns(const struct weir_conn_id *id) { return 0; }
static inline void dns_capture(const struct weir_conn_id *id, unsigned len, int received) {}

/* Of the BPF compiler only. */
#define __builtin_btf_type_id(...) 0

#include "bpf/http.bpf.c"

#include <stdlib.h>
#include <string.h>

const volatile __u32 ring_wake_bytes = 1 << 20;
const volatile __u8 follow_http = 1, follow_udp = 0, follow_dns = 0;
const volatile __u32 udp_bound_idle_walks = 1;
__u32 walk_count, walk_last, walk_bucket;
__u64 walk_unowned_since, follow_since, tick_time, boot_ahead;

int weir_report_gone(struct conn *conn)
{
	return conn == NULL;
}

#define PIPELINED_MAX 4096

struct native_conn {
	struct conn conn;
	struct http_conn http;
	int has_http;
	struct sock sock;
	struct tcp_sock tcp;
	native_sink sink;
	void *context;
};

struct pipelined_entry {
	struct pipeline_key key;
	struct pipelined_request value;
	struct pipelined_entry *next;
};

static struct native_conn *current;
static struct scratch scratch_rooms[2];
static __u64 counters[WEIR_STAT_MAX];
static struct pipelined_entry *pipelined_entries;
static size_t pipelined_count;
static __u64 now;
static int ring_is_full;
static int owner_is_passed_by;
static struct pt_regs regs;
static struct task_struct task;

static struct pipelined_entry **find_pipelined(const struct pipeline_key *key)
{
	struct pipelined_entry **at = &pipelined_entries;

	while (*at && memcmp(&(*at)->key, key, sizeof(*key)))
		at = &(*at)->next;
	return at;
}

static void *lookup(void *map, const void *key)
{
	__u32 index;

	if (map == &pipelined) {
		struct pipelined_entry *entry = *find_pipelined(key);

		return entry ? &entry->value : NULL;
	}
	if (map == &passed_by)
		return owner_is_passed_by ? &owner_is_passed_by : NULL;
	memcpy(&index, key, sizeof(index));
	if (map == &scratches)
		return index < 2 ? &scratch_rooms[index] : NULL;
	if (map == &stats)
		return index < WEIR_STAT_MAX ? &counters[index] : NULL;
	return NULL;
}

static long update(void *map, const void *key, const void *value, __u64 flags)
{
	struct pipelined_entry **at, *entry;

	if (map != &pipelined)
		return -1;
	at = find_pipelined(key);
	entry = *at;
	if (!entry) {
		entry = pipelined_count < PIPELINED_MAX ? calloc(1, sizeof(*entry)) : NULL;
		if (!entry)
			return -1;
		memcpy(&entry->key, key, sizeof(entry->key));
		*at = entry;
		pipelined_count++;
	}
	memcpy(&entry->value, value, sizeof(entry->value));
	return 0;
}

static long delete(void *map, const void *key)
{
	struct pipelined_entry **at = find_pipelined(key), *entry = *at;

	if (map != &pipelined || !entry)
		return -1;
	*at = entry->next;
	free(entry);
	pipelined_count--;
	return 0;
}

static long loop(__u32 n, void *step, void *context, __u64 flags)
{
	long (*call)(__u32, void *) = step;
	__u32 i = 0;

	while (i < n && !call(i++, context))
		;
	return i;
}

/* A record is a block of its own, so that a sanitizer sees whoever reads beyond its end. */
static long output(void *map, void *data, __u64 size, __u64 flags)
{
	void *copy;

	if (ring_is_full)
		return -1;
	copy = malloc(size);
	memcpy(copy, data, size);
	current->sink(current->context, copy, size);
	free(copy);
	return 0;
}

struct reserved {
	__u64 size;
	__u8 data[];
};

static void *reserve(void *map, __u64 size, __u64 flags)
{
	struct reserved *room = ring_is_full ? NULL : calloc(1, sizeof(*room) + size);

	if (!room)
		return NULL;
	room->size = size;
	return room->data;
}

static void discard(void *data, __u64 flags)
{
	free((char *)data - offsetof(struct reserved, data));
}

static void submit(void *data, __u64 flags)
{
	struct reserved *room = (struct reserved *)((char *)data - offsetof(struct reserved, data));

	current->sink(current->context, room->data, room->size);
	free(room);
}

static __u64 query(void *map, __u64 flags) { return 0; }

static long read_user(void *to, __u32 n, const void *from)
{
	if (n)
		memcpy(to, from, n);
	return 0;
}

static __u64 boot_ns(void) { return now += 1000; }

static void *storage(void *map, void *sock, void *value, __u64 flags)
{
	if (map == &conns)
		return &current->conn;
	if (flags & BPF_SK_STORAGE_GET_F_CREATE)
		current->has_http = 1;
	return current->has_http ? &current->http : NULL;
}

static long storage_delete(void *map, void *sock)
{
	memset(&current->http, 0, sizeof(current->http));
	current->has_http = 0;
	return 0;
}

static struct tcp_sock *to_tcp(void *sock) { return &current->tcp; }
void *bpf_rdonly_cast(const void *object, __u32 type_id) { return &current->tcp; }
static struct task_struct *current_task(void) { return &task; }
static long task_regs(struct task_struct *of) { return (long)&regs; }

/* Threads have none here: ciphertext is nobody's. */
static void *no_task_storage(void *map, struct task_struct *of, void *value, __u64 flags)
{
	return NULL;
}

static void set_helpers(void)
{
	bpf_map_lookup_elem = lookup;
	bpf_map_update_elem = update;
	bpf_map_delete_elem = delete;
	bpf_loop = loop;
	bpf_ringbuf_output = output;
	bpf_ringbuf_reserve = reserve;
	bpf_ringbuf_submit = submit;
	bpf_ringbuf_discard = discard;
	bpf_ringbuf_query = query;
	bpf_probe_read_user = read_user;
	bpf_ktime_get_boot_ns = boot_ns;
	bpf_task_storage_get = no_task_storage;
	bpf_sk_storage_get = storage;
	bpf_sk_storage_delete = storage_delete;
	bpf_skc_to_tcp_sock = to_tcp;
	bpf_get_current_task_btf = current_task;
	bpf_task_pt_regs = task_regs;
}

struct native_conn *native_open(int incoming, int late, native_sink sink, void *context)
{
	struct native_conn *conn = calloc(1, sizeof(*conn));

	set_helpers();
	memset(counters, 0, sizeof(counters));
	passed_by_change = 0;
	memset(scratch_rooms, 0xa5, sizeof(scratch_rooms)); /* whatever another connection has left */
	conn->sink = sink;
	conn->context = context;
	conn->sock.sk_protocol = IPPROTO_TCP;
	conn->sock.__sk_common.skc_family = AF_INET;
	conn->sock.sk_bpf_storage = conn;
	conn->conn.role = ROLE_CONNECTION;
	conn->conn.established = ESTABLISHED_NEW;
	conn->conn.established_at = late ? 0 : 1;
	conn->conn.id.owner = WEIR_OWNER_EXACT;
	conn->conn.id.direction = incoming ? WEIR_INCOMING : WEIR_OUTGOING;
	conn->conn.id.transport = IPPROTO_TCP;
	conn->conn.id.netns = 1;
	return conn;
}

static void call(struct native_conn *conn, int received, size_t bytes)
{
	unsigned long long context[3] = {(unsigned long long)&conn->sock, bytes, 0};

	current = conn;
	if (received) {
		conn->tcp.copied_seq += bytes;
		weir_recv(context);
	} else {
		weir_send(context);
	}
}

void native_call(struct native_conn *conn, int received, const struct iovec *vectors, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += vectors[i].iov_len;
	if (count == 1) {
		regs.orig_ax = received ? NR_RECVFROM : NR_SENDTO;
		regs.si = (unsigned long)vectors[0].iov_base;
	} else {
		regs.orig_ax = received ? NR_READV : NR_WRITEV;
		regs.si = (unsigned long)vectors;
		regs.dx = count;
	}
	call(conn, received, bytes);
}

void native_unreadable_call(struct native_conn *conn, int received, uint32_t bytes)
{
	regs.orig_ax = 40; /* sendfile */
	call(conn, received, bytes);
}

void native_unseen(struct native_conn *conn, uint32_t bytes) { conn->tcp.copied_seq += bytes; }

void native_walk(struct native_conn *conn)
{
	current = conn;
	if (conn->has_http)
		http_report_sum(&conn->http.http, &conn->http.record);
}

void native_close(struct native_conn *conn)
{
	current = conn;
	http_close(&conn->sock, &conn->tcp, conn->has_http ? &conn->http : NULL);
	while (pipelined_entries)
		delete(&pipelined, &pipelined_entries->key);
	free(conn);
}

void native_pass_by(int passed)
{
	owner_is_passed_by = passed;
	passed_by_change++;
}

void native_set_ring_full(int full) { ring_is_full = full; }

uint64_t native_stat(uint32_t which) { return which < WEIR_STAT_MAX ? counters[which] : 0; }
