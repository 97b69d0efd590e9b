/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hostenv.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <sodium.h>

#include "base/secret.h"

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

void hostenv_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void hostenv_cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += (time_t)(us / 1000000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(cond, mutex, &until);
}

void hostenv_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t wall_ms)
{
    if (wall_ms == UINT64_MAX) {
        pthread_cond_wait(cond, mutex);
        return;
    }
    const struct timespec until = {.tv_sec = (time_t)(wall_ms / 1000),
                                   .tv_nsec = (long)(wall_ms % 1000) * 1000000};
    pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &until);
}

/* In one system call: libsodium makes one for each 256 bytes. */
static void pool_refill(struct hostenv_pool *pool)
{
    if (getrandom(pool->bytes, sizeof pool->bytes, 0) != (ssize_t)sizeof pool->bytes) {
        randombytes_buf(pool->bytes, sizeof pool->bytes);
    }
}

static void fill_from_pool(void *ctx, uint8_t *out, size_t len)
{
    struct hostenv_pool *pool = ctx;
    if (len > sizeof pool->bytes / 8) {
        randombytes_buf(out, len);
        return;
    }
    if (len > pool->left) {
        pool_refill(pool);
        pool->left = sizeof pool->bytes;
    }
    uint8_t *from = pool->bytes + sizeof pool->bytes - pool->left;
    memcpy(out, from, len);
    secret_wipe(from, len);
    pool->left -= len;
}

struct env hostenv_pooled(struct hostenv_pool *pool, uint64_t now_ms)
{
    return (struct env){.now_ms = now_ms, .random = fill_from_pool, .random_ctx = pool};
}
