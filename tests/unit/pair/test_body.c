/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/body.h"

#include <string.h>

#include "lib/unit.h"

static uint8_t plain[4096];
static uint8_t ek[SESSION_KEM_EK];
static uint8_t ct[SESSION_KEM_CT];

static struct body full_body(void)
{
    struct body b;
    memset(&b, 0, sizeof b);
    memset(b.boot_id, 1, sizeof b.boot_id);
    b.seq = 70000;
    memset(b.prev_hash, 2, sizeof b.prev_hash);
    b.content = unit_str("content");
    b.has_ack = true;
    memset(b.ack_boot_id, 3, sizeof b.ack_boot_id);
    ck_assert(ack_from(&b.ack, 300, slice_of("\x02\x80", 2)));
    b.tokens = unit_str("tokens");
    b.route = unit_str("route");
    memset(ek, 4, sizeof ek);
    memset(ct, 5, sizeof ct);
    b.offer = (struct kem_part){.epoch = 6, .bytes = slice_of(ek, sizeof ek)};
    b.answer = (struct kem_part){.epoch = 5, .bytes = slice_of(ct, sizeof ct)};
    b.settled = 299;
    return b;
}

START_TEST(every_field_is_read_back)
{
    struct body b = full_body();
    struct body r;
    ck_assert_ok(body_write(plain, sizeof plain, &b));
    ck_assert_uint_eq((size_t)plain[0] << 8 | plain[1], body_map_size(&b));
    ck_assert_ok(body_read(slice_of(plain, sizeof plain), &r));
    ck_assert_mem_eq(r.boot_id, b.boot_id, BODY_BOOT_ID);
    ck_assert_uint_eq(r.seq, b.seq);
    ck_assert_mem_eq(r.prev_hash, b.prev_hash, BODY_HASH);
    ck_assert(slice_equal(r.content, b.content));
    ck_assert(r.has_ack && r.ack.cum == 300);
    ck_assert(slice_equal(ack_bitmap(&r.ack), ack_bitmap(&b.ack)));
    ck_assert_mem_eq(r.ack_boot_id, b.ack_boot_id, BODY_BOOT_ID);
    ck_assert(slice_equal(r.tokens, b.tokens) && slice_equal(r.route, b.route));
    ck_assert_uint_eq(r.offer.epoch, 6);
    ck_assert(slice_equal(r.offer.bytes, b.offer.bytes));
    ck_assert_uint_eq(r.answer.epoch, 5);
    ck_assert(slice_equal(r.answer.bytes, b.answer.bytes));
    ck_assert_uint_eq(r.settled, 299);
}
END_TEST

START_TEST(the_size_is_told_before_writing)
{
    static const uint64_t numbers[] = {
        1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32};
    static uint8_t content[70000];
    static uint8_t out[70000];
    static const size_t lengths[] = {1, 255, 256, 60000};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            struct body b = full_body();
            b.seq = numbers[i];
            b.ack.cum = numbers[i];
            b.settled = numbers[i];
            b.content = slice_of(content, lengths[k]);
            size_t size = body_map_size(&b);
            ck_assert_err(body_write(out, size + 1, &b), ERR_NO_SPACE);
            ck_assert_ok(body_write(out, size + 2, &b));
            struct body r;
            ck_assert_ok(body_read(slice_of(out, size + 2), &r));
            ck_assert_uint_eq(r.seq, numbers[i]);
        }
    }
}
END_TEST

START_TEST(an_ack_only_body_has_no_number)
{
    struct body b = full_body();
    struct body r;
    b.seq = 0;
    b.content = slice_of(NULL, 0);
    ck_assert_ok(body_write(plain, sizeof plain, &b));
    ck_assert_ok(body_read(slice_of(plain, sizeof plain), &r));
    ck_assert_uint_eq(r.seq, 0);
    ck_assert_uint_eq(r.content.len, 0);
    ck_assert(r.has_ack);
}
END_TEST

START_TEST(the_padding_must_be_zero)
{
    struct body b = full_body();
    struct body r;
    ck_assert_ok(body_write(plain, sizeof plain, &b));
    plain[sizeof plain - 1] = 1;
    ck_assert_err(body_read(slice_of(plain, sizeof plain), &r), ERR_MALFORMED);
    plain[sizeof plain - 1] = 0;
    plain[2 + body_map_size(&b)] = 1;
    ck_assert_err(body_read(slice_of(plain, sizeof plain), &r), ERR_MALFORMED);
}
END_TEST

/* 00 c408 0101010101010101 is boot_id. */
#define BOOT "00c4080101010101010101"
#define SEQ                                                                                        \
    "01"                                                                                           \
    "05"
