/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

static_assert(KECCAK_RATE_SHAKE128 % 8 == 0 && KECCAK_RATE_SHAKE256 % 8 == 0, "whole lanes");

enum {
    RATE_SHA3_256 = 136,
    RATE_SHA3_512 = 72,
    SUFFIX_SHA3 = 0x06,  /* bits 01, then the first 1 of the padding (FIPS 202, section 6.1) */
    SUFFIX_SHAKE = 0x1f, /* bits 1111, then the first 1 of the padding (section 6.2) */
    ROUNDS = 24,
};

/* FIPS 202, section 3.2.5: iota. */
static const uint64_t round_constants[ROUNDS] = {
    UINT64_C(0x0000000000000001), UINT64_C(0x0000000000008082), UINT64_C(0x800000000000808a),
    UINT64_C(0x8000000080008000), UINT64_C(0x000000000000808b), UINT64_C(0x0000000080000001),
    UINT64_C(0x8000000080008081), UINT64_C(0x8000000000008009), UINT64_C(0x000000000000008a),
    UINT64_C(0x0000000000000088), UINT64_C(0x0000000080008009), UINT64_C(0x000000008000000a),
    UINT64_C(0x000000008000808b), UINT64_C(0x800000000000008b), UINT64_C(0x8000000000008089),
    UINT64_C(0x8000000000008003), UINT64_C(0x8000000000008002), UINT64_C(0x8000000000000080),
    UINT64_C(0x000000000000800a), UINT64_C(0x800000008000000a), UINT64_C(0x8000000080008081),
    UINT64_C(0x8000000000008080), UINT64_C(0x0000000080000001), UINT64_C(0x8000000080008008),
};

static inline uint64_t rol(uint64_t v, unsigned n)
{
    return v << n | v >> ((64 - n) % 64); /* n = 0 too */
}

/* rho, pi and chi (sections 3.2.2 to 3.2.4) of one plane: five lanes of in, with theta's column
 * parity d mixed in and each rotated by its offset, become plane y of out. */
#define PLANE(out, y, l0, r0, l1, r1, l2, r2, l3, r3, l4, r4)                                      \
    do {                                                                                           \
        uint64_t b0 = rol(in[l0] ^ d[(l0) % 5], r0);                                               \
        uint64_t b1 = rol(in[l1] ^ d[(l1) % 5], r1);                                               \
        uint64_t b2 = rol(in[l2] ^ d[(l2) % 5], r2);                                               \
        uint64_t b3 = rol(in[l3] ^ d[(l3) % 5], r3);                                               \
        uint64_t b4 = rol(in[l4] ^ d[(l4) % 5], r4);                                               \
        (out)[5 * (y)] = b0 ^ (~b1 & b2);                                                          \
        (out)[5 * (y) + 1] = b1 ^ (~b2 & b3);                                                      \
        (out)[5 * (y) + 2] = b2 ^ (~b3 & b4);                                                      \
        (out)[5 * (y) + 3] = b3 ^ (~b4 & b0);                                                      \
        (out)[5 * (y) + 4] = b4 ^ (~b0 & b1);                                                      \
    } while (0)

static inline void round_of(uint64_t out[25], const uint64_t in[25], uint64_t constant)
{
    /* theta (section 3.2.1) */
    uint64_t c0 = in[0] ^ in[5] ^ in[10] ^ in[15] ^ in[20];
    uint64_t c1 = in[1] ^ in[6] ^ in[11] ^ in[16] ^ in[21];
    uint64_t c2 = in[2] ^ in[7] ^ in[12] ^ in[17] ^ in[22];
    uint64_t c3 = in[3] ^ in[8] ^ in[13] ^ in[18] ^ in[23];
    uint64_t c4 = in[4] ^ in[9] ^ in[14] ^ in[19] ^ in[24];
    const uint64_t d[5] = {c4 ^ rol(c1, 1), c0 ^ rol(c2, 1), c1 ^ rol(c3, 1), c2 ^ rol(c4, 1),
                           c3 ^ rol(c0, 1)};
    PLANE(out, 0, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);
    PLANE(out, 1, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);
    PLANE(out, 2, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);
    PLANE(out, 3, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);
    PLANE(out, 4, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);
    out[0] ^= constant;
}

