/* SPDX-License-Identifier: Apache-2.0 */
#include "pair/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/pad.h"
#include "lib/pair.h"

static struct pair_party a;
static struct pair_party b;

static void setup(void)
{
    pair_party_init(&a, 1);
    pair_party_init(&b, 2);
}

static void teardown(void)
{
    pair_party_fini(&a);
    pair_party_fini(&b);
}

START_TEST(a_conversation_with_turns_of_any_length)
{
    pair_established(&a, &b);
    pair_kem_step(&a, &b);
    for (unsigned i = 0; i < 60; i++) {
        struct pair_party *from = (i / 3) % 2 == 0 ? &a : &b;
        struct pair_party *to = from == &a ? &b : &a;
        char text[32];
        snprintf(text, sizeof text, "message %u", i);
        struct slice e = pair_seal(from, text);
        ck_assert_uint_eq(e.len, 1024);
        ck_assert_uint_eq(e.p[0], ENVELOPE_ESTABLISHED);
        pair_open_text(to, e, text);
    }
    ck_assert(session_established(a.session) && session_established(b.session));
    ck_assert_mem_eq(session_id(a.session), session_id(b.session), SESSION_T);
}
END_TEST

START_TEST(the_first_envelope_is_repeated_until_an_answer_comes)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice e[3];
    static const char *const text[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        e[i] = pair_seal(&a, text[i]);
        ck_assert_uint_eq(e[i].p[0], ENVELOPE_FIRST);
        ck_assert_uint_eq(e[i].len, 4096);
    }
    ck_assert(!session_established(a.session));
    ck_assert_ok(pair_accept(&b, &a, NULL, e[1]));
    ck_assert(!session_established(b.session));
    for (size_t i = 3; i-- > 0;) {
        pair_open_text(&b, e[i], text[i]);
    }
    ck_assert(session_established(b.session));
    pair_open_text(&a, pair_seal(&b, "answer"), "answer");
    ck_assert(session_established(a.session));
    struct slice after = pair_seal(&a, "kind 1 now");
    ck_assert_uint_eq(after.p[0], ENVELOPE_ESTABLISHED);
    pair_open_text(&b, after, "kind 1 now");
}
END_TEST

START_TEST(a_late_first_envelope_opens_in_the_running_session)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice one = pair_seal(&a, "one");
    struct slice two = pair_seal(&a, "two");
    ck_assert_ok(pair_accept(&b, &a, NULL, one));
    pair_open_text(&b, one, "one");
    pair_open_text(&a, pair_seal(&b, "answer"), "answer");
    pair_open_text(&b, pair_seal(&a, "three"), "three");
    pair_open_text(&b, two, "two");
}
END_TEST

START_TEST(nothing_can_be_sealed_before_the_first_envelope_was_opened)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "one");
    ck_assert_ok(pair_accept(&b, &a, NULL, e));
    struct session_out out = {.content = unit_str("too early")};
    struct slice sealed;
    uint64_t seq = 77;
    ck_assert_err(session_seal(b.session, &b.env.env, &b.arena, &out, &sealed, &seq), ERR_NOT_NOW);
    ck_assert_uint_eq(seq, 77);
    pair_open_text(&b, e, "one");
    pair_open_text(&a, pair_seal(&b, "now"), "now");
}
END_TEST

START_TEST(messages_of_one_chain_open_in_any_order)
{
    pair_established(&a, &b);
    struct slice e[20];
    for (size_t i = 0; i < 20; i++) {
        e[i] = pair_seal_slice(&a, slice_of(&"abcdefghijklmnopqrst"[i], 1));
    }
    for (size_t i = 0; i < 20; i++) {
        size_t k = i * 7 % 20;
        struct session_in in;
        ck_assert_ok(pair_open(&b, e[k], &in));
        ck_assert_uint_eq(in.seq, k + 2);
        ck_assert_uint_eq(in.content.p[0], 'a' + k);
        ck_assert(!in.duplicate && !in.reset);
    }
}
END_TEST

START_TEST(messages_of_past_chains_open_late)
{
    pair_established(&a, &b);
    struct slice late[6];
    for (size_t i = 0; i < 6; i++) {
        late[i] = pair_seal_slice(&a, slice_of(&"012345"[i], 1));
        pair_open_text(&b, pair_seal(&a, "in time"), "in time");
        pair_open_text(&a, pair_seal(&b, "turn"), "turn");
    }
    for (size_t i = 6; i-- > 0;) {
        struct session_in in;
        ck_assert_ok(pair_open(&b, late[i], &in));
        ck_assert_uint_eq(in.content.p[0], '0' + i);
        ck_assert_err(pair_open(&b, late[i], &in), i >= 3 ? ERR_REPLAY : ERR_DECRYPT);
    }
}
END_TEST

