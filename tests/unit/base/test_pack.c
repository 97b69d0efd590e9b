/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pack.h"

#include <string.h>

#include "lib/unit.h"

static struct reader hex_reader(const char *hex)
{
    static uint8_t bytes[256];
    return reader_of(slice_of(bytes, unit_hex(hex, bytes, sizeof bytes)));
}

START_TEST(what_is_written_is_read_back)
{
    static const uint64_t values[] = {
        0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    uint8_t buf[256];
    struct writer w = writer_of(buf, sizeof buf);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        pack_uint(&w, values[i]);
    }
    static const int64_t negatives[] = {
        -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN};
    for (size_t i = 0; i < sizeof negatives / sizeof negatives[0]; i++) {
        pack_int(&w, negatives[i]);
    }
    pack_bin(&w, "ab", 2);
    pack_str(&w, "caf\xc3\xa9");
    pack_bool(&w, true);
    pack_nil(&w);
    ck_assert_int_eq(w.err, ERR_OK);

    struct reader r = reader_of(writer_done(&w));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        ck_assert_uint_eq(pack_read_uint(&r, UINT64_MAX), values[i]);
    }
    for (size_t i = 0; i < sizeof negatives / sizeof negatives[0]; i++) {
        ck_assert_int_eq(pack_read_int(&r), negatives[i]);
    }
    ck_assert(slice_equal(pack_read_bin(&r, 2), unit_str("ab")));
    ck_assert(slice_equal(pack_read_str(&r, 5), unit_str("caf\xc3\xa9")));
    ck_assert(pack_read_bool(&r));
    pack_read_nil(&r);
    ck_assert_ok(reader_end(&r));
}
END_TEST

START_TEST(longer_forms_than_needed_are_refused)
{
    static const char *const bad[] = {
        "cc7f",     "cd00ff",       "ce0000ffff", "cf00000000ffffffff", "d0e0",
        "d0ff",     "d1ff80",       "d2ffff8000", "d3ffffffff80000000", "d900",
        "c50001aa", "c600000001aa", "dc000100",   "de00010001",         "dd0000000100"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r = hex_reader(bad[i]);
        pack_skip(&r, 4);
        ck_assert_msg(r.err == ERR_MALFORMED, "accepted %s", bad[i]);
    }
}
END_TEST

START_TEST(floats_extensions_and_the_unused_byte_are_refused)
{
    static const char *const bad[] = {"ca00000000", "cb0000000000000000", "d40100", "c70001", "c1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r = hex_reader(bad[i]);
        ck_assert_int_eq(pack_peek(&r), PACK_BAD);
        pack_skip(&r, 4);
        ck_assert_msg(r.err == ERR_MALFORMED, "accepted %s", bad[i]);
    }
}
END_TEST

START_TEST(a_count_without_its_elements_is_refused)
{
    struct reader r = hex_reader("dd10000000");
    ck_assert_uint_eq(pack_read_array(&r, UINT32_MAX), 0);
    ck_assert_int_eq(r.err, ERR_MALFORMED);
    r = hex_reader("c6ffffffff00");
    ck_assert_uint_eq(pack_read_bin(&r, UINT32_MAX).len, 0);
    ck_assert_int_eq(r.err, ERR_MALFORMED);
}
END_TEST

START_TEST(above_the_maximum_is_too_large)
{
    struct reader r = hex_reader("cd0100");
    ck_assert_uint_eq(pack_read_uint(&r, 255), 0);
    ck_assert_int_eq(r.err, ERR_TOO_LARGE);
    r = hex_reader("c403aabbcc");
    ck_assert_uint_eq(pack_read_bin(&r, 2).len, 0);
    ck_assert_int_eq(r.err, ERR_TOO_LARGE);
}
END_TEST

START_TEST(text_must_be_utf8)
{
    static const char *const bad[] = {"a180", "a2c080",   "a3eda080", "a4f4908080",
                                      "a1c3", "a3e08080", "a1ff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct reader r = hex_reader(bad[i]);
        (void)pack_read_str(&r, 16);
        ck_assert_msg(r.err == ERR_MALFORMED, "accepted %s", bad[i]);
    }
    ck_assert(pack_utf8_valid(unit_str("\xf0\x9f\x90\xa6 \xe2\x82\xac \xed\x9f\xbf")));
}
END_TEST

START_TEST(map_keys_must_ascend)
{
    struct reader r = hex_reader("8201000200");
    struct pack_fields f = pack_fields_begin(&r, 8);
    while (pack_fields_next(&f)) {
        pack_fields_skip(&f);
    }
    ck_assert_ok(reader_end(&r));
    ck_assert_uint_eq(f.seen, 6);

    static const char *const bad[] = {"8201000100", "8202000100"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r = hex_reader(bad[i]);
        f = pack_fields_begin(&r, 8);
        while (pack_fields_next(&f)) {
            pack_fields_skip(&f);
        }
        ck_assert_int_eq(r.err, ERR_MALFORMED);
    }
}
END_TEST

START_TEST(skipping_is_bounded_in_depth)
{
    struct reader r = hex_reader("9191919100");
    pack_skip(&r, 4);
    ck_assert_ok(reader_end(&r));
    r = hex_reader("919191919100");
    pack_skip(&r, 4);
    ck_assert_int_eq(r.err, ERR_MALFORMED);
}
END_TEST

START_TEST(a_short_input_is_a_sticky_error)
{
    struct reader r = hex_reader("cd01");
    ck_assert_uint_eq(pack_read_uint(&r, UINT64_MAX), 0);
    ck_assert_int_eq(r.err, ERR_MALFORMED);
    ck_assert(!pack_read_bool(&r));
    ck_assert_uint_eq(reader_u64(&r), 0);
    ck_assert_err(reader_end(&r), ERR_MALFORMED);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, longer_forms_than_needed_are_refused);
    tcase_add_test(tc, floats_extensions_and_the_unused_byte_are_refused);
    tcase_add_test(tc, a_count_without_its_elements_is_refused);
    tcase_add_test(tc, above_the_maximum_is_too_large);
    tcase_add_test(tc, text_must_be_utf8);
    tcase_add_test(tc, map_keys_must_ascend);
    tcase_add_test(tc, skipping_is_bounded_in_depth);
    tcase_add_test(tc, a_short_input_is_a_sticky_error);
}

int main(void)
{
    return unit_main("base/pack", add);
}
