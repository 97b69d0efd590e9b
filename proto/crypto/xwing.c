/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/xwing.h"

#ifdef PETREL_OWN_XWING

#include <assert.h>
#include <string.h>

#include "crypto/ct.h"
#include "crypto/keccak.h"
#include "crypto/mlkem768.h"

enum {
    X = 32, /* an X25519 key or result */
    ML_PK = crypto_kem_mlkem768_PUBLICKEYBYTES,
    ML_SK = crypto_kem_mlkem768_SECRETKEYBYTES,
    ML_CT = crypto_kem_mlkem768_CIPHERTEXTBYTES,
    ML_SS = crypto_kem_mlkem768_SHAREDSECRETBYTES,
    ML_SEED = crypto_kem_mlkem768_SEEDBYTES,
};

static_assert(ML_PK + X == crypto_kem_xwing_PUBLICKEYBYTES, "public key");
static_assert(ML_CT + X == crypto_kem_xwing_CIPHERTEXTBYTES, "ciphertext");

/* expandDecapsulationKey (draft, section 5.2): both key pairs out of the seed. */
struct expanded {
    uint8_t seeds[ML_SEED + X]; /* d | z | secret key of X25519 */
    uint8_t ml_pk[ML_PK];
    uint8_t ml_sk[ML_SK];
    uint8_t x_pk[X];
};

static void expand(struct expanded *e, const uint8_t *seed)
{
    struct slice part = slice_of(seed, crypto_kem_xwing_SEEDBYTES);
    keccak_shake256(e->seeds, sizeof e->seeds, &part, 1);
    (void)crypto_kem_mlkem768_seed_keypair(e->ml_pk, e->ml_sk, e->seeds); /* always 0 */
    (void)crypto_scalarmult_base(e->x_pk, e->seeds + ML_SEED);            /* always 0 */
}

/* Combiner (draft, section 5.3). */
static void combine(uint8_t *ss, const uint8_t *ml_ss, const uint8_t *x_ss, const uint8_t *x_ct,
                    const uint8_t *x_pk)
{
    static const uint8_t label[6] = {'\\', '.', '/', '/', '^', '\\'};
    const struct slice parts[] = {slice_of(ml_ss, ML_SS), slice_of(x_ss, X), slice_of(x_ct, X),
                                  slice_of(x_pk, X), slice_of(label, sizeof label)};
    keccak_sha3_256(ss, parts, sizeof parts / sizeof parts[0]);
}

int crypto_kem_xwing_seed_keypair(uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES],
                                  uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES],
                                  const uint8_t seed[crypto_kem_xwing_SEEDBYTES])
{
    struct expanded e;
    expand(&e, seed);
    memcpy(pk, e.ml_pk, ML_PK);
    memcpy(pk + ML_PK, e.x_pk, X);
    CT_PUBLIC(pk, crypto_kem_xwing_PUBLICKEYBYTES);
    memcpy(sk, seed, crypto_kem_xwing_SECRETKEYBYTES);
    sodium_memzero(&e, sizeof e);
    return 0;
}

int crypto_kem_xwing_enc_deterministic(uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES],
                                       uint8_t ss[crypto_kem_xwing_SHAREDSECRETBYTES],
                                       const uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES],
                                       const uint8_t seed[64])
{
    struct {
        uint8_t ml_ss[ML_SS];
        uint8_t x_ss[X];
    } w;
    uint8_t out[crypto_kem_xwing_CIPHERTEXTBYTES];
    const uint8_t *x_sk = seed + 32;
    (void)crypto_scalarmult_base(out + ML_CT, x_sk);
    int refused = crypto_scalarmult(w.x_ss, x_sk, pk + ML_PK);
    CT_PUBLIC(&refused, sizeof refused); /* whether pk, which is public, is of small order */
    if (refused == 0) {
        refused = crypto_kem_mlkem768_enc_deterministic(out, w.ml_ss, pk, seed);
    }
    if (refused == 0) {
        combine(ss, w.ml_ss, w.x_ss, out + ML_CT, pk + ML_PK);
        memcpy(ct, out, sizeof out);
        CT_PUBLIC(ct, crypto_kem_xwing_CIPHERTEXTBYTES);
    }
    sodium_memzero(&w, sizeof w);
    return refused == 0 ? 0 : -1;
}

int crypto_kem_xwing_dec(uint8_t ss[crypto_kem_xwing_SHAREDSECRETBYTES],
                         const uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES],
                         const uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES])
{
    struct {
        struct expanded e;
        uint8_t ml_ss[ML_SS];
        uint8_t x_ss[X];
    } w;
    expand(&w.e, sk);
    const uint8_t *x_ct = ct + ML_CT;
    int refused = crypto_scalarmult(w.x_ss, w.e.seeds + ML_SEED, x_ct);
    CT_PUBLIC(&refused, sizeof refused); /* whether x_ct, which is public, is of small order */
    if (refused == 0) {
        refused = crypto_kem_mlkem768_dec(w.ml_ss, ct, w.e.ml_sk); /* never: sk is fresh */
    }
    if (refused == 0) {
        combine(ss, w.ml_ss, w.x_ss, x_ct, w.e.x_pk);
    }
    sodium_memzero(&w, sizeof w);
    return refused == 0 ? 0 : -1;
}

#else
typedef int xwing_is_libsodium; /* C wants a declaration in every file */
#endif
