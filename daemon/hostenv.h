/* SPDX-License-Identifier: Apache-2.0
 *
 * hostenv: this machine's clocks, waits by them, and randomness, as the struct env that sans-I/O
 * code is handed. docs/architecture.md, "The house".
 *
 * Owns nothing. Any thread; a pool is its owner's thread's alone.
 */
#ifndef PETREL_DAEMON_HOSTENV_H
#define PETREL_DAEMON_HOSTENV_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"

/* Unix ms. */
uint64_t hostenv_wall_ms(void);
/* ms that never step back, from an unnamed start. */
uint64_t hostenv_mono_ms(void);
/* The same clock in us. */
uint64_t hostenv_mono_us(void);
/* A condition; and waits for it, which may return earlier. The caller holds the mutex. */
void hostenv_cond_init(pthread_cond_t *cond);
/* For at most so long, by the clock that never steps back. */
void hostenv_cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t us);
/* At most until the wall clock says wall_ms, Unix ms; UINT64_MAX: no limit. When that clock is set,
 * or the machine slept, the end moves with it (clock_settime(3p): absolute times of CLOCK_REALTIME
 * expire by the new value). */
void hostenv_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t wall_ms);
/* now_ms: Unix ms. The randomness is libsodium's. */
struct env hostenv_at(uint64_t now_ms);

/* Random bytes that were fetched together, for who asks often and for little: a system call for
 * each is a twentieth of a relay's work for a deposit. Zeroed at first. Secret: it holds what will
 * be keys. Bytes are wiped as they are handed out. Not to be used on both sides of a fork. */
struct hostenv_pool {
    size_t left; /* the last ones in bytes */
    uint8_t bytes[4096];
};
/* As hostenv_at; the env is valid as long as the pool. */
struct env hostenv_pooled(struct hostenv_pool *pool, uint64_t now_ms);

#endif
