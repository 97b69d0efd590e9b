/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hkdf.h"

#include <string.h>

#include "lib/unit.h"

/* RFC 5869, appendix A.1. */
START_TEST(extract_and_expand_give_the_values_of_the_rfc)
{
    uint8_t ikm[22];
    uint8_t salt[13];
    uint8_t info[10];
    uint8_t expected[42];
    uint8_t prk[HKDF_PRK];
    uint8_t out[42];
    unit_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm, sizeof ikm);
    unit_hex("000102030405060708090a0b0c", salt, sizeof salt);
    unit_hex("f0f1f2f3f4f5f6f7f8f9", info, sizeof info);
    const struct slice ikm_parts[] = {slice_of(ikm, 5), slice_of(ikm + 5, 17)};
    const struct slice info_parts[] = {slice_of(info, 9), slice_of(info + 9, 1)};

    hkdf_extract(prk, slice_of(salt, sizeof salt), ikm_parts, 2);
    unit_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", expected, 32);
    ck_assert_mem_eq(prk, expected, sizeof prk);

    ck_assert_ok(hkdf_expand(out, sizeof out, prk, info_parts, 2));
    unit_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
             expected, sizeof expected);
    ck_assert_mem_eq(out, expected, sizeof out);

    memset(out, 0, sizeof out);
    ck_assert_ok(hkdf(out, sizeof out, slice_of(salt, sizeof salt), slice_of(ikm, sizeof ikm),
                      slice_of(info, sizeof info)));
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

/* RFC 5869, appendix A.3: no salt and no info. */
START_TEST(salt_and_info_may_be_empty_and_null)
{
    uint8_t ikm[22];
    uint8_t expected[42];
    uint8_t out[42];
    const struct slice nothing = slice_of(NULL, 0);
    unit_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm, sizeof ikm);
    unit_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
             expected, sizeof expected);
    ck_assert_ok(hkdf(out, sizeof out, nothing, slice_of(ikm, sizeof ikm), nothing));
    ck_assert_mem_eq(out, expected, sizeof out);
}
END_TEST

START_TEST(more_than_255_blocks_are_refused_and_write_nothing)
{
    static uint8_t out[HKDF_OUTPUT_MAX + 1];
    const uint8_t prk[HKDF_PRK] = {1};
    out[0] = 0xa5;
    ck_assert_err(hkdf_expand(out, sizeof out, prk, NULL, 0), ERR_ARGUMENT);
    ck_assert_err(hkdf(out, sizeof out, unit_str(""), unit_str("k"), unit_str("")), ERR_ARGUMENT);
    ck_assert_uint_eq(out[0], 0xa5);
    ck_assert_ok(hkdf_expand(out, HKDF_OUTPUT_MAX, prk, NULL, 0));
}
END_TEST

START_TEST(a_shorter_output_is_the_beginning_of_a_longer_one)
{
    const uint8_t prk[HKDF_PRK] = {2};
    uint8_t longest[100];
    ck_assert_ok(hkdf_expand(longest, sizeof longest, prk, NULL, 0));
    for (size_t len = 0; len < sizeof longest; len++) {
        uint8_t out[101];
        memset(out, 0xa5, sizeof out);
        ck_assert_ok(hkdf_expand(out, len, prk, NULL, 0));
        ck_assert_int_eq(memcmp(out, longest, len), 0);
        ck_assert_uint_eq(out[len], 0xa5);
    }
}
END_TEST

START_TEST(output_may_replace_the_key)
{
    uint8_t prk[HKDF_PRK] = {3};
    uint8_t out[HKDF_PRK];
    ck_assert_ok(hkdf_expand(out, sizeof out, prk, NULL, 0));
    ck_assert_ok(hkdf_expand(prk, sizeof prk, prk, NULL, 0));
    ck_assert_mem_eq(out, prk, sizeof out);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, extract_and_expand_give_the_values_of_the_rfc);
    tcase_add_test(tc, salt_and_info_may_be_empty_and_null);
    tcase_add_test(tc, more_than_255_blocks_are_refused_and_write_nothing);
    tcase_add_test(tc, a_shorter_output_is_the_beginning_of_a_longer_one);
    tcase_add_test(tc, output_may_replace_the_key);
}

int main(void)
{
    return unit_main("crypto/hkdf", add);
}
