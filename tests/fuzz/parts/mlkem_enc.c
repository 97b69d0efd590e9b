/* SPDX-License-Identifier: Apache-2.0
 *
 * mlkem_enc: encapsulation to an arbitrary key, and decapsulation of an arbitrary ciphertext.
 * The input is laid over a good key (then the ciphertext that it gave), beginning at its first two
 * bytes' offset, so that short inputs reach every place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/mlkem768.h"
#include "fuzz/parts/parts.h"

/* An assertion that stays in every build. */
static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void lay_over(uint8_t *out, size_t cap, struct slice bytes, size_t offset)
{
    for (size_t i = 0; i < bytes.len && i < cap; i++) {
        out[(offset + i) % cap] = bytes.p[i];
    }
}

/* The modulus check of FIPS 203, section 7.2, said once more. */
static bool in_range(const uint8_t *pk)
{
    for (size_t i = 0; i < 1152; i += 3) {
        unsigned a = pk[i] | (pk[i + 1] & 15U) << 8;
        unsigned b = pk[i + 1] >> 4U | (unsigned)pk[i + 2] << 4;
        if (a >= 3329 || b >= 3329) {
            return false;
        }
    }
    return true;
}

void part_mlkem_enc(const uint8_t *data, size_t len)
{
    struct reader r = reader_of(slice_of(data, len));
    const uint8_t seed[crypto_kem_mlkem768_SEEDBYTES] = {1};
    uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES];
    uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES];
    uint8_t sent[32];
    uint8_t got[32];
    size_t offset = reader_u16(&r);
    struct slice bytes = reader_rest(&r);
    (void)crypto_kem_mlkem768_seed_keypair(pk, sk, seed);
    lay_over(pk, sizeof pk, bytes, offset);
    int refused = crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, seed);
    must((refused == 0) == in_range(pk));
    if (refused == 0) {
        lay_over(ct, sizeof ct, bytes, offset);
        must(crypto_kem_mlkem768_dec(got, ct, sk) == 0);
    }
}