static void permute(uint64_t lane[25])
{
    uint64_t other[25];
    for (unsigned i = 0; i < ROUNDS; i += 2) {
        round_of(other, lane, round_constants[i]);
        round_of(lane, other, round_constants[i + 1]);
    }
    sodium_memzero(other, sizeof other);
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)p[i] << 8 * i;
    }
    return v;
}

static void init(struct keccak *k, unsigned rate, uint8_t suffix)
{
    *k = (struct keccak){.rate = rate, .suffix = suffix};
}

void keccak_shake128_init(struct keccak *k)
{
    init(k, KECCAK_RATE_SHAKE128, SUFFIX_SHAKE);
}

void keccak_shake256_init(struct keccak *k)
{
    init(k, KECCAK_RATE_SHAKE256, SUFFIX_SHAKE);
}

static void absorb_byte(struct keccak *k, uint8_t byte)
{
    k->lane[k->pos / 8] ^= (uint64_t)byte << 8 * (k->pos % 8);
    k->pos++;
}

void keccak_absorb(struct keccak *k, const void *p, size_t len)
{
    const uint8_t *in = p;
    while (len > 0) {
        if (k->pos % 8 == 0 && len >= 8) {
            k->lane[k->pos / 8] ^= load64(in);
            k->pos += 8;
            in += 8;
            len -= 8;
        } else {
            absorb_byte(k, *in++);
            len--;
        }
        if (k->pos == k->rate) {
            permute(k->lane);
            k->pos = 0;
        }
    }
}

void keccak_pad(struct keccak *k)
{
    absorb_byte(k, k->suffix);
    k->lane[k->rate / 8 - 1] ^= UINT64_C(1) << 63;
    k->pos = k->rate; /* the first squeeze permutes */
}

void keccak_squeeze(struct keccak *k, uint8_t *out, size_t len)
{
    while (len > 0) {
        if (k->pos == k->rate) {
            permute(k->lane);
            k->pos = 0;
        }
        if (k->pos % 8 == 0 && len >= 8) {
            uint64_t v = k->lane[k->pos / 8];
            for (unsigned i = 0; i < 8; i++) {
                *out++ = (uint8_t)(v >> 8 * i);
            }
            k->pos += 8;
            len -= 8;
        } else {
            *out++ = (uint8_t)(k->lane[k->pos / 8] >> 8 * (k->pos % 8));
            k->pos++;
            len--;
        }
    }
}

void keccak_fini(struct keccak *k)
{
    sodium_memzero(k, sizeof *k);
}

static void whole(struct keccak *k, uint8_t *out, size_t outlen, const struct slice *parts,
                  size_t nparts)
{
    for (size_t i = 0; i < nparts; i++) {
        keccak_absorb(k, parts[i].p, parts[i].len);
    }
    keccak_pad(k);
    keccak_squeeze(k, out, outlen);
    keccak_fini(k);
}

void keccak_sha3_256(uint8_t out[static KECCAK_SHA3_256], const struct slice *parts, size_t nparts)
{
    struct keccak k;
    init(&k, RATE_SHA3_256, SUFFIX_SHA3);
    whole(&k, out, KECCAK_SHA3_256, parts, nparts);
}

void keccak_sha3_512(uint8_t out[static KECCAK_SHA3_512], const struct slice *parts, size_t nparts)
{
    struct keccak k;
    init(&k, RATE_SHA3_512, SUFFIX_SHA3);
    whole(&k, out, KECCAK_SHA3_512, parts, nparts);
}

void keccak_shake256(uint8_t *out, size_t outlen, const struct slice *parts, size_t nparts)
{
    struct keccak k;
    keccak_shake256_init(&k);
    whole(&k, out, outlen, parts, nparts);
}
