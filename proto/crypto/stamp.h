/* SPDX-License-Identifier: Apache-2.0
 *
 * stamp: the price of a deposit or pop without a token: a BLAKE2b hashcash, bound to its target,
 * the envelope, the relay and the minute. Protocol section 4; docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_STAMP_H
#define PETREL_CRYPTO_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/prim.h"

/* What a stamp is bound to. */
struct stamp_goal {
    uint8_t target[32];   /* public key of the queue or record */
    uint8_t payload[32];  /* BLAKE2b-256 of the envelope, or of the pop nonce */
    struct sign_pk relay; /* node ID */
    uint32_t minute;      /* Unix time / 60 s */
};

/* Leading zero bits of BLAKE2b-256("petrel/1 stamp" | target | payload | relay | minute u32 | nonce
 * u64). */
unsigned stamp_bits(const struct stamp_goal *goal, uint64_t nonce);
/* Tries `tries` nonces from *nonce on. true: *nonce has at least bits zero bits; false: *nonce is
 * where to go on. */
bool stamp_mine(const struct stamp_goal *goal, unsigned bits, unsigned tries, uint64_t *nonce);
/* ERR_OK, ERR_STAMP_STALE (minute differs from now by more than LIMIT_STAMP_MINUTES),
 * ERR_STAMP_TOO_CHEAP. */
enum err stamp_check(const struct stamp_goal *goal, uint64_t nonce, unsigned bits,
                     uint64_t now_ms) PETREL_MUST_USE;

#endif
