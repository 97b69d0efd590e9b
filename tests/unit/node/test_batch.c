/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: several contents in one.
 */
#include "node/batch.h"

#include <string.h>

#include "lib/data.h"
#include "lib/unit.h"
#include "node/content.h"

static uint8_t bytes[2 * LIMIT_ENVELOPE];
static uint8_t part[LIMIT_ENVELOPE + 1];

static struct batch some(size_t n, size_t len)
{
    struct batch b = {.count = n};
    for (size_t i = 0; i < n; i++) {
        memset(part + i * len, (int)(0x80 + i), len);
        b.content[i] = slice_of(part + i * len, len);
    }
    return b;
}

START_TEST(two_to_all_are_read_back_in_order)
{
    for (size_t n = 1; n <= LIMIT_BATCH; n++) {
        struct batch b = some(n, 100 + n);
        struct batch got;
        struct writer w = writer_of(bytes, sizeof bytes);
        ck_assert_ok(batch_write(&w, &b));
        ck_assert_uint_le(w.len, batch_size(n, n * (100 + n)));
        ck_assert_ok(batch_read(writer_done(&w), &got));
        ck_assert_uint_eq(got.count, n);
        for (size_t i = 0; i < n; i++) {
            ck_assert(slice_equal(got.content[i], b.content[i]));
        }
    }
}
END_TEST

START_TEST(one_is_written_as_itself)
{
    struct batch b = some(1, 30);
    struct writer w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(batch_write(&w, &b));
    ck_assert(slice_equal(writer_done(&w), b.content[0]));
    ck_assert_uint_eq(batch_size(1, 30), 30);
}
END_TEST

START_TEST(what_is_no_array_is_one_content_whatever_it_is)
{
    struct batch got;
    ck_assert_ok(batch_read(unit_str("\x81\x01\x02"), &got));
    ck_assert_uint_eq(got.count, 1);
    ck_assert_uint_eq(got.content[0].len, 3);
    ck_assert_ok(batch_read(unit_str("\xff"), &got));
    ck_assert_uint_eq(got.count, 1);
    /* Not the shortest head of an array: none, and no content either. */
    struct content c;
    static const uint8_t longer[] = {0xdc, 0, 2, 0xc4, 1, 'x', 0xc4, 1, 'y'};
    ck_assert_ok(batch_read(slice_of(longer, sizeof longer), &got));
    ck_assert_uint_eq(got.count, 1);
    ck_assert_err(content_decode(got.content[0], &c), ERR_MALFORMED);
}
END_TEST

START_TEST(what_must_not_be_sent_is_not_written)
{
    struct batch b = some(LIMIT_BATCH, 10);
    struct writer w = writer_of(bytes, sizeof bytes);
    b.count = LIMIT_BATCH + 1;
    ck_assert_err(batch_write(&w, &b), ERR_ARGUMENT);
    b.count = 0;
    ck_assert_err(batch_write(&w, &b), ERR_ARGUMENT);
    b.count = 3;
    b.content[2] = slice_of(NULL, 0);
    ck_assert_err(batch_write(&w, &b), ERR_ARGUMENT);
    b.count = 2;
    struct writer small = writer_of(bytes, 20);
    ck_assert_err(batch_write(&small, &b), ERR_NO_SPACE);
    ck_assert_uint_eq(small.len, 0);
    ck_assert_uint_eq(w.len, 0);
}
END_TEST

static enum err read(const char *p, size_t len)
{
    struct batch got = {.count = 77};
    enum err err = batch_read(slice_of((const uint8_t *)p, len), &got);
    ck_assert(err == ERR_OK || got.count == 77);
    return err;
}

#define READ(s) read(s, sizeof(s) - 1)

START_TEST(reading_is_strict)
{
    ck_assert_ok(READ("\x92\xc4\x01x\xc4\x01y"));
    ck_assert_err(READ("\x90"), ERR_MALFORMED);
    ck_assert_err(READ("\x91\xc4\x01x"), ERR_MALFORMED);              /* one is no batch */
    ck_assert_err(READ("\x92\xc4\x01x"), ERR_MALFORMED);              /* cut */
    ck_assert_err(READ("\x92\xc4\x01x\xc4\x01y "), ERR_MALFORMED);    /* more behind it */
    ck_assert_err(READ("\x92\xc4\x01x\xc4\x00"), ERR_MALFORMED);      /* an empty one */
    ck_assert_err(READ("\x92\xc4\x01x\xa1y"), ERR_MALFORMED);         /* text */
    ck_assert_err(READ("\x92\xc4\x01x\x80"), ERR_MALFORMED);          /* a map as it is */
    ck_assert_err(READ("\x92\xc4\x01x\xc5\x00\x01y"), ERR_MALFORMED); /* not the shortest form */
    ck_assert_err(READ("\xdc\x00\x21"), ERR_TOO_LARGE);
    ck_assert_err(READ("\xdd\xff\xff\xff\xff"), ERR_TOO_LARGE);
    ck_assert_err(READ("\x92\xc4\x01x\xc6\xff\xff\xff\xff"), ERR_TOO_LARGE);
}
END_TEST

START_TEST(own_vectors_hold)
{
    json_t *cases = data_vectors("batch");
    size_t i;
    json_t *c;
    json_array_foreach(cases, i, c)
    {
        static uint8_t encoded[2 * LIMIT_ENVELOPE];
        const json_t *contents = json_object_get(c, "contents");
        struct batch b = {.count = json_array_size(contents)};
        struct batch got;
        size_t used = 0;
        ck_assert_uint_le(b.count, LIMIT_BATCH);
        for (size_t k = 0; k < b.count; k++) {
            const char *hex = json_string_value(json_array_get(contents, k));
            ck_assert_ptr_nonnull(hex);
            b.content[k] = slice_of(part + used, unit_hex(hex, part + used, sizeof part - used));
            used += b.content[k].len;
        }
        struct slice want = data_hex(c, "encoded", encoded, sizeof encoded);
        struct writer w = writer_of(bytes, sizeof bytes);
        ck_assert_ok(batch_write(&w, &b));
        ck_assert(slice_equal(writer_done(&w), want));
        ck_assert_ok(batch_read(want, &got));
        ck_assert_uint_eq(got.count, b.count);
        for (size_t k = 0; k < b.count; k++) {
            ck_assert(slice_equal(got.content[k], b.content[k]));
        }
    }
    json_decref(cases);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, two_to_all_are_read_back_in_order);
    tcase_add_test(tc, one_is_written_as_itself);
    tcase_add_test(tc, what_is_no_array_is_one_content_whatever_it_is);
    tcase_add_test(tc, what_must_not_be_sent_is_not_written);
    tcase_add_test(tc, reading_is_strict);
    tcase_add_test(tc, own_vectors_hold);
}

int main(void)
{
    return unit_main("node/batch", add_tests);
}
