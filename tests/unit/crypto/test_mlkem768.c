/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes the source in, so that the arithmetic is tested over its whole range too. The published
 * vectors are in tests/vectors/test_mlkem.c.
 */
#include "crypto/mlkem768.c"

#include "lib/unit.h"

enum {
    PK = crypto_kem_mlkem768_PUBLICKEYBYTES,
    SK = crypto_kem_mlkem768_SECRETKEYBYTES,
    CT = crypto_kem_mlkem768_CIPHERTEXTBYTES,
    SS = crypto_kem_mlkem768_SHAREDSECRETBYTES,
};

static int32_t mod_q(int64_t a)
{
    return (int32_t)((a % Q + Q) % Q);
}

START_TEST(reductions_are_right_over_their_whole_range)
{
    for (int32_t a = INT16_MIN; a <= INT16_MAX; a++) {
        int16_t c = centre((int16_t)a);
        ck_assert_int_le(c, (Q - 1) / 2);
        ck_assert_int_ge(c, -(Q - 1) / 2);
        ck_assert_int_eq(mod_q(c), mod_q(a));
        ck_assert_int_eq(canonical((int16_t)a), mod_q(a));
    }
    const int32_t limit = Q * (1 << 15);
    for (int32_t a = -limit + 1; a < limit; a += 1009) {
        int16_t r = montgomery(a);
        ck_assert_int_lt(r, Q);
        ck_assert_int_gt(r, -Q);
        ck_assert_int_eq(mod_q((int64_t)r * 65536), mod_q(a));
    }
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
    const uint8_t m[32] = {1};
    keypair(pk, sk, 2);
    memset(ct, 0xa5, sizeof ct);
    memset(ss, 0xa5, sizeof ss);
    for (unsigned j = 0; j < K * N; j++) {
        uint8_t bad[PK];
        memcpy(bad, pk, PK);
        set_coefficient(bad, j, j % 3 == 0 ? 4095 : Q);
        ck_assert_int_eq(crypto_kem_mlkem768_enc_deterministic(ct, ss, bad, m), -1);
        set_coefficient(bad, j, Q - 1);
        ck_assert(key_is_reduced(bad));
    }
    for (size_t i = 0; i < CT; i++) {
        ck_assert_uint_eq(ct[i], 0xa5);
    }
    ck_assert_uint_eq(ss[0], 0xa5);
}
END_TEST

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

START_TEST(the_seed_may_lie_where_the_secret_key_goes)
{
    uint8_t seed[crypto_kem_mlkem768_SEEDBYTES] = {1, 2, 3};
    uint8_t pk[PK];
    uint8_t sk[SK];
    uint8_t pk_in_place[PK];
    uint8_t sk_in_place[SK];
    seed[40] = 9;
    memcpy(sk_in_place, seed, sizeof seed);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk, sk, seed), 0);
    ck_assert_int_eq(crypto_kem_mlkem768_seed_keypair(pk_in_place, sk_in_place, sk_in_place), 0);
    ck_assert_mem_eq(pk, pk_in_place, PK);
    ck_assert_mem_eq(sk, sk_in_place, SK);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, reductions_are_right_over_their_whole_range);
    tcase_add_test(tc, compression_rounds_as_the_formula_says);
    tcase_add_test(tc, the_transform_multiplies_polynomials);
    tcase_add_test(tc, both_sides_get_the_same_secret);
    tcase_add_test(tc, a_changed_ciphertext_gives_the_rejection_secret);
    tcase_add_test(tc, a_key_with_any_coefficient_out_of_range_is_refused);
    tcase_add_test(tc, a_damaged_secret_key_is_refused);
    tcase_add_test(tc, the_seed_may_lie_where_the_secret_key_goes);
}

int main(void)
{
    return unit_main("crypto/mlkem768", add_tests);
}
