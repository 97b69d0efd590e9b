/* SPDX-License-Identifier: Apache-2.0
 *
 * buf, hex, err, secret: the smallest tools, and what they refuse.
 */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/secret.h"
#include "lib/unit.h"

START_TEST(what_is_written_is_read_back)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, 1);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    writer_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
    writer_bytes(&w, "abc", 3);
    writer_zeros(&w, 2);
    ck_assert_uint_eq(bytes[1], 2); /* big endian */
    struct reader r = reader_of(writer_done(&w));
    ck_assert_uint_eq(reader_u8(&r), 1);
    ck_assert_uint_eq(reader_u16(&r), 0x0203);
    ck_assert_uint_eq(reader_u32(&r), 0x04050607);
    ck_assert_uint_eq(reader_u64(&r), UINT64_C(0x08090a0b0c0d0e0f));
    ck_assert(slice_equal(reader_bytes(&r, 3), slice_of("abc", 3)));
    ck_assert_uint_eq(reader_left(&r), 2);
    ck_assert_err(reader_end(&r), ERR_MALFORMED);
    ck_assert_uint_eq(reader_rest(&r).len, 2);
    ck_assert_ok(reader_end(&r));
}
END_TEST

START_TEST(short_input_is_a_sticky_error)
{
    uint8_t bytes[3] = {1, 2, 3};
    struct reader r = reader_of(slice_of(bytes, 3));
    ck_assert_uint_eq(reader_u32(&r), 0);
    ck_assert_uint_eq(reader_u8(&r), 0);
    ck_assert_uint_eq(reader_bytes(&r, SIZE_MAX).len, 0);
    ck_assert_err(reader_end(&r), ERR_MALFORMED);
    uint8_t out[2] = {9, 9};
    reader_copy(&r, out, 2);
    ck_assert_err(r.err, ERR_MALFORMED);
}
END_TEST

START_TEST(a_full_writer_writes_nothing_more)
{
    uint8_t bytes[4] = {0};
    struct writer w = writer_of(bytes, 3);
    writer_u16(&w, 0x0101);
    writer_u16(&w, 0x0202);
    writer_u8(&w, 3);
    ck_assert_err(w.err, ERR_NO_SPACE);
    ck_assert_uint_eq(bytes[2] | bytes[3], 0);
    ck_assert_ptr_null(writer_reserve(&w, 1));
}
END_TEST

START_TEST(hex_is_read_strictly)
{
    const uint8_t bytes[3] = {0, 0xab, 0xff};
    char text[7];
    uint8_t out[3] = {0};
    hex_encode(bytes, 3, text);
    ck_assert_str_eq(text, "00abff");
    ck_assert(hex_decode(slice_of("00abff", 6), out, 3));
    ck_assert_mem_eq(out, bytes, 3);
    ck_assert(!hex_decode(slice_of("00abf", 5), out, 3));
    ck_assert(!hex_decode(slice_of("00abfff", 7), out, 3));
    ck_assert(!hex_decode(slice_of("00abfg", 6), out, 3));
    ck_assert_mem_eq(out, bytes, 3);
}
END_TEST

START_TEST(every_error_has_a_class_a_name_and_a_sentence)
{
    unsigned checked = 0;
#define CHECK_ERR(constant, code, class, name, message)                                            \
    ck_assert_int_eq(err_class(ERR_##constant), ERR_CLASS_##class);                                \
    ck_assert_str_eq(err_name(ERR_##constant), name);                                              \
    ck_assert_str_eq(err_message(ERR_##constant), message);                                        \
    ck_assert_int_eq(err_from_code(code), ERR_##constant);                                         \
    checked++;
    ERR_TABLE(CHECK_ERR)
#undef CHECK_ERR
    ck_assert_uint_gt(checked, 50);
    ck_assert_int_eq(err_from_code(99999), ERR_PROTOCOL);
    unsigned foreign = 99999; /* came over a wire */
    ck_assert_int_eq(err_class((enum err)foreign), ERR_CLASS_PEER);
    ck_assert_str_eq(err_name((enum err)foreign), "unknown-error");
    ck_assert_ptr_nonnull(err_message((enum err)foreign));
}
END_TEST

START_TEST(secret_memory_can_be_used_wiped_and_freed)
{
    uint8_t *p = secret_new(100);
    ck_assert_ptr_nonnull(p);
    memset(p, 7, 100);
    secret_wipe(p, 100);
    ck_assert_uint_eq(p[0] | p[99], 0);
    secret_free(p);
    secret_free(NULL);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, short_input_is_a_sticky_error);
    tcase_add_test(tc, a_full_writer_writes_nothing_more);
    tcase_add_test(tc, hex_is_read_strictly);
    tcase_add_test(tc, every_error_has_a_class_a_name_and_a_sentence);
    tcase_add_test(tc, secret_memory_can_be_used_wiped_and_freed);
}

int main(void)
{
    return unit_main("base/buf", add_tests);
}