#define PREV                                                                                       \
    "02"                                                                                           \
    "c41002020202020202020202020202020202"
#define CONT                                                                                       \
    "03"                                                                                           \
    "c40161"

static enum err read_map(const char *hex)
{
    uint8_t out[1024] = {0};
    struct body r;
    size_t len = unit_hex(hex, out + 2, sizeof out - 2);
    out[1] = (uint8_t)len;
    return body_read(slice_of(out, sizeof out), &r);
}

START_TEST(maps_out_of_form_are_refused)
{
    static const char *const good[] = {
        "81" BOOT,
        "84" BOOT SEQ PREV CONT,
        "82" BOOT "0b80", /* unknown, an empty map */
        "82" BOOT "18c3", /* unknown, true */
        "82" BOOT "0493c40801010101010101010ac400",
        "82" BOOT "0905",
    };
    static const char *const bad[] = {
        "80",                      /* no boot_id */
        "84" SEQ PREV CONT "0905", /* likewise */
        "81" BOOT "00",            /* a byte too many */
        "82" BOOT,                 /* a field too few */
        "82" BOOT BOOT,            /* twice */
        "82"
        "0105" BOOT,                 /* not ascending */
        "83" BOOT SEQ PREV,          /* content is missing */
        "83" BOOT PREV CONT,         /* seq */
        "83" BOOT SEQ CONT,          /* prev_hash */
        "84" BOOT "0100" PREV CONT,  /* seq 0 */
        "84" BOOT SEQ PREV "03c400", /* empty content */
        "81"
        "00c40701010101010101",                                     /* short boot_id */
        "82" BOOT "0492c40801010101010101010a",                     /* short ack */
        "82" BOOT "0493c40801010101010101010ac40100",               /* bitmap ends with zero */
        "82" BOOT "0493c40801010101010101010ac40101",               /* bit 0 is set */
        "82" BOOT "0493c4080101010101010101cfffffffffffffffffc400", /* cum too large */
        "82" BOOT "05c400",                                         /* empty tokens */
        "82" BOOT "06c400",                                         /* empty route */
        "82" BOOT "079201c40100",                                   /* short offer */
        "82" BOOT "089201c40100",                                   /* short answer */
        "82" BOOT "0900",                                           /* settled 0 */
        "82" BOOT "0b919191919190",                                 /* unknown, too deep */
        "82" BOOT "0ac40100",                                       /* a hash of one byte */
        "90",                                                       /* no map */
        "",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_msg(read_map(good[i]) == ERR_OK, "refused %s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(read_map(bad[i]) == ERR_MALFORMED, "%s: %s", bad[i],
                      err_name(read_map(bad[i])));
    }
}
END_TEST

START_TEST(fields_above_their_limit_are_too_large)
{
    static uint8_t big[LIMIT_BODY_TOKENS + 1];
    static uint8_t out[16384];
    struct body r;
    struct body b = full_body();
    b.tokens = slice_of(big, LIMIT_BODY_TOKENS + 1);
    ck_assert_ok(body_write(out, sizeof out, &b));
    ck_assert_err(body_read(slice_of(out, sizeof out), &r), ERR_TOO_LARGE);
    b.tokens.len--;
    b.route = slice_of(big, LIMIT_BODY_ROUTE + 1);
    ck_assert_ok(body_write(out, sizeof out, &b));
    ck_assert_err(body_read(slice_of(out, sizeof out), &r), ERR_TOO_LARGE);
    b.route.len--;
    ck_assert_ok(body_write(out, sizeof out, &b));
    ck_assert_ok(body_read(slice_of(out, sizeof out), &r));
}
END_TEST

START_TEST(the_length_field_must_lie_inside)
{
    struct body r;
    static const uint8_t beyond[] = {0x00, 0x10, 0x81};
    ck_assert_err(body_read(slice_of(beyond, sizeof beyond), &r), ERR_MALFORMED);
    ck_assert_err(body_read(slice_of(beyond, 1), &r), ERR_MALFORMED);
    ck_assert_err(body_read(slice_of(NULL, 0), &r), ERR_MALFORMED);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, every_field_is_read_back);
    tcase_add_test(tc, the_size_is_told_before_writing);
    tcase_add_test(tc, an_ack_only_body_has_no_number);
    tcase_add_test(tc, the_padding_must_be_zero);
    tcase_add_test(tc, maps_out_of_form_are_refused);
    tcase_add_test(tc, fields_above_their_limit_are_too_large);
    tcase_add_test(tc, the_length_field_must_lie_inside);
}

int main(void)
{
    return unit_main("pair/body", add);
}
