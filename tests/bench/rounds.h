/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds: the things that bench_deposit runs in turn on one disk, each for a few seconds: deposits
 * at a relay, RPUSH at Redis, LMDB alone; disk.h has the disk alone.
 */
#ifndef PETREL_TESTS_BENCH_ROUNDS_H
#define PETREL_TESTS_BENCH_ROUNDS_H

#include <stddef.h>
#include <stdint.h>

enum {
    ROUND_CLIENTS = 64,    /* clients, queues, keys */
    ROUND_PAYLOAD = 1024,  /* bytes of an envelope or a value */
    ROUND_SPENT = 1000000, /* spent rows that are there before */
};

/* A relay with ROUND_CLIENTS queues and links. */
struct petrel;
struct petrel *petrel_open(void);
/* Makes what the next round sends; outside of the timing. */
void petrel_prepare(struct petrel *p, size_t clients, unsigned seconds);
/* Durable deposits a second. */
double petrel_deposit(struct petrel *p, size_t clients, unsigned seconds);
/* Envelopes a second that readers got and that were deleted durably; until all queues are empty. */
double petrel_drain(struct petrel *p);
/* CPU time of the relay so far, s. */
double petrel_cpu(const struct petrel *p);
void petrel_close(struct petrel *p);

/* A redis-server that writes its log through with every command (appendfsync always). */
struct redis;
struct redis *redis_open(void);
double redis_push(struct redis *r, unsigned seconds); /* RPUSH a second */
void redis_close(struct redis *r);

/* Rows of 1,024 bytes a second into LMDB, ROUND_CLIENTS increasing keys a commit, in this process.
 */
double lmdb_rows(unsigned seconds);

#endif
