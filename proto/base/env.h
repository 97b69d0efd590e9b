/* SPDX-License-Identifier: Apache-2.0
 *
 * env: what a sans-I/O module may know of the world: the time of this turn and randomness.
 *
 * Both are handed in, so that a test or the simulator repeats a run exactly. proto/ never calls
 * randombytes_*, time() or anything like them.
 */
#ifndef PETREL_BASE_ENV_H
#define PETREL_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

struct env {
    uint64_t now_ms; /* Unix time in milliseconds, the same for the whole turn */
    void (*random)(void *ctx, uint8_t *out, size_t len); /* fills out; cannot fail */
    void *random_ctx;                                    /* owned by the host */
};

/* Fills len bytes at out with the host's randomness. */
static inline void env_random(const struct env *env, void *out, size_t len)
{
    env->random(env->random_ctx, out, len);
}

#endif
