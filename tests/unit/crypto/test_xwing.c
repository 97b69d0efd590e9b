/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/xwing.h"

#include <string.h>

#include "crypto/mlkem768.h"
#include "lib/unit.h"

enum {
    PK = crypto_kem_xwing_PUBLICKEYBYTES,
    SK = crypto_kem_xwing_SECRETKEYBYTES,
    CT = crypto_kem_xwing_CIPHERTEXTBYTES,
    SS = crypto_kem_xwing_SHAREDSECRETBYTES,
    ML_PK = crypto_kem_mlkem768_PUBLICKEYBYTES,
    ML_CT = crypto_kem_mlkem768_CIPHERTEXTBYTES,
};

struct sent {
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t ct[CT];
    uint8_t ss[SS];
};

static void send_one(struct sent *s, uint64_t n)
{
    struct unit_env u;
    uint8_t seed[crypto_kem_xwing_SEEDBYTES];
    uint8_t eseed[64];
    unit_env_init(&u, n, 0);
    env_random(&u.env, seed, sizeof seed);
    env_random(&u.env, eseed, sizeof eseed);
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(s->pk, s->sk, seed), 0);
    ck_assert_int_eq(crypto_kem_xwing_enc_deterministic(s->ct, s->ss, s->pk, eseed), 0);
}

START_TEST(both_sides_get_the_same_secret)
{
    for (uint64_t n = 0; n < 10; n++) {
        struct sent s;
        uint8_t got[SS];
        send_one(&s, n);
        ck_assert_int_eq(crypto_kem_xwing_dec(got, s.ct, s.sk), 0);
        ck_assert_mem_eq(got, s.ss, SS);
    }
}
END_TEST

START_TEST(the_public_key_and_both_halves_count)
{
    struct sent s;
    uint8_t got[SS];
    send_one(&s, 1);
    static const unsigned places[] = {0, ML_CT - 1, ML_CT, CT - 2};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        s.ct[places[i]] ^= 1;
        ck_assert_int_eq(crypto_kem_xwing_dec(got, s.ct, s.sk), 0);
        ck_assert_mem_ne(got, s.ss, SS);
        s.ct[places[i]] ^= 1;
    }
    s.sk[0] ^= 1;
    ck_assert_int_eq(crypto_kem_xwing_dec(got, s.ct, s.sk), 0);
    ck_assert_mem_ne(got, s.ss, SS);
}
END_TEST

START_TEST(keys_out_of_form_are_refused_and_write_nothing)
{
    struct sent s;
    uint8_t ct[CT];
    uint8_t ss[SS];
    const uint8_t eseed[64] = {1};
    send_one(&s, 2);
    memset(ct, 0xa5, sizeof ct);
    memset(ss, 0xa5, sizeof ss);

    uint8_t bad[PK];
    memcpy(bad, s.pk, PK);
    memset(bad, 0xff, 3); /* coefficients of 4095 */
    ck_assert_int_eq(crypto_kem_xwing_enc_deterministic(ct, ss, bad, eseed), -1);
    memcpy(bad, s.pk, PK);
    memset(bad + ML_PK, 0, 32); /* X25519 key of small order */
    ck_assert_int_eq(crypto_kem_xwing_enc_deterministic(ct, ss, bad, eseed), -1);

    for (size_t i = 0; i < CT; i++) {
        ck_assert_uint_eq(ct[i], 0xa5);
    }
    memset(s.ct + ML_CT, 0, 32);
    ck_assert_int_eq(crypto_kem_xwing_dec(ss, s.ct, s.sk), -1);
    for (size_t i = 0; i < SS; i++) {
        ck_assert_uint_eq(ss[i], 0xa5);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, both_sides_get_the_same_secret);
    tcase_add_test(tc, the_public_key_and_both_halves_count);
    tcase_add_test(tc, keys_out_of_form_are_refused_and_write_nothing);
}

int main(void)
{
    return unit_main("crypto/xwing", add);
}