START_TEST(lost_messages_do_not_stop_the_others)
{
    pair_established(&a, &b);
    for (unsigned i = 0; i < 40; i++) {
        struct pair_party *from = i % 4 < 2 ? &a : &b;
        struct slice e = pair_seal(from, "x");
        if (i % 3 != 0) {
            struct session_in in;
            ck_assert_ok(pair_open(from == &a ? &b : &a, e, &in));
            ck_assert(in.gap == (i != 2)); /* 0 was a's first loss, 3 b's */
        }
    }
}
END_TEST

START_TEST(a_jump_of_2000_is_the_longest)
{
    pair_established(&a, &b);
    struct slice e = slice_of(NULL, 0);
    struct session_in in;
    /* Ack-only bodies: the ratchet's limit alone. */
    for (unsigned i = 0; i < LIMIT_SKIP_JUMP + 1; i++) {
        e = pair_seal_slice(&a, slice_of(NULL, 0));
    }
    struct slice before = pair_saved(b.session);
    struct slice next = pair_seal(&a, "2,001 were skipped");
    ck_assert_err(pair_open(&b, next, &in), ERR_TOO_FAR_AHEAD);
    struct slice after = pair_saved(b.session);
    ck_assert(slice_equal(before, after));
    ck_assert_ok(pair_open(&b, e, &in));
    ck_assert(!in.has_content);
    pair_open_text(&b, next, "2,001 were skipped");
    pair_slice_free(before);
    pair_slice_free(after);
    struct slice full = pair_saved(b.session);
    ck_assert_uint_gt(full.len, 2000 * 44);
    ck_assert_uint_lt(full.len, 90 * 1024);
    pair_slice_free(full);
}
END_TEST

START_TEST(a_jump_is_also_bounded_at_the_end_of_a_past_chain)
{
    pair_established(&a, &b);
    for (unsigned i = 0; i < LIMIT_SKIP_JUMP + 1; i++) {
        (void)pair_seal_slice(&a, slice_of(NULL, 0));
    }
    struct slice last = pair_seal_slice(&a, slice_of(NULL, 0));
    pair_open_text(&a, pair_seal(&b, "turn"), "turn");
    struct session_in in;
    struct slice far = pair_seal(&a, "far");
    ck_assert_err(pair_open(&b, far, &in), ERR_TOO_FAR_AHEAD);
    (void)last;
}
END_TEST

START_TEST(of_more_than_2000_skipped_keys_the_oldest_go)
{
    pair_established(&a, &b);
    struct slice first = pair_seal_slice(&a, slice_of(NULL, 0));
    struct slice second = pair_seal_slice(&a, slice_of(NULL, 0));
    for (unsigned i = 2; i < LIMIT_SKIPPED_KEYS; i++) {
        (void)pair_seal_slice(&a, slice_of(NULL, 0));
    }
    struct session_in in;
    ck_assert_ok(pair_open(&b, pair_seal_slice(&a, slice_of(NULL, 0)), &in));
    (void)pair_seal_slice(&a, slice_of(NULL, 0)); /* one more is skipped */
    ck_assert_ok(pair_open(&b, pair_seal_slice(&a, slice_of(NULL, 0)), &in));
    ck_assert_err(pair_open(&b, first, &in), ERR_REPLAY);
    ck_assert_ok(pair_open(&b, second, &in));
}
END_TEST

START_TEST(a_skipped_key_lives_37_days)
{
    pair_established(&a, &b);
    struct slice e[2];
    e[0] = pair_seal(&a, "late");
    e[1] = pair_seal(&a, "too late");
    pair_open_text(&b, pair_seal(&a, "now"), "now");
    struct session_in in;
    b.env.env.now_ms += LIMIT_SKIPPED_DAYS * LIMIT_DAY_MS - LIMIT_HOUR_MS;
    ck_assert(!session_expire(b.session, b.env.env.now_ms));
    ck_assert_ok(pair_open(&b, e[0], &in));
    b.env.env.now_ms += LIMIT_HOUR_MS;
    ck_assert_err(pair_open(&b, e[1], &in), ERR_REPLAY);
    struct slice before = pair_saved(b.session);
    ck_assert(session_expire(b.session, b.env.env.now_ms));
    ck_assert(!session_expire(b.session, b.env.env.now_ms));
    struct slice after = pair_saved(b.session);
    ck_assert_uint_eq(before.len, after.len + 44);
    pair_slice_free(before);
    pair_slice_free(after);
}
END_TEST

