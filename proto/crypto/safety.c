/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/safety.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

enum {
    GROUPS = 6, /* of five digits */
    GROUP_DIGITS = 5,
    GROUP_BYTES = 5,
};

static_assert(GROUPS * GROUP_DIGITS == SAFETY_HALF, "digits of one half");
static_assert(GROUPS * GROUP_BYTES <= crypto_hash_sha512_BYTES, "bytes of one half");

/* hash = label | A, then 5,200 times hash = SHA-512(hash | A). */
static void iterate(const struct sign_pk *id, uint8_t hash[static crypto_hash_sha512_BYTES])
{
    static const char label[] = "petrel/1 safety";
    uint8_t in[crypto_hash_sha512_BYTES + 32];
    memcpy(in, label, sizeof label - 1);
    memcpy(in + sizeof label - 1, id->b, 32);
    size_t len = sizeof label - 1 + 32;
    for (unsigned i = 0; i < SAFETY_ITERATIONS; i++) {
        memcpy(in + len, id->b, 32);
        (void)crypto_hash_sha512(hash, in, len + 32);
        memcpy(in, hash, crypto_hash_sha512_BYTES);
        len = crypto_hash_sha512_BYTES;
    }
}

/* 30 digits, without NUL. */
static void half(const struct sign_pk *id, char out[static SAFETY_HALF])
{
    uint8_t hash[crypto_hash_sha512_BYTES];
    iterate(id, hash);
    for (unsigned g = 0; g < GROUPS; g++) {
        uint64_t v = 0;
        for (unsigned i = 0; i < GROUP_BYTES; i++) {
            v = v << 8 | hash[g * GROUP_BYTES + i];
        }
        v %= 100000;
        for (unsigned i = GROUP_DIGITS; i-- > 0;) {
            out[g * GROUP_DIGITS + i] = (char)('0' + v % 10);
            v /= 10;
        }
    }
}

void safety_number(const struct sign_pk *a, const struct sign_pk *b, char out[static SAFETY_TEXT])
{
    char first[SAFETY_HALF];
    char second[SAFETY_HALF];
    half(a, first);
    half(b, second);
    bool swap = memcmp(first, second, SAFETY_HALF) > 0;
    memcpy(out, swap ? second : first, SAFETY_HALF);
    memcpy(out + SAFETY_HALF, swap ? first : second, SAFETY_HALF);
    out[SAFETY_TEXT - 1] = '\0';
}
