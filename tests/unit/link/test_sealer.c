/* SPDX-License-Identifier: Apache-2.0 */
#include "link/sealer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/unit.h"

enum {
    WIRE = RECORD_HEADER + RECORD_MAX,
};

static const uint8_t key[CIPHER_KEY] = {1, 2, 3};

static struct sealer record_new(uint32_t rekey_every)
{
    struct cipher c;
    struct sealer r;
    cipher_init(&c, key);
    sealer_init(&r, &c, rekey_every);
    return r;
}

static struct slice sealed_part(const uint8_t *wire)
{
    return slice_of(wire + RECORD_HEADER, (size_t)wire[0] << 8 | wire[1]);
}

/* Seals a frame of one byte. */
static void seal_byte(struct sealer *r, uint8_t byte, uint8_t *wire)
{
    ck_assert_ok(sealer_seal(r, slice_of(&byte, 1), wire));
}

/* Opens wire and gives the one byte of its frame. */
static enum err open_byte(struct sealer *r, const uint8_t *wire, uint8_t *byte)
{
    uint8_t plain[LIMIT_RECORD_PAD];
    struct slice frame = slice_of(NULL, 0);
    enum err err = sealer_open(r, sealed_part(wire), plain, &frame);
    if (err == ERR_OK) {
        ck_assert_uint_eq(frame.len, 1);
        *byte = frame.p[0];
    }
    return err;
}

/* Encrypts a plaintext of any form under r's key, so that only what is inside is wrong. */
static void seal_raw(struct sealer *r, const uint8_t *plain, size_t len, uint8_t *out)
{
    ck_assert_ok(cipher_encrypt(&r->cipher, slice_of(NULL, 0), slice_of(plain, len), out));
}

START_TEST(frames_come_back_and_records_are_multiples_of_256)
{
    static const size_t sizes[] = {0,          1, 253, 254, 255, 510, 511, 4096, LIMIT_FRAME - 1,
                                   LIMIT_FRAME};
    uint8_t *frame = malloc(LIMIT_FRAME);
    uint8_t *wire = malloc(WIRE);
    uint8_t *plain = malloc(LIMIT_RECORD);
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice back;
        memset(frame, (int)i + 1, LIMIT_FRAME);
        ck_assert_ok(sealer_seal(&send, slice_of(frame, sizes[i]), wire));
        struct slice sealed = sealed_part(wire);
        ck_assert_uint_eq(RECORD_HEADER + sealed.len, sealer_size(sizes[i]));
        ck_assert_uint_eq((sealed.len - CIPHER_TAG) % LIMIT_RECORD_PAD, 0);
        ck_assert_uint_lt(sealed.len - CIPHER_TAG - 2 - sizes[i], LIMIT_RECORD_PAD);
        ck_assert_ok(sealer_open(&receive, sealed, plain, &back));
        ck_assert(slice_equal(back, slice_of(frame, sizes[i])));
    }
    free(frame);
    free(wire);
    free(plain);
}
END_TEST

START_TEST(a_frame_above_the_limit_is_refused_and_nothing_moves)
{
    uint8_t *frame = calloc(1, LIMIT_FRAME + 1);
    uint8_t wire[1];
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    ck_assert_err(sealer_seal(&send, slice_of(frame, LIMIT_FRAME + 1), wire), ERR_TOO_LARGE);
    ck_assert_uint_eq(send.cipher.n, 0);
    free(frame);
}
END_TEST

START_TEST(lengths_are_checked)
{
    ck_assert_err(sealer_check_length(0), ERR_MALFORMED);
    ck_assert_err(sealer_check_length(16), ERR_MALFORMED);
    ck_assert_err(sealer_check_length(271), ERR_MALFORMED);
    ck_assert_ok(sealer_check_length(272));
    ck_assert_err(sealer_check_length(273), ERR_MALFORMED);
    ck_assert_ok(sealer_check_length(65296));
    ck_assert_err(sealer_check_length(65297), ERR_TOO_LARGE);
    ck_assert_err(sealer_check_length(65535), ERR_TOO_LARGE);
}
END_TEST

