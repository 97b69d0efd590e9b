/* SPDX-License-Identifier: Apache-2.0
 *
 * keccak: the functions of FIPS 202 that ML-KEM and X-Wing need: SHA3-256, SHA3-512, SHAKE128 and
 * SHAKE256 over Keccak-f[1600].
 *
 * Constant time: neither branch nor index depends on the bytes absorbed.
 * docs/protocol/02-crypto.md.
 */
#ifndef PETREL_CRYPTO_KECCAK_H
#define PETREL_CRYPTO_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    KECCAK_SHA3_256 = 32, /* output, bytes */
    KECCAK_SHA3_512 = 64,
    KECCAK_RATE_SHAKE128 = 168, /* bytes absorbed or squeezed per permutation */
    KECCAK_RATE_SHAKE256 = 136,
};

/* A sponge, absorbing and then squeezing. Holds what was absorbed: wipe it with keccak_fini. */
struct keccak {
    uint64_t lane[25]; /* lane[x + 5 * y] */
    unsigned rate;     /* bytes, a multiple of 8 */
    unsigned pos;      /* next byte of the rate to absorb into or squeeze from */
    uint8_t suffix;    /* domain bits and first bit of the padding */
};

void keccak_shake128_init(struct keccak *k);
void keccak_shake256_init(struct keccak *k);
void keccak_absorb(struct keccak *k, const void *p, size_t len);
/* Ends absorbing: once, before the first squeeze. */
void keccak_pad(struct keccak *k);
void keccak_squeeze(struct keccak *k, uint8_t *out, size_t len);
void keccak_fini(struct keccak *k);

/* Whole functions over the parts, one after the other. The state is wiped. */
void keccak_sha3_256(uint8_t out[static KECCAK_SHA3_256], const struct slice *parts, size_t nparts);
void keccak_sha3_512(uint8_t out[static KECCAK_SHA3_512], const struct slice *parts, size_t nparts);
void keccak_shake256(uint8_t *out, size_t outlen, const struct slice *parts, size_t nparts);

#endif
