/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant time: the secrets are marked undefined, so that valgrind's memcheck reports every branch
 * and every index that depends on them. As a normal program this only runs the calls.
 *
 *     CK_FORK=no valgrind --quiet --error-exitcode=99 unit.crypto.ct
 *
 * The sources are taken in, because CT_PUBLIC must be compiled in. Marking is there only where
 * valgrind's header is.
 */
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define PETREL_CTGRIND 1
#endif
#endif

/* clang-format off: the first one defines what the next one needs */
#include "crypto/mlkem768.c"
#include "crypto/xwing.c"
/* clang-format on */

#include <stdio.h>

#include "crypto/ct.h"
#include "crypto/prim.h"
#include "lib/unit.h"

#ifdef PETREL_CTGRIND
#define SECRET(p, len) (void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len))
#define UNDER_VALGRIND RUNNING_ON_VALGRIND
#else
#define SECRET(p, len) ((void)(p), (void)(len))
#define UNDER_VALGRIND 0
#endif

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

/* If memcheck saw nothing undefined here, the other tests would prove nothing. */
START_TEST(the_marks_work_under_valgrind)
{
    uint8_t a[4] = {0};
    uint8_t undefined_bits[4] = {0};
    SECRET(a, sizeof a);
#ifdef PETREL_CTGRIND
    (void)VALGRIND_GET_VBITS(a, undefined_bits, sizeof a);
#endif
    printf("constant time: %s\n", UNDER_VALGRIND ? "checked by valgrind" : "run without valgrind");
    ck_assert_uint_eq(undefined_bits[0], UNDER_VALGRIND ? 0xff : 0);
}
END_TEST

static void add_tests(TCase *tc)
{
#if defined(PETREL_OWN_MLKEM768) && defined(PETREL_OWN_XWING)
    tcase_add_test(tc, mlkem_key_generation_and_both_ends);
    tcase_add_test(tc, xwing_key_generation_and_both_ends);
#endif
    tcase_add_test(tc, comparison);
    tcase_add_test(tc, the_marks_work_under_valgrind);
}

int main(void)
{
    return unit_main("crypto/ct", add_tests);
}
