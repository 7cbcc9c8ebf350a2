/*
 * The kernel side's HTTP programs, compiled for user space: what is tested and fuzzed here is the very code
 * that the kernel runs, with the kernel's helpers replaced by small ones of our own.
 *
 * One thread at a time.
 */
#ifndef WEIR_HTTP_NATIVE_H
#define WEIR_HTTP_NATIVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct native_conn;

/* A record as it would go through the ring; valid during the call. */
typedef void (*native_sink)(void *context, const void *record, size_t size);

/* A connection's one end: one that this host accepted (incoming) or made. `late`: begun before the start. */
struct native_conn *native_open(int incoming, int late, native_sink sink, void *context);

/* A system call moved these bytes, received or sent. Nothing beyond them is read. */
void native_call(struct native_conn *conn, int received, const struct iovec *vectors, size_t count);

/* A call whose bytes cannot be read, as sendfile's. */
void native_unreadable_call(struct native_conn *conn, int received, uint32_t bytes);

/* Bytes were received without a call of those that are traced, as splice does. */
void native_unseen(struct native_conn *conn, uint32_t bytes);

/* The interval's walk comes by. */
void native_walk(struct native_conn *conn);

/* The connection ends. */
void native_close(struct native_conn *conn);

/* From now on the owner of connections is one to pass by, or is none any more. */
void native_pass_by(int passed);

/* A ring that is full takes nothing. */
void native_set_ring_full(int full);

/* Of the counters of enum weir_stat, since the last open. */
uint64_t native_stat(uint32_t which);

#ifdef __cplusplus
}
#endif

#endif
