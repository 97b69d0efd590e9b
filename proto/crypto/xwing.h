/* SPDX-License-Identifier: Apache-2.0
 *
 * xwing: X-Wing, the hybrid KEM of X25519 and ML-KEM-768 (draft-connolly-cfrg-xwing-kem-09), under
 * the names of libsodium 1.0.22, so that a libsodium that has them takes its place.
 *
 * Draws no randomness. Constant time in everything secret. docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_XWING_H
#define PETREL_CRYPTO_XWING_H

#include <stdint.h>

#include <sodium.h>

#include "base/err.h"

#ifndef crypto_kem_xwing_PUBLICKEYBYTES
#define PETREL_OWN_XWING 1

#define crypto_kem_xwing_PUBLICKEYBYTES    1216U /* ML-KEM-768 1184 | X25519 32 */
#define crypto_kem_xwing_SECRETKEYBYTES    32U   /* the seed */
#define crypto_kem_xwing_CIPHERTEXTBYTES   1120U /* ML-KEM-768 1088 | X25519 32 */
#define crypto_kem_xwing_SHAREDSECRETBYTES 32U
#define crypto_kem_xwing_SEEDBYTES         32U

/* GenerateKeyPairDerand: sk gets a copy of seed, which lies outside of pk and sk. Always 0. */
int crypto_kem_xwing_seed_keypair(uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES],
                                  uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES],
                                  const uint8_t seed[crypto_kem_xwing_SEEDBYTES]);

/* EncapsulateDerand. seed = m of ML-KEM 32 | X25519 ephemeral secret 32. -1, and nothing written,
 * when the ML-KEM part of pk fails its modulus check or the X25519 part is of small order. */
int crypto_kem_xwing_enc_deterministic(uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES],
                                       uint8_t ss[crypto_kem_xwing_SHAREDSECRETBYTES],
                                       const uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES],
                                       const uint8_t seed[64]) PETREL_MUST_USE;

/* Decapsulate. -1, and nothing written, when the X25519 part of ct is of small order; another
 * wrong ct gives 0 and a secret that nobody else can know. */
int crypto_kem_xwing_dec(uint8_t ss[crypto_kem_xwing_SHAREDSECRETBYTES],
                         const uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES],
                         const uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES]) PETREL_MUST_USE;

#endif
#endif
