/* SPDX-License-Identifier: Apache-2.0
 *
 * The published vectors are in tests/vectors/test_mlkem.c, the arithmetic inside is in
 * test_mlkem768_arithmetic.c. Holds for libsodium's ML-KEM too, where that is linked.
 */
#include "crypto/mlkem768.h"

#include <string.h>

#include "crypto/keccak.h"
#include "lib/unit.h"

enum {
    PK = crypto_kem_mlkem768_PUBLICKEYBYTES,
    SK = crypto_kem_mlkem768_SECRETKEYBYTES,
    CT = crypto_kem_mlkem768_CIPHERTEXTBYTES,
    SS = crypto_kem_mlkem768_SHAREDSECRETBYTES,
    COEFFICIENTS = 768, /* of the vector in a key */
    Q = 3329,
    DK_EK = 1152, /* where the public key lies in a secret key, its hash, and z */
    DK_HASH = DK_EK + PK,
    DK_Z = DK_HASH + 32,
};

static void keypair(uint8_t pk[PK], uint8_t sk[SK], uint64_t seed)
{
    struct unit_env u;
    uint8_t bytes[crypto_kem_mlkem768_SEEDBYTES];
    unit_env_init(&u, seed, 0);
    env_random(&u.env, bytes, sizeof bytes);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk, sk, bytes), 0);
}

START_TEST(both_sides_get_the_same_secret)
{
    for (uint8_t i = 0; i < 20; i++) {
        uint8_t pk[PK];
        uint8_t sk[SK];
        uint8_t ct[CT];
        uint8_t sent[SS];
        uint8_t got[SS];
        const uint8_t m[32] = {i};
        keypair(pk, sk, i);
        ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, m), 0);
        ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
        ck_assert_mem_eq(sent, got, SS);
    }
}
END_TEST

START_TEST(a_changed_ciphertext_gives_the_rejection_secret)
{
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t ct[CT];
    uint8_t sent[SS];
    const uint8_t m[32] = {1};
    keypair(pk, sk, 1);
    ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, m), 0);
    for (size_t at = 0; at < CT; at += 31) {
        uint8_t got[SS];
        uint8_t expected[SS];
        ct[at] ^= (uint8_t)(1U << at % 8);
        const struct slice parts[] = {slice_of(sk + DK_Z, 32), slice_of(ct, CT)};
        keccak_shake256(expected, SS, parts, 2);
        ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
        ck_assert_mem_eq(got, expected, SS);
        ct[at] ^= (uint8_t)(1U << at % 8);
    }
}
END_TEST

/* Puts v in place of coefficient j of the key's vector (12 bits each). */
static void set_coefficient(uint8_t pk[PK], unsigned j, unsigned v)
{
    uint8_t *p = pk + 3 * (j / 2);
    if (j % 2 == 0) {
        p[0] = (uint8_t)v;
        p[1] = (uint8_t)((p[1] & 0xf0) | v >> 8);
    } else {
        p[1] = (uint8_t)((p[1] & 0x0f) | (v & 15) << 4);
        p[2] = (uint8_t)(v >> 4);
    }
}

START_TEST(a_key_with_any_coefficient_out_of_range_is_refused)
{
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t ct[CT];
    uint8_t ss[SS];
    uint8_t good_ct[CT];
    uint8_t good_ss[SS];
    const uint8_t m[32] = {1};
    keypair(pk, sk, 2);
    memset(ct, 0xa5, sizeof ct);
    memset(ss, 0xa5, sizeof ss);
    for (unsigned j = 0; j < COEFFICIENTS; j++) {
        uint8_t bad[PK];
        memcpy(bad, pk, PK);
        set_coefficient(bad, j, j % 3 == 0 ? 4095 : Q);
        ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, ss, bad, m), -1);
        set_coefficient(bad, j, Q - 1);
        ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(good_ct, good_ss, bad, m), 0);
    }
    ck_assert_uint_eq(ct[0], 0xa5);
    ck_assert_uint_eq(ct[CT - 1], 0xa5);
    ck_assert_uint_eq(ss[0], 0xa5);
}
END_TEST

#ifdef PETREL_OWN_MLKEM768 /* libsodium leaves this check to its caller */
START_TEST(a_damaged_secret_key_is_refused)
{
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t ct[CT];
    uint8_t sent[SS];
    uint8_t got[SS];
    const uint8_t m[32] = {1};
    keypair(pk, sk, 4);
    ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, m), 0);
    static const unsigned places[] = {DK_EK, DK_EK + PK - 1, DK_HASH, DK_Z - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        memset(got, 0xa5, sizeof got);
        sk[places[i]] ^= 1;
        ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), -1);
        ck_assert_uint_eq(got[0], 0xa5);
        sk[places[i]] ^= 1;
    }
    ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
    ck_assert_mem_eq(got, sent, SS);
}
END_TEST
#endif

static void add(TCase *tc)
{
    tcase_add_test(tc, both_sides_get_the_same_secret);
    tcase_add_test(tc, a_changed_ciphertext_gives_the_rejection_secret);
    tcase_add_test(tc, a_key_with_any_coefficient_out_of_range_is_refused);
#ifdef PETREL_OWN_MLKEM768
    tcase_add_test(tc, a_damaged_secret_key_is_refused);
#endif
}

int main(void)
{
    return unit_main("crypto/mlkem768", add);
}
