/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/blind.h"

#include <string.h>

#include <sodium.h>

#include "lib/data.h"
#include "lib/unit.h"

static void some_identity(uint64_t seed, struct sign_pk *pk, struct sign_sk *sk)
{
    struct unit_env u;
    uint8_t bytes[32];
    unit_env_init(&u, seed, 0);
    env_random(&u.env, bytes, sizeof bytes);
    prim_sign_keypair(pk, sk, bytes);
}

START_TEST(a_signature_is_plain_ed25519_under_the_blinded_key)
{
    struct sign_pk id;
    struct sign_sk sk;
    struct sign_pk blinded;
    uint8_t message[200];
    some_identity(1, &id, &sk);
    memset(message, 7, sizeof message);
    for (uint64_t period = 0; period < 8; period++) {
        uint8_t sig[PRIM_SIGNATURE];
        struct slice m = slice_of(message, (size_t)period * 25);
        ck_assert_ok(blind_public(&id, period, &blinded));
        ck_assert_ok(blind_sign(&sk, period, m, sig));
        ck_assert_int_eq(crypto_sign_verify_detached(sig, m.p, m.len, blinded.b), 0);
        ck_assert_ok(blind_verify(&blinded, m, sig));
        ck_assert(prim_sign_pk_valid(&blinded));
        sig[40] ^= 1;
        ck_assert_err(blind_verify(&blinded, m, sig), ERR_BAD_SIGNATURE);
    }
}
END_TEST

START_TEST(period_and_identity_change_the_key)
{
    struct sign_pk id;
    struct sign_pk other;
    struct sign_sk sk;
    struct sign_pk a;
    struct sign_pk b;
    some_identity(1, &id, &sk);
    some_identity(2, &other, &sk);
    ck_assert_ok(blind_public(&id, 20717, &a));
    ck_assert_ok(blind_public(&id, 20718, &b));
    ck_assert_mem_ne(a.b, b.b, 32);
    ck_assert_ok(blind_public(&other, 20717, &b));
    ck_assert_mem_ne(a.b, b.b, 32);
    ck_assert_mem_ne(a.b, id.b, 32);
}
END_TEST

START_TEST(a_signature_of_one_period_does_not_verify_in_another)
{
    struct sign_pk id;
    struct sign_sk sk;
    struct sign_pk next;
    uint8_t sig[PRIM_SIGNATURE];
    some_identity(3, &id, &sk);
    ck_assert_ok(blind_sign(&sk, 5, unit_str("same"), sig));
    ck_assert_ok(blind_public(&id, 6, &next));
    ck_assert_err(blind_verify(&next, unit_str("same"), sig), ERR_BAD_SIGNATURE);
}
END_TEST

START_TEST(the_same_message_gets_another_nonce_in_every_period)
{
    struct sign_pk id;
    struct sign_sk sk;
    uint8_t sig[16][PRIM_SIGNATURE];
    uint8_t again[PRIM_SIGNATURE];
    some_identity(4, &id, &sk);
    for (uint64_t period = 0; period < 16; period++) {
        ck_assert_ok(blind_sign(&sk, period, unit_str("same"), sig[period]));
        for (uint64_t k = 0; k < period; k++) {
            ck_assert_mem_ne(sig[period], sig[k], 32);
        }
    }
    ck_assert_ok(blind_sign(&sk, 3, unit_str("same"), again));
    ck_assert_mem_eq(again, sig[3], sizeof again);
    ck_assert_ok(blind_sign(&sk, 3, unit_str("other"), again));
    ck_assert_mem_ne(again, sig[3], 32);
}
END_TEST

START_TEST(the_nonce_is_not_that_of_the_unblinded_key)
{
    struct sign_pk id;
    struct sign_sk sk;
    uint8_t blinded[PRIM_SIGNATURE];
    uint8_t plain[PRIM_SIGNATURE];
    some_identity(5, &id, &sk);
    ck_assert_ok(blind_sign(&sk, 1, unit_str("same"), blinded));
    crypto_sign_detached(plain, NULL, (const uint8_t *)"same", 4, sk.b);
    ck_assert_mem_ne(blinded, plain, 32);
}
END_TEST

START_TEST(a_key_that_is_no_point_is_refused_and_output_stays)
{
    static const char *const bad[] = {
        /* order 4, the neutral element, not on the curve, not canonical */
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sign_pk key;
        struct sign_pk out = {{9}};
        uint8_t sig[PRIM_SIGNATURE] = {0};
        unit_hex(bad[i], key.b, sizeof key.b);
        ck_assert_err(blind_public(&key, 1, &out), ERR_BAD_KEY);
        ck_assert_uint_eq(out.b[0], 9);
        ck_assert_err(blind_verify(&key, unit_str("m"), sig), ERR_BAD_KEY);
    }
}
END_TEST

START_TEST(too_long_a_message_is_refused)
{
    static uint8_t big[PRIM_SIGNED_MAX + 1];
    struct sign_pk id;
    struct sign_sk sk;
    uint8_t sig[PRIM_SIGNATURE];
    some_identity(6, &id, &sk);
    ck_assert_ok(blind_sign(&sk, 1, slice_of(big, PRIM_SIGNED_MAX), sig));
    ck_assert_err(blind_sign(&sk, 1, slice_of(big, sizeof big), sig), ERR_TOO_LARGE);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("blind");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        uint8_t seed[32];
        uint8_t want[64];
        uint8_t message[2048];
        uint8_t sig[PRIM_SIGNATURE];
        struct sign_pk id;
        struct sign_pk blinded;
        struct sign_sk sk;
        data_bytes(c, "seed", seed, sizeof seed);
        prim_sign_keypair(&id, &sk, seed);
        data_bytes(c, "public_key", want, 32);
        ck_assert_mem_eq(id.b, want, 32);
        struct slice m = data_hex(c, "message", message, sizeof message);
        ck_assert_ok(blind_public(&id, data_u64(c, "period"), &blinded));
        data_bytes(c, "blinded", want, 32);
        ck_assert_mem_eq(blinded.b, want, 32);
        ck_assert_ok(blind_sign(&sk, data_u64(c, "period"), m, sig));
        data_bytes(c, "sig", want, 64);
        ck_assert_mem_eq(sig, want, 64);
        ck_assert_ok(blind_verify(&blinded, m, sig));
    }
    json_decref(cases);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, a_signature_is_plain_ed25519_under_the_blinded_key);
    tcase_add_test(tc, period_and_identity_change_the_key);
    tcase_add_test(tc, a_signature_of_one_period_does_not_verify_in_another);
    tcase_add_test(tc, the_same_message_gets_another_nonce_in_every_period);
    tcase_add_test(tc, the_nonce_is_not_that_of_the_unblinded_key);
    tcase_add_test(tc, a_key_that_is_no_point_is_refused_and_output_stays);
    tcase_add_test(tc, too_long_a_message_is_refused);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("crypto/blind", add);
}
