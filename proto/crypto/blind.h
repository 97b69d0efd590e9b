/* SPDX-License-Identifier: Apache-2.0
 *
 * blind: an identity's key for one period, which nobody who does not know the identity can link to
 * it or to another period's. Protocol section 3; docs/protocol/06-identity.md, section 8.
 *
 *   h  = BLAKE2b-512("petrel/1 blind" | A | period u64 BE) mod L
 *   A' = h*A, a' = h*a mod L, prefix' = BLAKE2b-256("petrel/1 blind nonce" | prefix | A')
 *
 * A signature is a plain Ed25519 signature (RFC 8032) under A' over the raw message: that of a BEP
 * 44 item ("3:seqi..."), to which no label can be put, or that of a request, which begins with its
 * label.
 */
#ifndef PETREL_CRYPTO_BLIND_H
#define PETREL_CRYPTO_BLIND_H

#include <stdint.h>

#include "crypto/prim.h"

/* A' of id in period. ERR_BAD_KEY when id is no valid point. */
enum err blind_public(const struct sign_pk *id, uint64_t period,
                      struct sign_pk *out) PETREL_MUST_USE;
/* Deterministic. message.len <= PRIM_SIGNED_MAX, else ERR_TOO_LARGE. ERR_BAD_KEY. */
enum err blind_sign(const struct sign_sk *identity, uint64_t period, struct slice message,
                    uint8_t sig[static PRIM_SIGNATURE]) PETREL_MUST_USE;
/* Plain Ed25519 under the blinded key. ERR_BAD_KEY, ERR_BAD_SIGNATURE. */
enum err blind_verify(const struct sign_pk *blinded, struct slice message,
                      const uint8_t sig[static PRIM_SIGNATURE]) PETREL_MUST_USE;

#endif
