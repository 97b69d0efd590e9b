/* SPDX-License-Identifier: Apache-2.0
 *
 * prim: the primitives that everything else is built of, typed so that keys cannot be mixed up.
 *
 * A thin layer over libsodium: Ed25519 (RFC 8032), X25519 (RFC 7748), BLAKE2b (RFC 7693),
 * SHA-256/512, HMAC-SHA-256 (RFC 2104), XChaCha20-Poly1305. Draws no randomness. A signature or
 * hash of ours always covers a label "petrel/1 <name>" first (docs/protocol/02-crypto.md).
 */
#ifndef PETREL_CRYPTO_PRIM_H
#define PETREL_CRYPTO_PRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    PRIM_SIGNATURE = 64,
    PRIM_KEY = 32,
    PRIM_AEAD_NONCE = 24,
    PRIM_AEAD_TAG = 16,
    PRIM_SHA256 = 32,
    PRIM_SIGNED_MAX = 65536, /* longest body that is signed, bytes */
};

struct sign_pk { /* Ed25519 public key */
    uint8_t b[32];
};
struct sign_sk { /* Ed25519 secret key: seed | public key, as libsodium has it */
    uint8_t b[64];
};
struct dh_pk { /* X25519 public key */
    uint8_t b[32];
};
struct dh_sk { /* X25519 secret key */
    uint8_t b[32];
};
struct aead_key { /* XChaCha20-Poly1305 */
    uint8_t b[32];
};

/* Starts libsodium; idempotent. ERR_BUG when it cannot start. */
enum err prim_init(void) PETREL_MUST_USE;

/* Key pairs from a 32-byte seed (Ed25519) or secret (X25519). */
void prim_sign_keypair(struct sign_pk *pk, struct sign_sk *sk, const uint8_t seed[static 32]);
void prim_dh_public(struct dh_pk *pk, const struct dh_sk *sk);
/* The X25519 form of an Ed25519 pair: only ever for the node ID (section 1 of the protocol). */
enum err prim_sign_pk_to_dh(struct dh_pk *out, const struct sign_pk *pk) PETREL_MUST_USE;
void prim_sign_sk_to_dh(struct dh_sk *out, const struct sign_sk *sk);
/* Canonical, on the curve, of the main subgroup, not of small order: libsodium's own check, plus
 * the points of order 2L that a libsodium without the mending of CVE-2025-69277 lets through. Not
 * constant time: for public keys. About 0.12 ms. */
bool prim_sign_pk_valid(const struct sign_pk *pk);

/* Signature over label | 0x00 | body. body <= PRIM_SIGNED_MAX, else ERR_TOO_LARGE; ERR_NO_MEMORY.
 */
enum err prim_sign(uint8_t sig[static PRIM_SIGNATURE], const char *label, struct slice body,
                   const struct sign_sk *sk) PETREL_MUST_USE;
/* ERR_BAD_KEY (prim_sign_pk_valid is part of it), ERR_BAD_SIGNATURE; else as prim_sign. */
enum err prim_verify(const uint8_t sig[static PRIM_SIGNATURE], const char *label, struct slice body,
                     const struct sign_pk *pk) PETREL_MUST_USE;

/* X25519; ERR_BAD_KEY when the result is all zeros (RFC 7748, section 6.1). */
enum err prim_dh(uint8_t out[static 32], const struct dh_sk *sk,
                 const struct dh_pk *pk) PETREL_MUST_USE;

/* BLAKE2b of outlen (16-64) bytes over label | parts; key may be NULL (keylen 16-64). The label
 * goes in without a terminator, as section 3 and 4 of the protocol write it. */
void prim_blake2b(uint8_t *out, size_t outlen, struct slice key, const char *label,
                  const struct slice *parts, size_t nparts);

/* SHA-256 over label | parts, label without its terminator ("" for none). */
void prim_sha256(uint8_t out[static PRIM_SHA256], const char *label, const struct slice *parts,
                 size_t nparts);
/* HMAC-SHA-256 (RFC 2104) over the parts; a key of any length, empty included. */
void prim_hmac_sha256(uint8_t out[static PRIM_SHA256], struct slice key, const struct slice *parts,
                      size_t nparts);

/* XChaCha20-Poly1305: out has room for plain.len + PRIM_AEAD_TAG and may be plain.p itself. */
void prim_aead_seal(uint8_t *out, const struct aead_key *key,
                    const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                    struct slice plain);
/* out has room for sealed.len - PRIM_AEAD_TAG; wiped on ERR_DECRYPT. */
enum err prim_aead_open(uint8_t *out, const struct aead_key *key,
                        const uint8_t nonce[static PRIM_AEAD_NONCE], struct slice ad,
                        struct slice sealed) PETREL_MUST_USE;

/* Constant-time comparison. */
bool prim_equal(const void *a, const void *b, size_t len);
/* Whether all bytes are zero, as those that fill up a padded plaintext; so are none. Constant-time,
 * and the answer is public: who pads in another way is refused. */
bool prim_zero(struct slice bytes);

#endif
