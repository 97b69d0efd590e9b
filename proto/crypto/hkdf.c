/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hkdf.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "crypto/prim.h"

static_assert(HKDF_PRK == crypto_auth_hmacsha256_BYTES, "HMAC-SHA-256");

void hkdf_extract(uint8_t prk[static HKDF_PRK], struct slice salt, const struct slice *ikm,
                  size_t nikm)
{
    prim_hmac_sha256(prk, salt, ikm, nikm);
}

enum err hkdf_expand(uint8_t *out, size_t len, const uint8_t prk[static HKDF_PRK],
                     const struct slice *info, size_t ninfo)
{
    if (len > HKDF_OUTPUT_MAX) {
        return ERR_ARGUMENT;
    }
    crypto_auth_hmacsha256_state keyed;
    crypto_auth_hmacsha256_state state;
    uint8_t block[crypto_auth_hmacsha256_BYTES];
    (void)crypto_auth_hmacsha256_init(&keyed, prk, HKDF_PRK);
    uint8_t counter = 0;
    for (size_t done = 0; done < len;) {
        state = keyed;
        if (counter > 0) {
            (void)crypto_auth_hmacsha256_update(&state, block, sizeof block);
        }
        for (size_t i = 0; i < ninfo; i++) {
            (void)crypto_auth_hmacsha256_update(&state, info[i].p, info[i].len);
        }
        counter++;
        (void)crypto_auth_hmacsha256_update(&state, &counter, 1);
        (void)crypto_auth_hmacsha256_final(&state, block);
        size_t n = len - done < sizeof block ? len - done : sizeof block;
        memcpy(out + done, block, n);
        done += n;
    }
    sodium_memzero(&keyed, sizeof keyed);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(block, sizeof block);
    return ERR_OK;
}

enum err hkdf(uint8_t *out, size_t len, struct slice salt, struct slice ikm, struct slice info)
{
    uint8_t prk[HKDF_PRK];
    hkdf_extract(prk, salt, &ikm, 1);
    enum err err = hkdf_expand(out, len, prk, &info, 1);
    sodium_memzero(prk, sizeof prk);
    return err;
}
