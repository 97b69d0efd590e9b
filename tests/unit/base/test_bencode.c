/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bencode.h"

#include <string.h>

#include "lib/unit.h"

static struct reader of(const char *text)
{
    return reader_of(unit_str(text));
}

START_TEST(numbers_are_read_in_their_one_form)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"i0e", 0},
                {"i7e", 7},
                {"i-7e", -7},
                {"i9223372036854775807e", INT64_MAX},
                {"i-9223372036854775808e", INT64_MIN}};
    static const char *const bad[] = {"ie",
                                      "i-e",
                                      "i-0e",
                                      "i01e",
                                      "i-01e",
                                      "i+1e",
                                      "i1",
                                      "i1x",
                                      "i1 e",
                                      "1e",
                                      "i9223372036854775808e",
                                      "i-9223372036854775809e",
                                      "i99999999999999999999e"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct reader r = of(good[i].text);
        ck_assert_int_eq(bencode_read_int(&r), good[i].value);
        ck_assert_ok(reader_end(&r));
        uint8_t bytes[32];
        struct writer w = writer_of(bytes, sizeof bytes);
        bencode_int(&w, good[i].value);
        ck_assert(slice_equal(writer_done(&w), unit_str(good[i].text)));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r = of(bad[i]);
        ck_assert_int_eq(bencode_read_int(&r), 0);
        ck_assert_msg(r.err == ERR_MALFORMED, "%s", bad[i]);
    }
}
END_TEST

START_TEST(strings_are_bounded_and_canonical)
{
    static const char *const bad[] = {"5:abcd",
                                      "05:abcde",
                                      "-1:",
                                      ":",
                                      "a",
                                      "1",
                                      "18446744073709551616:a",
                                      "18446744073709551615:a",
                                      "i5e"};
    struct reader r = of("5:abcde0:");
    ck_assert(slice_equal(bencode_read_string(&r, 5), unit_str("abcde")));
    ck_assert_uint_eq(bencode_read_string(&r, 5).len, 0);
    ck_assert_ok(reader_end(&r));
    r = of("5:abcde");
    (void)bencode_read_string(&r, 4);
    ck_assert_err(r.err, ERR_TOO_LARGE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r = of(bad[i]);
        (void)bencode_read_string(&r, 100);
        ck_assert_msg(r.err == ERR_MALFORMED, "%s", bad[i]);
    }
    char out[3] = "xyz";
    r = of("2:ab");
    bencode_read_exact(&r, out, sizeof out);
    ck_assert_err(r.err, ERR_MALFORMED);
    ck_assert_mem_eq(out, "\0\0\0", 3);
}
END_TEST

START_TEST(dictionaries_ascend)
{
    struct reader r = of("d1:ai1e2:aai2e1:b3:xyze");
    struct bencode_dict d = bencode_dict_begin(&r);
    unsigned seen = 0;
    while (bencode_dict_next(&d)) {
        if (bencode_key(&d, "a")) {
            seen |= 1U << bencode_read_int(&r);
        } else if (bencode_key(&d, "aa")) {
            seen |= 1U << bencode_read_int(&r);
        } else {
            ck_assert(slice_equal(bencode_read_value(&r), unit_str("3:xyz")));
            seen |= 8;
        }
    }
    ck_assert_uint_eq(seen, 2 | 4 | 8);
    ck_assert_ok(reader_end(&r));
}
END_TEST

/* Values that are taken as they stand, whole or not at all. */
START_TEST(a_value_is_checked_to_its_last_byte)
{
    static const char *const good[] = {
        "i1e", "0:", "le", "de", "li1el2:abee", "d1:ade1:blee", "lllllllleeeeeeee"};
    static const char *const bad[] = {"",
                                      "e",
                                      "l",
                                      "d",
                                      "li1e",
                                      "d1:a",
                                      "d1:ae",
                                      "di1ei2ee",
                                      "d1:bi1e1:ai2ee",
                                      "d1:ai1e1:ai2ee",
                                      "li01ee",
                                      "l5:abe",
                                      "llllllllleeeeeeeee",
                                      "x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct reader r = of(good[i]);
        ck_assert_msg(slice_equal(bencode_read_value(&r), unit_str(good[i])), "%s", good[i]);
        ck_assert_ok(reader_end(&r));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r = of(bad[i]);
        ck_assert_uint_eq(bencode_read_value(&r).len, 0);
        ck_assert_msg(r.err == ERR_MALFORMED, "%s", bad[i]);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, numbers_are_read_in_their_one_form);
    tcase_add_test(tc, strings_are_bounded_and_canonical);
    tcase_add_test(tc, dictionaries_ascend);
    tcase_add_test(tc, a_value_is_checked_to_its_last_byte);
}

int main(void)
{
    return unit_main("base/bencode", add_tests);
}