START_TEST(replayed_and_reordered_records_are_refused)
{
    uint8_t wire[2][512];
    uint8_t byte = 0;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    seal_byte(&send, 'a', wire[0]);
    seal_byte(&send, 'b', wire[1]);
    ck_assert_err(open_byte(&receive, wire[1], &byte), ERR_DECRYPT);
    ck_assert_ok(open_byte(&receive, wire[0], &byte));
    ck_assert_err(open_byte(&receive, wire[0], &byte), ERR_DECRYPT);
    ck_assert_ok(open_byte(&receive, wire[1], &byte));
    ck_assert_uint_eq(byte, 'b');
}
END_TEST

START_TEST(every_changed_byte_is_refused_and_the_output_wiped)
{
    static const uint8_t zeros[LIMIT_RECORD_PAD];
    uint8_t wire[512];
    uint8_t plain[LIMIT_RECORD_PAD];
    struct slice frame;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    seal_byte(&send, 'a', wire);
    for (size_t i = 0; i < RECORD_MIN; i++) {
        wire[RECORD_HEADER + i] ^= 0x80;
        memset(plain, 0xee, sizeof plain);
        ck_assert_err(sealer_open(&receive, sealed_part(wire), plain, &frame), ERR_DECRYPT);
        ck_assert_mem_eq(plain, zeros, sizeof plain);
        wire[RECORD_HEADER + i] ^= 0x80;
    }
}
END_TEST

START_TEST(padding_that_is_not_zero_is_a_violation)
{
    for (size_t at = 3; at < LIMIT_RECORD_PAD; at++) {
        uint8_t plain[LIMIT_RECORD_PAD] = {0, 1, 'a'};
        uint8_t sealed[RECORD_MIN];
        struct slice frame;
        struct sealer send = record_new(LIMIT_REKEY_RECORDS);
        struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
        plain[at] = 1;
        seal_raw(&send, plain, sizeof plain, sealed);
        ck_assert_err(sealer_open(&receive, slice_of(sealed, sizeof sealed), plain, &frame),
                      ERR_PROTOCOL);
    }
}
END_TEST

START_TEST(a_frame_length_beyond_the_record_is_a_violation)
{
    uint8_t plain[LIMIT_RECORD_PAD] = {0, 255};
    uint8_t sealed[RECORD_MIN];
    struct slice frame;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    seal_raw(&send, plain, sizeof plain, sealed);
    ck_assert_err(sealer_open(&receive, slice_of(sealed, sizeof sealed), plain, &frame),
                  ERR_PROTOCOL);
}
END_TEST

START_TEST(more_padding_than_needed_is_accepted)
{
    uint8_t plain[1024] = {0, 1, 'a'};
    uint8_t sealed[1024 + CIPHER_TAG];
    struct slice frame;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    seal_raw(&send, plain, sizeof plain, sealed);
    ck_assert_ok(sealer_open(&receive, slice_of(sealed, sizeof sealed), plain, &frame));
    ck_assert(slice_equal(frame, unit_str("a")));
}
END_TEST

START_TEST(a_record_opens_in_place)
{
    uint8_t wire[512];
    struct slice frame;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    seal_byte(&send, 'a', wire);
    ck_assert_ok(sealer_open(&receive, sealed_part(wire), wire + RECORD_HEADER, &frame));
    ck_assert(slice_equal(frame, unit_str("a")));
    ck_assert_ptr_eq(frame.p, wire + RECORD_HEADER + RECORD_PREFIX);
}
END_TEST

