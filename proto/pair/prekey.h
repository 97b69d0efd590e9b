/* SPDX-License-Identifier: Apache-2.0
 *
 * prekey: what a device publishes so that others can begin a session with it while it sleeps, and
 * the secrets that belong to it. Protocol section 5; docs/protocol/05-session.md, section 2.
 *
 * Two kinds: the signed prekey (X25519 and the last-resort ML-KEM key, one id for both), which is
 * part of the record's body, and one-time parts (X25519 and ML-KEM), of which each is popped once.
 * Both are [bin(body), bin(signature)], signed by the device's sign key. Never stores anything.
 */
#ifndef PETREL_PAIR_PREKEY_H
#define PETREL_PAIR_PREKEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/limits.h"
#include "crypto/prim.h"
#include "pair/session.h"

enum {
    PREKEY_SIGNED = 1,   /* kind: signed prekey and last-resort KEM key */
    PREKEY_ONE_TIME = 2, /* kind: one-time part */
    PREKEY_KEM_SEED = 64,
    PREKEY_SECRET = 1 + 1 + 4 + 8 + 32 + PREKEY_KEM_SEED, /* encoded struct prekey_secret */
    PREKEY_PART = 1344, /* an encoded part of either kind, at most; under LIMIT_RECORD_PART */
};

/* The secret half of either kind. The ML-KEM key pair is kept as its seed. */
struct prekey_secret {
    uint8_t kind; /* PREKEY_SIGNED or PREKEY_ONE_TIME */
    uint32_t id;  /* from 1 */
    uint64_t created_ms;
    struct dh_sk dh;
    uint8_t kem_seed[PREKEY_KEM_SEED];
};

/* Key pairs made from secrets; owned by the caller, to be wiped with prekey_keys_wipe. */
struct prekey_keys {
    struct pair_prekeys prekeys; /* kem_dk points into this struct: do not copy it */
    uint8_t kem_dk[SESSION_KEM_DK];
};

/* Fills *secret with fresh keys; created_ms is env's time. */
void prekey_generate(struct prekey_secret *secret, uint8_t kind, uint32_t id,
                     const struct env *env);
/* Fixed form for a sealed row. */
void prekey_secret_encode(const struct prekey_secret *secret, uint8_t out[static PREKEY_SECRET]);
/* ERR_CORRUPT; *secret is wiped then. */
enum err prekey_secret_decode(struct slice bytes, struct prekey_secret *secret) PETREL_MUST_USE;

/* Appends the public part, signed: at most PREKEY_PART bytes. ERR_NO_SPACE. */
enum err prekey_write(struct writer *w, const struct prekey_secret *secret,
                      const struct sign_sk *sign) PETREL_MUST_USE;
/* The signed prekey and, unless it is empty, one one-time part: both verified under the device's
 * sign key, then decoded into *bundle. created_ms: the signed prekey's. ERR_TOO_LARGE,
 * ERR_MALFORMED, ERR_BAD_KEY, ERR_BAD_SIGNATURE; ERR_EXPIRED when the signed prekey is so old that
 * its secret is gone (LIMIT_PREKEY_DAYS + LIMIT_PREKEY_KEEP_DAYS). */
enum err prekey_bundle_open(struct slice signed_part, struct slice one_time_part,
                            const struct sign_pk *sign, uint64_t now_ms, struct pair_bundle *bundle,
                            uint64_t *created_ms) PETREL_MUST_USE;

/* What a first envelope that names these secrets needs. one_time: NULL when its one-time id is 0.
 */
void prekey_keys_init(struct prekey_keys *keys, const struct prekey_secret *signed_prekey,
                      const struct prekey_secret *one_time);
void prekey_keys_wipe(struct prekey_keys *keys);

#endif
