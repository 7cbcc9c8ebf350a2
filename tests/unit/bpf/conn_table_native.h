/* The kernel side's connection table in user space: one of eight buckets. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { NATIVE_TABLE_WAYS = 4, NATIVE_TABLE_REST = 8 };

/* An empty table at jiffy 1000. */
void native_table_reset(void);
void native_table_open(int open);
void native_table_pass(uint64_t jiffies);

/* Sockets are addresses, multiples of 8. 0 = no place; else the place, from 1. */
uint32_t native_table_take(uint64_t sock);
uint32_t native_table_find(uint64_t sock);
void native_table_leave(uint32_t place);
/* The walk comes to a place; 0: it is done. */
void native_table_walk(uint32_t place);
/* The bucket that an address leads to. */
uint32_t native_table_bucket(uint64_t sock);

#ifdef __cplusplus
}
#endif
