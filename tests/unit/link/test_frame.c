/* SPDX-License-Identifier: Apache-2.0 */
#include "link/frame.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

static enum err read_hex(const char *hex, struct frame *frame)
{
    static uint8_t bytes[256];
    return frame_read(slice_of(bytes, unit_hex(hex, bytes, sizeof bytes)), frame);
}

START_TEST(what_is_written_is_read_back)
{
    static const uint32_t ids[] = {0, 1, 127, 128, 65536, UINT32_MAX};
    for (unsigned kind = 0; kind <= FRAME_KIND_MAX; kind++) {
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            uint8_t bytes[32];
            struct writer w = writer_of(bytes, sizeof bytes);
            struct frame in = {
                .kind = (uint8_t)kind, .id = ids[i], .body = unit_str("\x81\x01\x02")};
            struct frame out;
            frame_write(&w, &in);
            ck_assert_ok(frame_read(writer_done(&w), &out));
            ck_assert_uint_eq(out.kind, kind);
            ck_assert_uint_eq(out.id, ids[i]);
            ck_assert(slice_equal(out.body, in.body));
        }
    }
}
END_TEST

START_TEST(a_frame_out_of_form_is_refused_and_the_output_untouched)
{
    static const char *const bad[] = {
        "",                         /* nothing */
        "93",                       /* no elements */
        "930100",                   /* no body */
        "920100",                   /* two elements */
        "94010000c0",               /* four */
        "81010000",                 /* a map */
        "930100c0c0",               /* trailing byte */
        "93cd010000c0",             /* kind 256 */
        "93cc0100c0",               /* kind not in its shortest form */
        "93ff00c0",                 /* negative kind */
        "9301cf0000000100000000c0", /* id above 32 bits */
        "9301ffc0",                 /* negative id */
        "9301a0c0",                 /* id is text */
        "930100c1",                 /* a byte that msgpack never uses */
        "930100ca00000000",         /* a float body */
        "930100d40100",             /* an extension body */
        "930100c405aa",             /* a body that ends early */
        "930100dd10000000",         /* an array that claims 2^28 elements */
        "930100dfffffffff",         /* a map that claims 2^32-1 pairs */
        "930100919191919191c0",     /* nested too deep */
        "dc0003010000",             /* array header not in its shortest form */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct frame frame = {.kind = 99};
        enum err err = read_hex(bad[i], &frame);
        ck_assert_msg(err == ERR_MALFORMED || err == ERR_TOO_LARGE, "%s gave %s", bad[i],
                      err_name(err));
        ck_assert_uint_eq(frame.kind, 99);
    }
}
END_TEST

START_TEST(a_body_may_nest_five_levels)
{
    struct frame frame;
    ck_assert_ok(read_hex("9301009191919191c0", &frame));
    ck_assert_uint_eq(frame.body.len, 6);
}
END_TEST

START_TEST(more_than_a_record_holds_is_too_large)
{
    struct frame frame;
    uint8_t *bytes = calloc(1, LIMIT_FRAME + 1);
    size_t body = LIMIT_FRAME - 3 - 3;
    memcpy(bytes, "\x93\x13\x01\xc5", 4);
    bytes[4] = (uint8_t)(body >> 8);
    bytes[5] = (uint8_t)body;
    ck_assert_ok(frame_read(slice_of(bytes, LIMIT_FRAME), &frame));
    ck_assert_uint_eq(frame.body.len, LIMIT_FRAME - 3);
    ck_assert_err(frame_read(slice_of(bytes, LIMIT_FRAME + 1), &frame), ERR_TOO_LARGE);
    free(bytes);
}
END_TEST

START_TEST(requests_and_pushes_cost_credit_and_nothing_else)
{
    static const uint8_t cost[] = {FRAME_MEMBER_JOIN,
                                   FRAME_QUEUE_DEPOSIT,
                                   FRAME_QUEUE_PUSH,
                                   FRAME_DESCRIPTOR_GET,
                                   FRAME_MEMBER_LEAVE,
                                   100,
                                   127};
    static const uint8_t free_of_it[] = {FRAME_HELLO,
                                         FRAME_PING,
                                         FRAME_PONG,
                                         FRAME_CREDIT,
                                         FRAME_BYE,
                                         15,
                                         FRAME_QUEUE_DEPOSIT + FRAME_REPLY,
                                         FRAME_KIND_MAX};
    for (size_t i = 0; i < sizeof cost; i++) {
        ck_assert(frame_costs_credit(cost[i]));
    }
    for (size_t i = 0; i < sizeof free_of_it; i++) {
        ck_assert(!frame_costs_credit(free_of_it[i]));
    }
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, a_frame_out_of_form_is_refused_and_the_output_untouched);
    tcase_add_test(tc, a_body_may_nest_five_levels);
    tcase_add_test(tc, more_than_a_record_holds_is_too_large);
    tcase_add_test(tc, requests_and_pushes_cost_credit_and_nothing_else);
}

int main(void)
{
    return unit_main("link.frame", add);
}
