/* SPDX-License-Identifier: Apache-2.0
 *
 * token: the 32 bytes that admit one deposit or pop: nonce 16 | tag 16. Protocol section 4;
 * docs/protocol/04-relay.md, section 4.
 *
 * The reader of a queue (or record) mints tokens for its correspondents; the relay, which holds the
 * token key k of that target, checks the tag and sees noise in the nonce; the reader alone opens
 * the nonce. Draws no randomness: a nonce is a SIV over (contact, counter), and the caller never
 * uses a counter twice for one contact.
 */
#ifndef PETREL_RELAY_TOKEN_H
#define PETREL_RELAY_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "crypto/prim.h"

enum {
    TOKEN = 32,
    TOKEN_NONCE = 16, /* SIV: tag 8 | ciphertext 8 */
    TOKEN_TAG = 16,
    TOKEN_K_EPOCH = 32,
};

struct token {
    uint8_t b[TOKEN]; /* nonce | tag */
};
struct token_key { /* k: shared by reader and relay, one for each queue or record; random */
    uint8_t b[32];
};
struct token_kept { /* what a relay keeps of a token key for its next check; zeros: nothing yet */
    bool there;
    uint32_t epoch;
    uint8_t k_epoch[TOKEN_K_EPOCH];
};
struct token_siv_key { /* the reader's alone, one for each queue or record; random */
    uint8_t b[32];
};

/* The token epoch of a moment: Unix time / 32 days. */
uint32_t token_epoch(uint64_t now_ms);
/* When a spent token of this epoch may be forgotten: the end of epoch + 1, Unix ms. */
uint64_t token_epoch_over(uint32_t epoch);

/* Reader: the nonce of the token of (contact, counter). */
void token_nonce(const struct token_siv_key *siv, uint32_t contact, uint32_t counter,
                 uint8_t out[static TOKEN_NONCE]);
/* Reader: the token of (contact, counter) for target (public key of the queue or record), valid in
 * epoch and the one after it. */
void token_mint(const struct token_key *k, const struct token_siv_key *siv,
                const struct sign_pk *target, uint32_t contact, uint32_t counter, uint32_t epoch,
                struct token *out);
/* Reader: who was given the token with this nonce. ERR_DECRYPT: not one of ours. */
enum err token_open_nonce(const struct token_siv_key *siv, const uint8_t nonce[static TOKEN_NONCE],
                          uint32_t *contact, uint32_t *counter) PETREL_MUST_USE;

/* Relay: whether the tag is right for the epoch of now or the one before; epoch says which. kept
 * belongs to k and to nothing else; a token of its epoch costs one hash, every other one five, good
 * or wrong and whatever is kept. Constant time in k and the tag. ERR_BAD_TOKEN. */
enum err token_check(const struct token_key *k, struct token_kept *kept,
                     const struct sign_pk *target, uint64_t now_ms, const struct token *token,
                     uint32_t *epoch) PETREL_MUST_USE;
/* The part of it that a token costs for which nothing was kept: for a good one that is refused all
 * the same, so that it takes no less time than a wrong one. */
void token_check_rest(const struct token_key *k, const struct sign_pk *target, uint64_t now_ms,
                      const struct token *token);

#endif
