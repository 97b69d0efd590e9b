/* SPDX-License-Identifier: Apache-2.0
 *
 * mlkem768: ML-KEM-768 (FIPS 203), under the names of libsodium 1.0.22, so that a libsodium that
 * has them takes the place of this one without a change elsewhere.
 *
 * Draws no randomness. Used only together with X25519, never alone. Constant time in everything
 * secret. docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_MLKEM768_H
#define PETREL_CRYPTO_MLKEM768_H

#include <stdint.h>

#include <sodium.h>

#include "base/err.h"

#ifndef crypto_kem_mlkem768_PUBLICKEYBYTES
#define PETREL_OWN_MLKEM768 1

#define crypto_kem_mlkem768_PUBLICKEYBYTES    1184U
#define crypto_kem_mlkem768_SECRETKEYBYTES    2400U
#define crypto_kem_mlkem768_CIPHERTEXTBYTES   1088U
#define crypto_kem_mlkem768_SHAREDSECRETBYTES 32U
#define crypto_kem_mlkem768_SEEDBYTES         64U

/* ML-KEM.KeyGen_internal (algorithm 16). seed = d | z, outside of pk and sk.
 * Always 0. */
int crypto_kem_mlkem768_seed_keypair(uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
                                     uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES],
                                     const uint8_t seed[crypto_kem_mlkem768_SEEDBYTES]);

/* ML-KEM.Encaps_internal (algorithm 17) with m = seed, after the modulus check of section 7.2:
 * -1, and nothing written, when pk has a coefficient of 3329 or more. */
int crypto_kem_mlkem768_enc_deterministic(uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
                                          uint8_t ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
                                          const uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES],
                                          const uint8_t seed[32]) PETREL_MUST_USE;

/* ML-KEM.Decaps (algorithm 21) with the hash check of section 7.3: -1, and nothing written, when
 * sk does not hold the hash of its own public key (a damaged sk; libsodium has no such check). A
 * ciphertext that was not made for this key gives 0 and a secret that nobody else can know. */
int crypto_kem_mlkem768_dec(uint8_t ss[crypto_kem_mlkem768_SHAREDSECRETBYTES],
                            const uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES],
                            const uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES]) PETREL_MUST_USE;

#endif
#endif
