/* The kernel side's notes of connects in user space. */
#pragma once

#include <stdint.h>

#include "bpf/events.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NATIVE_ATTEMPT_WAYS = 4 };

/* Nothing noted. */
void native_attempts_reset(void);
void native_attempts_pass(uint64_t ticks);
/* A thread is about to connect a socket to this port, and what it connects is in SYN-SENT. */
void native_attempt_begin(int thread, uint64_t sock, uint16_t port);
void native_attempt_sent(int thread, uint64_t sock);
/* The note that such a thread's begins with. */
struct weir_attempt* native_attempt_at(int thread);
/* Connects that were reported since the last call: their ports, in order. */
int native_attempts_failed(uint16_t* ports, int most);
uint64_t native_attempts_unnoted(void);

#ifdef __cplusplus
}
#endif