START_TEST(the_key_changes_after_the_interval_and_the_counter_goes_on)
{
    uint8_t wire[512];
    uint8_t expected[RECORD_MIN];
    uint8_t plain[LIMIT_RECORD_PAD] = {0, 1, 'a'};
    struct sealer send = record_new(3);
    struct cipher by_hand;
    cipher_init(&by_hand, key);
    for (unsigned i = 0; i < 8; i++) {
        if (i == 3 || i == 6) {
            cipher_rekey(&by_hand);
        }
        ck_assert_uint_eq(by_hand.n, i);
        seal_byte(&send, 'a', wire);
        ck_assert_ok(
            cipher_encrypt(&by_hand, slice_of(NULL, 0), slice_of(plain, sizeof plain), expected));
        ck_assert(slice_equal(sealed_part(wire), slice_of(expected, sizeof expected)));
    }
}
END_TEST

START_TEST(an_end_that_rekeys_at_another_time_is_refused)
{
    uint8_t wire[512];
    uint8_t byte = 0;
    struct sealer send = record_new(3);
    struct sealer receive = record_new(4);
    for (unsigned i = 0; i < 3; i++) {
        seal_byte(&send, 'a', wire);
        ck_assert_ok(open_byte(&receive, wire, &byte));
    }
    seal_byte(&send, 'a', wire);
    ck_assert_err(open_byte(&receive, wire, &byte), ERR_DECRYPT);
}
END_TEST

START_TEST(the_real_interval_is_65536_records)
{
    uint8_t wire[512];
    uint8_t byte = 0;
    struct sealer send = record_new(LIMIT_REKEY_RECORDS);
    struct sealer receive = record_new(LIMIT_REKEY_RECORDS);
    for (uint32_t i = 0; i < 65536; i++) {
        ck_assert_mem_eq(send.cipher.key, key, sizeof key);
        seal_byte(&send, (uint8_t)i, wire);
        ck_assert_ok(open_byte(&receive, wire, &byte));
    }
    ck_assert_mem_ne(send.cipher.key, key, sizeof key);
    ck_assert_mem_eq(send.cipher.key, receive.cipher.key, sizeof key);
    ck_assert_uint_eq(send.cipher.n, 65536);
    seal_byte(&send, 'z', wire);
    ck_assert_ok(open_byte(&receive, wire, &byte));
    ck_assert_uint_eq(byte, 'z');
}
END_TEST

START_TEST(a_used_up_counter_is_an_error)
{
    uint8_t wire[512] = {0};
    uint8_t byte = 'a';
    struct sealer r = record_new(LIMIT_REKEY_RECORDS);
    r.cipher.n = UINT64_MAX;
    ck_assert_err(sealer_seal(&r, slice_of(&byte, 1), wire), ERR_EXPIRED);
    wire[0] = RECORD_MIN >> 8;
    wire[1] = RECORD_MIN & 0xff;
    ck_assert_err(open_byte(&r, wire, &byte), ERR_EXPIRED);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, frames_come_back_and_records_are_multiples_of_256);
    tcase_add_test(tc, a_frame_above_the_limit_is_refused_and_nothing_moves);
    tcase_add_test(tc, lengths_are_checked);
    tcase_add_test(tc, replayed_and_reordered_records_are_refused);
    tcase_add_test(tc, every_changed_byte_is_refused_and_the_output_wiped);
    tcase_add_test(tc, padding_that_is_not_zero_is_a_violation);
    tcase_add_test(tc, a_frame_length_beyond_the_record_is_a_violation);
    tcase_add_test(tc, more_padding_than_needed_is_accepted);
    tcase_add_test(tc, a_record_opens_in_place);
    tcase_add_test(tc, the_key_changes_after_the_interval_and_the_counter_goes_on);
    tcase_add_test(tc, an_end_that_rekeys_at_another_time_is_refused);
    tcase_add_test(tc, the_real_interval_is_65536_records);
    tcase_add_test(tc, a_used_up_counter_is_an_error);
}

int main(void)
{
    return unit_main("link.record", add);
}
