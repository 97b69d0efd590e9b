/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/stamp.h"

#include <assert.h>

#include <sodium.h>

#include "base/limits.h"

#define STAMP_LABEL "petrel/1 stamp"

enum {
    STAMP_HASH = 32,
    STAMP_NONCE = 8,
    STAMP_INPUT = sizeof STAMP_LABEL - 1 + 3 * 32 + 4 + STAMP_NONCE, /* one BLAKE2b block */
};

static_assert(STAMP_INPUT == 122, "a stamp costs one compression");

/* All of the input but the nonce. */
static void start(crypto_generichash_state *state, const struct stamp_goal *goal)
{
    uint8_t head[STAMP_INPUT];
    struct writer w = writer_of(head, sizeof head);
    writer_bytes(&w, STAMP_LABEL, sizeof STAMP_LABEL - 1);
    writer_bytes(&w, goal->target, sizeof goal->target);
    writer_bytes(&w, goal->payload, sizeof goal->payload);
    writer_bytes(&w, goal->relay.b, sizeof goal->relay.b);
    writer_u32(&w, goal->minute);
    (void)crypto_generichash_init(state, NULL, 0, STAMP_HASH);
    (void)crypto_generichash_update(state, head, w.len);
}

static unsigned leading_zeros(const uint8_t hash[static STAMP_HASH])
{
    unsigned n = 0;
    for (unsigned i = 0; i < STAMP_HASH; i++) {
        if (hash[i] != 0) {
            return n + (unsigned)__builtin_clz(hash[i]) - 24;
        }
        n += 8;
    }
    return n;
}

static unsigned bits_of(const crypto_generichash_state *started, uint64_t nonce)
{
    crypto_generichash_state state = *started;
    uint8_t hash[STAMP_HASH];
    uint8_t be[STAMP_NONCE];
    for (unsigned i = 0; i < STAMP_NONCE; i++) {
        be[i] = (uint8_t)(nonce >> (56 - 8 * i));
    }
    (void)crypto_generichash_update(&state, be, sizeof be);
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    return leading_zeros(hash);
}

unsigned stamp_bits(const struct stamp_goal *goal, uint64_t nonce)
{
    crypto_generichash_state state;
    start(&state, goal);
    return bits_of(&state, nonce);
}

bool stamp_mine(const struct stamp_goal *goal, unsigned bits, unsigned tries, uint64_t *nonce)
{
    crypto_generichash_state state;
    start(&state, goal);
    for (unsigned i = 0; i < tries; i++) {
        if (bits_of(&state, *nonce) >= bits) {
            return true;
        }
        (*nonce)++;
    }
    return false;
}

enum err stamp_check(const struct stamp_goal *goal, uint64_t nonce, unsigned bits, uint64_t now_ms)
{
    uint64_t now = now_ms / LIMIT_MINUTE_MS;
    uint64_t apart = now > goal->minute ? now - goal->minute : goal->minute - now;
    if (apart > LIMIT_STAMP_MINUTES) {
        return ERR_STAMP_STALE;
    }
    return stamp_bits(goal, nonce) >= bits ? ERR_OK : ERR_STAMP_TOO_CHEAP;
}
