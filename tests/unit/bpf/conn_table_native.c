/* The helpers are pointers in libbpf's headers; native_table_reset() sets them to the functions below. */
#include "tests/unit/bpf/conn_table_native.h"

#include "bpf/conn_table.h"

#include <string.h>

enum { BUCKETS = 8 };

const volatile __u32 conn_bucket_mask = BUCKETS - 1;
const volatile __u8 follow_http = 1, follow_udp = 0, follow_dns = 0;
__u32 conn_table_open, walked_place;

_Static_assert(NATIVE_TABLE_WAYS == CONN_WAYS && NATIVE_TABLE_REST == CONN_REST, "as the kernel side has it");

static struct conn_bucket buckets[BUCKETS];
static struct conn places[BUCKETS * CONN_WAYS];
static struct http_conn https[BUCKETS * CONN_WAYS];
static __u64 now;

static void *lookup(void *map, const void *key)
{
	__u32 at = *(const __u32 *)key;

	if (map == &conn_buckets)
		return at < BUCKETS ? &buckets[at] : NULL;
	if (at >= BUCKETS * CONN_WAYS)
		return NULL;
	return map == &conn_places ? (void *)&places[at] : &https[at];
}

static __u64 jiffies(void) { return now; }

void native_table_reset(void)
{
	bpf_map_lookup_elem = lookup;
	bpf_jiffies64 = jiffies;
	memset(buckets, 0, sizeof(buckets));
	memset(places, 0, sizeof(places));
	memset(https, 0, sizeof(https));
	now = 1000;
	conn_table_open = 1;
	walked_place = 0;
}

void native_table_open(int open) { conn_table_open = open; }
void native_table_pass(uint64_t jiffies) { now += jiffies; }

uint32_t native_table_take(uint64_t sock)
{
	struct conn *conn = conn_table_get((const struct sock *)sock);

	if (!conn)
		return 0;
	conn->role = ROLE_CONNECTION;
	return https[conn->place - 1].http.phase == HTTP_ABSENT ? conn->place : 0;
}

uint32_t native_table_find(uint64_t sock) { return conn_table_find((const struct sock *)sock); }
void native_table_leave(uint32_t place) { conn_table_leave(&places[place - 1]); }
void native_table_walk(uint32_t place) { walked_place = place; }
uint32_t native_table_bucket(uint64_t sock) { return conn_bucket_of((const struct sock *)sock); }
