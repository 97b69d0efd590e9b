/* SPDX-License-Identifier: Apache-2.0 */
#include "link/hello.h"

#include <string.h>

#include "base/limits.h"
#include "lib/unit.h"

static enum err read_hex(const char *hex, struct hello *hello)
{
    static uint8_t bytes[256];
    return hello_read(slice_of(bytes, unit_hex(hex, bytes, sizeof bytes)), hello);
}

START_TEST(what_is_written_is_read_back)
{
    uint8_t bytes[HELLO_BODY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct hello in = {.version = 65535,
                       .min = 65535,
                       .software = unit_str("12345678901234567890123456789012"),
                       .features = UINT32_MAX};
    struct hello out;
    hello_write(&w, &in);
    ck_assert_int_eq(w.err, ERR_OK);
    ck_assert_ok(hello_read(writer_done(&w), &out));
    ck_assert_uint_eq(out.version, in.version);
    ck_assert_uint_eq(out.min, in.min);
    ck_assert_uint_eq(out.features, in.features);
    ck_assert(slice_equal(out.software, in.software));
}
END_TEST

START_TEST(our_own_is_version_1)
{
    struct hello own = hello_own();
    ck_assert_uint_eq(own.version, 1);
    ck_assert_uint_eq(own.min, 1);
    ck_assert_uint_le(own.software.len, LIMIT_HELLO_SOFTWARE);
}
END_TEST

START_TEST(unknown_keys_are_skipped)
{
    struct hello hello;
    ck_assert_ok(read_hex("86000101010"
                          "2a1780300048101c0ccffc403aabbcc",
                          &hello));
    ck_assert_uint_eq(hello.version, 1);
    ck_assert(slice_equal(hello.software, unit_str("x")));
}
END_TEST

START_TEST(a_hello_out_of_form_is_refused_and_the_output_untouched)
{
    static const char *const bad[] = {
        "",
        "c0",
        "80",
        "83000101010300",       /* no software */
        "840001010102a17804c0", /* no features */
        "8400010102"
        "02a1780300", /* min above version */
        "8400010100"
        "02a1780300", /* min 0 */
        "8400000100"
        "02a1780300", /* version 0 */
        "8400010101"
        "02a1780300c0", /* trailing byte */
        "8401010001"
        "02a1780300", /* keys that do not ascend */
        "8400010101"
        "02a1ff0300",                   /* not UTF-8 */
        "8400ce00010000010102a1780300", /* version above 16 bits */
        "8400010101"
        "02d9213132333435363738393031323334353637383930313233343536373839303132330300",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hello hello = {.version = 77};
        enum err err = read_hex(bad[i], &hello);
        ck_assert_msg(err == ERR_MALFORMED || err == ERR_TOO_LARGE, "%s gave %s", bad[i],
                      err_name(err));
        ck_assert_uint_eq(hello.version, 77);
    }
}
END_TEST

START_TEST(the_newest_version_that_both_speak_is_agreed)
{
    static const struct {
        uint16_t a, a_min, b, b_min, agreed;
    } cases[] = {{1, 1, 1, 1, 1}, {2, 1, 1, 1, 1}, {2, 2, 1, 1, 0}, {3, 2, 2, 1, 2},
                 {5, 4, 3, 2, 0}, {4, 1, 3, 2, 3}, {9, 1, 9, 9, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hello a = {.version = cases[i].a, .min = cases[i].a_min};
        struct hello b = {.version = cases[i].b, .min = cases[i].b_min};
        ck_assert_uint_eq(hello_agree(&a, &b), cases[i].agreed);
        ck_assert_uint_eq(hello_agree(&b, &a), cases[i].agreed);
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, our_own_is_version_1);
    tcase_add_test(tc, unknown_keys_are_skipped);
    tcase_add_test(tc, a_hello_out_of_form_is_refused_and_the_output_untouched);
    tcase_add_test(tc, the_newest_version_that_both_speak_is_agreed);
}

int main(void)
{
    return unit_main("link.hello", add);
}