START_TEST(a_replay_is_refused_and_nothing_moves)
{
    pair_established(&a, &b);
    struct slice e = pair_seal(&a, "once");
    pair_open_text(&b, e, "once");
    struct slice before = pair_saved(b.session);
    struct session_in in;
    ck_assert_err(pair_open(&b, e, &in), ERR_REPLAY);
    struct slice after = pair_saved(b.session);
    ck_assert(slice_equal(before, after));
    pair_slice_free(after);
    pair_open_text(&a, pair_seal(&b, "turn"), "turn");
    pair_open_text(&b, pair_seal(&a, "next chain"), "next chain");
    ck_assert_err(pair_open(&b, e, &in), ERR_REPLAY);
    pair_slice_free(before);
}
END_TEST

/* Every region: one byte of each field, and some in the middle. */
static void flip_everywhere(struct slice e, const size_t *at, size_t count)
{
    struct session_in in;
    struct slice before = pair_saved(b.session);
    for (size_t i = 0; i < count; i++) {
        uint8_t *bad = pair_copy(e);
        bad[at[i]] ^= 0x40;
        enum err err = pair_open(&b, slice_of(bad, e.len), &in);
        ck_assert_msg(err == ERR_DECRYPT || err == ERR_MALFORMED, "byte %zu: %s", at[i],
                      err_name(err));
        free(bad);
    }
    struct slice after = pair_saved(b.session);
    ck_assert(slice_equal(before, after));
    pair_slice_free(before);
    pair_slice_free(after);
}

START_TEST(a_changed_byte_anywhere_in_kind_1_is_refused)
{
    pair_established(&a, &b);
    struct slice e = pair_seal(&a, "intact");
    static const size_t at[] = {0, 1, 24, 25, 40, 69, 70, 85, 86, 87, 500, 1007, 1008, 1023};
    flip_everywhere(e, at, sizeof at / sizeof at[0]);
    pair_open_text(&b, e, "intact");
}
END_TEST

START_TEST(a_changed_byte_anywhere_in_kind_2_is_refused)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "intact");
    ck_assert_ok(pair_accept(&b, &a, NULL, e));
    size_t sealed = (size_t)e.p[1129] << 8 | e.p[1130];
    size_t tail = 1131 + sealed;
    const size_t at[] = {0,         1,         4,         5,          8,          9,
                         40,        41,        600,       1128,       1129,       1130,
                         1131,      1300,      tail - 1,  tail,       tail + 23,  tail + 24,
                         tail + 60, tail + 84, tail + 85, e.len - 17, e.len - 16, e.len - 1};
    flip_everywhere(e, at, sizeof at / sizeof at[0]);
    pair_open_text(&b, e, "intact");
}
END_TEST

START_TEST(other_lengths_and_kinds_are_malformed)
{
    pair_established(&a, &b);
    struct slice e = pair_seal(&a, "x");
    struct session_in in;
    struct session_first first;
    static const size_t lengths[] = {0, 1, 102, 1023, 1025, 4095};
    uint8_t *bytes = calloc(1, 61441);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, e.p, e.len);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ck_assert_err(pair_open(&b, slice_of(bytes, lengths[i]), &in), ERR_MALFORMED);
    }
    ck_assert_err(pair_open(&b, slice_of(bytes, 61441), &in), ERR_MALFORMED);
    ck_assert_err(session_first_read(e, &first), ERR_MALFORMED);
    static const uint8_t kinds[] = {0, 3, 0x80, 0xff};
    for (size_t i = 0; i < sizeof kinds; i++) {
        bytes[0] = kinds[i];
        ck_assert_err(pair_open(&b, slice_of(bytes, 1024), &in), ERR_MALFORMED);
        ck_assert_err(session_first_read(slice_of(bytes, 4096), &first), ERR_MALFORMED);
    }
    bytes[0] = ENVELOPE_FIRST;
    ck_assert_err(session_first_read(slice_of(bytes, 1024), &first), ERR_MALFORMED);
    free(bytes);
}
END_TEST

START_TEST(an_envelope_of_another_session_is_decrypt)
{
    pair_established(&a, &b);
    struct pair_party c;
    struct pair_party d;
    pair_party_init(&c, 3);
    pair_party_init(&d, 4);
    pair_established(&c, &d);
    struct session_in in;
    ck_assert_err(pair_open(&b, pair_seal(&c, "x"), &in), ERR_DECRYPT);
    /* and the own one */
    ck_assert_err(pair_open(&a, pair_seal(&a, "x"), &in), ERR_DECRYPT);
    pair_party_fini(&c);
    pair_party_fini(&d);
}
END_TEST

static struct slice zeros(size_t len)
{
    static uint8_t bytes[LIMIT_ENVELOPE];
    memset(bytes, 'x', sizeof bytes);
    return slice_of(bytes, len);
}

static size_t sealed_size(struct pair_party *p, size_t len)
{
    struct session_out out = {.content = zeros(len)};
    struct slice e = slice_of(NULL, 0);
    uint64_t seq;
    enum err err = session_seal(p->session, &p->env.env, &p->arena, &out, &e, &seq);
    ck_assert(err == ERR_OK || err == ERR_TEXT_TOO_LONG);
    return err == ERR_OK ? e.len : 0;
}

