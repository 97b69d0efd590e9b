/* SPDX-License-Identifier: Apache-2.0
 *
 * The arithmetic inside ML-KEM over its whole range. Takes the source in; where libsodium's ML-KEM
 * is linked, there is nothing of ours to test.
 */
#include "crypto/mlkem768.c"

#include <stdbool.h>

#include "lib/unit.h"

#ifdef PETREL_OWN_MLKEM768
static int32_t mod_q(int64_t a)
{
    return (int32_t)((a % Q + Q) % Q);
}

/* Counts instead of asserting inside: Check takes its time for every assertion. */
START_TEST(reductions_are_right_over_their_whole_range)
{
    unsigned wrong = 0;
    for (int32_t a = INT16_MIN; a <= INT16_MAX; a++) {
        int16_t c = centre((int16_t)a);
        bool in_range = c <= (Q - 1) / 2 && c >= -(Q - 1) / 2;
        wrong += !in_range || mod_q(c) != mod_q(a) || canonical((int16_t)a) != mod_q(a);
    }
    ck_assert_uint_eq(wrong, 0);
    const int32_t limit = Q * (1 << 15);
    for (int32_t a = -limit + 1; a < limit; a += 1009) {
        int16_t r = montgomery(a);
        bool in_range = r < Q && r > -Q;
        wrong += !in_range || mod_q((int64_t)r * 65536) != mod_q(a);
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(compression_rounds_as_the_formula_says)
{
    static const unsigned widths[] = {1, 4, 10};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        unsigned d = widths[i];
        for (uint32_t x = 0; x < Q; x++) {
            uint32_t rounded = (2 * (x << d) + Q) / (2 * Q); /* no ties: q is odd */
            ck_assert_uint_eq(compress((uint16_t)x, d), rounded % (1U << d));
        }
        for (uint32_t y = 0; y < 1U << d; y++) {
            uint32_t rounded = (2 * y * Q + (1U << d)) / (2U << d);
            ck_assert_int_eq(decompress((uint16_t)y, d), (int32_t)rounded);
            ck_assert_uint_eq(compress((uint16_t)rounded, d), y);
        }
    }
}
END_TEST

/* The product of two polynomials in NTT form against the schoolbook mod X^256 + 1. */
START_TEST(the_transform_multiplies_polynomials)
{
    struct unit_env u;
    unit_env_init(&u, 3, 0);
    struct poly a[K] = {{{0}}};
    struct poly b[K] = {{{0}}};
    int64_t expected[N] = {0};
    for (unsigned j = 0; j < N; j++) {
        uint16_t r[2];
        env_random(&u.env, r, sizeof r);
        a[0].c[j] = (int16_t)(r[0] % Q);
        b[0].c[j] = (int16_t)(r[1] % Q);
    }
    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; j < N; j++) {
            int64_t product = (int64_t)a[0].c[i] * b[0].c[j];
            expected[(i + j) % N] += i + j < N ? product : -product;
        }
    }
    ntt(&a[0]);
    ntt(&b[0]);
    for (unsigned j = 0; j < N; j++) {
        a[0].c[j] = (int16_t)canonical(a[0].c[j]);
    }
    struct poly out;
    dot(&out, a, b);
    ntt_inverse(&out);
    for (unsigned j = 0; j < N; j++) {
        ck_assert_uint_eq(canonical(out.c[j]), (unsigned)mod_q(expected[j]));
    }
}
END_TEST

#endif

START_TEST(sizes_are_those_of_the_standard)
{
    ck_assert_uint_eq(crypto_kem_mlkem768_PUBLICKEYBYTES, 1184);
    ck_assert_uint_eq(crypto_kem_mlkem768_SECRETKEYBYTES, 2400);
    ck_assert_uint_eq(crypto_kem_mlkem768_CIPHERTEXTBYTES, 1088);
    ck_assert_uint_eq(crypto_kem_mlkem768_SHAREDSECRETBYTES, 32);
    ck_assert_uint_eq(crypto_kem_mlkem768_SEEDBYTES, 64);
}
END_TEST

static void add_tests(TCase *tc)
{
#ifdef PETREL_OWN_MLKEM768
    tcase_add_test(tc, reductions_are_right_over_their_whole_range);
    tcase_add_test(tc, compression_rounds_as_the_formula_says);
    tcase_add_test(tc, the_transform_multiplies_polynomials);
#endif
    tcase_add_test(tc, sizes_are_those_of_the_standard);
}

int main(void)
{
    return unit_main("crypto/mlkem768_arithmetic", add_tests);
}
