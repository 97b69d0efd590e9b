/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time: the secrets are marked undefined, so that valgrind's memcheck reports every branch
 * and every index that depends on them. It links a proto/ of its own, with PETREL_CTGRIND and the
 * optimiser of a release; tests/CMakeLists.txt builds both only where valgrind is.
 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "crypto/blind.h"
#include "crypto/ct.h"
#include "crypto/mlkem768.h"
#include "crypto/prim.h"
#include "crypto/xwing.h"
#include "lib/unit.h"
#include "relay/token.h"

#define SECRET(p, len) (void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len))

static const uint64_t EPOCH_MS = LIMIT_TOKEN_EPOCH_DAYS * LIMIT_DAY_MS;

/* What was computed from secrets may be looked at again. */
static void reveal(const void *p, size_t len)
{
    CT_PUBLIC(p, len);
}

#if defined(PETREL_OWN_MLKEM768) && defined(PETREL_OWN_XWING) /* else it is libsodium's duty */
START_TEST(mlkem_key_generation_and_both_ends)
{
    uint8_t seed[crypto_kem_mlkem768_SEEDBYTES] = {1};
    uint8_t m[32] = {2};
    uint8_t pk[crypto_kem_mlkem768_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_mlkem768_SECRETKEYBYTES];
    uint8_t ct[crypto_kem_mlkem768_CIPHERTEXTBYTES];
    uint8_t sent[32];
    uint8_t got[32];
    SECRET(seed, sizeof seed);
    SECRET(m, sizeof m);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk, sk, seed), 0);
    reveal(pk, sizeof pk);
    ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, sent, pk, m), 0);
    reveal(ct, sizeof ct);
    ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
    reveal(sent, sizeof sent);
    reveal(got, sizeof got);
    ck_assert_mem_eq(sent, got, sizeof sent);

    ct[5] ^= 1; /* the way of a rejected ciphertext */
    ck_assert_int_eq(crypto_kem_mlkem768_dec(got, ct, sk), 0);
    reveal(got, sizeof got);
    ck_assert_mem_ne(sent, got, sizeof sent);
}
END_TEST

START_TEST(xwing_key_generation_and_both_ends)
{
    uint8_t seed[crypto_kem_xwing_SEEDBYTES] = {1};
    uint8_t eseed[64] = {2};
    uint8_t pk[crypto_kem_xwing_PUBLICKEYBYTES];
    uint8_t sk[crypto_kem_xwing_SECRETKEYBYTES];
    uint8_t ct[crypto_kem_xwing_CIPHERTEXTBYTES];
    uint8_t sent[32];
    uint8_t got[32];
    SECRET(seed, sizeof seed);
    SECRET(eseed, sizeof eseed);
    ck_assert_int_eq(crypto_kem_xwing_seed_keypair(pk, sk, seed), 0);
    reveal(pk, sizeof pk);
    ck_assert_int_eq(crypto_kem_xwing_enc_deterministic(ct, sent, pk, eseed), 0);
    reveal(ct, sizeof ct);
    ck_assert_int_eq(crypto_kem_xwing_dec(got, ct, sk), 0);
    reveal(sent, sizeof sent);
    reveal(got, sizeof got);
    ck_assert_mem_eq(sent, got, sizeof sent);
}
END_TEST
#endif

START_TEST(comparison)
{
    uint8_t a[64] = {1};
    uint8_t b[64] = {1};
    SECRET(a, sizeof a);
    bool equal = prim_equal(a, b, sizeof a);
    reveal(&equal, sizeof equal);
    ck_assert(equal);
    b[63] = 1;
    equal = prim_equal(a, b, sizeof a);
    reveal(&equal, sizeof equal);
    ck_assert(!equal);
}
END_TEST

START_TEST(blinded_signature)
{
    const uint8_t seed[32] = {5};
    struct sign_pk pk;
    struct sign_sk sk;
    struct sign_pk blinded;
    uint8_t sig[PRIM_SIGNATURE];
    prim_sign_keypair(&pk, &sk, seed);
    ck_assert_ok(blind_public(&pk, 7, &blinded));
    SECRET(sk.b, 32); /* the other half is the public key */
    ck_assert_ok(blind_sign(&sk, 7, unit_str("descriptor"), sig));
    reveal(sig, sizeof sig);
    ck_assert_ok(blind_verify(&blinded, unit_str("descriptor"), sig));
}
END_TEST

/* Minted from secret keys; the token, and whether it fits, are public afterwards. */
START_TEST(token_minted_checked_and_opened)
{
    struct token_key key = {{1}};
    struct token_siv_key siv = {{2}};
    const struct sign_pk target = {{3}};
    const uint64_t now = 40 * EPOCH_MS;
    struct token token;
    struct token_kept kept = {.there = false};
    uint32_t epoch = 0;
    uint32_t contact = 0;
    uint32_t counter = 0;
    SECRET(key.b, sizeof key.b);
    SECRET(siv.b, sizeof siv.b);
    token_mint(&key, &siv, &target, 11, 12, token_epoch(now), &token);
    reveal(&token, sizeof token);
    ck_assert_ok(token_check(&key, &kept, &target, now, &token, &epoch));
    ck_assert_uint_eq(epoch, token_epoch(now));
    ck_assert(kept.there); /* a secret as k is, for the next check */
    ck_assert_ok(token_check(&key, &kept, &target, now, &token, &epoch));
    ck_assert_ok(token_check(&key, &kept, &target, now + EPOCH_MS, &token, &epoch));
    ck_assert_ok(token_open_nonce(&siv, token.b, &contact, &counter));
    reveal(&contact, sizeof contact);
    reveal(&counter, sizeof counter);
    ck_assert_uint_eq(contact, 11);
    ck_assert_uint_eq(counter, 12);

    token.b[TOKEN - 1] ^= 1;
    ck_assert_err(token_check(&key, &kept, &target, now, &token, &epoch), ERR_BAD_TOKEN);
    token.b[0] ^= 1;
    ck_assert_err(token_open_nonce(&siv, token.b, &contact, &counter), ERR_DECRYPT);
}
END_TEST

/* If memcheck saw nothing undefined here, the other tests would prove nothing. */
START_TEST(the_marks_work_under_valgrind)
{
    uint8_t a[4] = {0};
    uint8_t undefined_bits[4] = {0};
    SECRET(a, sizeof a);
    (void)VALGRIND_GET_VBITS(a, undefined_bits, sizeof a);
    ck_assert_msg(RUNNING_ON_VALGRIND, "this program proves nothing without valgrind");
    ck_assert_uint_eq(undefined_bits[0], 0xff);
}
END_TEST

static void add_tests(TCase *tc)
{
#if defined(PETREL_OWN_MLKEM768) && defined(PETREL_OWN_XWING)
    tcase_add_test(tc, mlkem_key_generation_and_both_ends);
    tcase_add_test(tc, xwing_key_generation_and_both_ends);
#endif
    tcase_add_test(tc, comparison);
    tcase_add_test(tc, blinded_signature);
    tcase_add_test(tc, token_minted_checked_and_opened);
    tcase_add_test(tc, the_marks_work_under_valgrind);
}

int main(void)
{
    return unit_main("crypto/ct", add_tests);
}