/* The exact edge of each class, and that room is inside it. */
static void check_edges(struct pair_party *p, unsigned first_class)
{
    for (unsigned class = first_class; class < LIMIT_ENVELOPE_CLASSES; class ++) {
        size_t room = session_room(p->session, class, p->env.env.now_ms);
        size_t edge = room;
        ck_assert_uint_gt(room, 0);
        ck_assert_uint_eq(sealed_size(p, room), pad_class_size(class));
        while (sealed_size(p, edge + 1) == pad_class_size(class)) {
            edge++;
        }
        ck_assert_uint_le(edge - room, 16);
        size_t above = class + 1 < LIMIT_ENVELOPE_CLASSES ? pad_class_size(class + 1) : 0;
        ck_assert_uint_eq(sealed_size(p, edge + 1), above);
    }
}

START_TEST(the_smallest_class_that_fits_is_chosen)
{
    pair_established(&a, &b);
    /* Beside an answer of the KEM ratchet, of more than 1,024 bytes; nothing waits for its sake. */
    ck_assert_uint_eq(session_room(a.session, 0, a.env.env.now_ms), 0);
    struct slice e = pair_seal(&a, "x");
    ck_assert_uint_eq(e.len, 4096);
    ck_assert_uint_eq(sealed_size(&a, 1), 1024);
    pair_open_text(&b, e, "x");
    pair_open_text(&a, pair_seal(&b, "the step"), "the step");
    check_edges(&a, 0);
    ck_assert_uint_ge(session_room(a.session, 3, a.env.env.now_ms), LIMIT_TEXT);
    ck_assert_uint_eq(session_room(a.session, 4, a.env.env.now_ms), 0);
}
END_TEST

START_TEST(kind_2_begins_with_the_second_class)
{
    pair_initiate(&a, &b, true, NULL);
    ck_assert_uint_eq(session_room(a.session, 0, a.env.env.now_ms), 0);
    ck_assert_uint_eq(sealed_size(&a, 1), 4096);
    check_edges(&a, 1);
    ck_assert_uint_ge(session_room(a.session, 3, a.env.env.now_ms), LIMIT_TEXT);
}
END_TEST

START_TEST(tokens_and_route_travel_with_content)
{
    pair_established(&a, &b);
    struct session_out out = {.content = unit_str("with company"),
                              .tokens = zeros(LIMIT_BODY_TOKENS),
                              .route = unit_str("a queue")};
    struct slice e;
    uint64_t seq;
    struct session_in in;
    ck_assert_ok(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq));
    ck_assert_uint_eq(e.len, 16384);
    ck_assert_ok(pair_open(&b, e, &in));
    ck_assert(slice_equal(in.content, out.content));
    ck_assert(slice_equal(in.tokens, out.tokens));
    ck_assert(slice_equal(in.route, out.route));
    out.tokens = zeros(LIMIT_BODY_TOKENS + 1);
    ck_assert_err(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq), ERR_ARGUMENT);
    out.tokens = slice_of(NULL, 0);
    out.route = zeros(LIMIT_BODY_ROUTE + 1);
    ck_assert_err(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq), ERR_ARGUMENT);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_conversation_with_turns_of_any_length);
    tcase_add_test(tc, the_first_envelope_is_repeated_until_an_answer_comes);
    tcase_add_test(tc, a_late_first_envelope_opens_in_the_running_session);
    tcase_add_test(tc, nothing_can_be_sealed_before_the_first_envelope_was_opened);
    tcase_add_test(tc, messages_of_one_chain_open_in_any_order);
    tcase_add_test(tc, messages_of_past_chains_open_late);
    tcase_add_test(tc, lost_messages_do_not_stop_the_others);
    tcase_add_test(tc, a_jump_of_2000_is_the_longest);
    tcase_add_test(tc, a_jump_is_also_bounded_at_the_end_of_a_past_chain);
    tcase_add_test(tc, of_more_than_2000_skipped_keys_the_oldest_go);
    tcase_add_test(tc, a_skipped_key_lives_37_days);
    tcase_add_test(tc, a_replay_is_refused_and_nothing_moves);
    tcase_add_test(tc, a_changed_byte_anywhere_in_kind_1_is_refused);
    tcase_add_test(tc, a_changed_byte_anywhere_in_kind_2_is_refused);
    tcase_add_test(tc, other_lengths_and_kinds_are_malformed);
    tcase_add_test(tc, an_envelope_of_another_session_is_decrypt);
    tcase_add_test(tc, the_smallest_class_that_fits_is_chosen);
    tcase_add_test(tc, kind_2_begins_with_the_second_class);
    tcase_add_test(tc, tokens_and_route_travel_with_content);
}

int main(void)
{
    return unit_main("pair/session", add);
}
