/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hostenv.h"

#include <time.h>

#include <sodium.h>

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t hostenv_wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

uint64_t hostenv_mono_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t hostenv_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

struct env hostenv_at(uint64_t now_ms)
{
    return (struct env){.now_ms = now_ms, .random = fill};
}
