/* SPDX-License-Identifier: Apache-2.0
 *
 * session_state: what a session remembers: what was acknowledged, its KEM exchanges, its saved
 * form, and what shows when an older one comes back.
 */
#include "pair/session.h"

#include <stdlib.h>
#include <string.h>

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

/* The saved session, loaded into a fresh one, takes the place of the running one. */
static void reload(struct pair_party *p)
{
    struct slice saved = pair_saved(p->session);
    struct session *s = session_new();
    ck_assert_ptr_nonnull(s);
    ck_assert_ok(session_load(s, saved));
    struct slice again = pair_saved(s);
    ck_assert(slice_equal(saved, again));
    session_free(p->session);
    p->session = s;
    pair_slice_free(saved);
    pair_slice_free(again);
}

/* A story with losses and late messages; hash of all envelopes and openings. */
static void story(bool save_at_every_step, uint8_t digest[static 32])
{
    struct slice late[8];
    size_t late_count = 0;
    struct slice log[128];
    size_t logged = 0;
    pair_initiate(&a, &b, true, NULL);
    if (save_at_every_step) {
        reload(&a);
    }
    for (unsigned i = 0; i < 40; i++) {
        struct pair_party *from = i < 3 || i % 5 < 3 ? &a : &b;
        struct pair_party *to = from == &a ? &b : &a;
        struct slice e = pair_seal(from, "a step of the story");
        log[logged++] = e;
        if (i == 0) {
            ck_assert_ok(pair_accept(&b, &a, NULL, e));
        }
        if (save_at_every_step) {
            reload(&a);
            reload(&b);
        }
        struct session_in in;
        if (i % 7 == 4 && from == &a) {
            late[late_count++] = e;
        } else {
            ck_assert_ok(pair_open(to, e, &in));
        }
        if (save_at_every_step) {
            reload(&a);
            reload(&b);
        }
    }
    for (size_t i = 0; i < late_count; i++) {
        struct session_in in;
        ck_assert_ok(pair_open(&b, late[i], &in));
        if (save_at_every_step) {
            reload(&b);
        }
    }
    ck_assert_uint_gt(late_count, 2);
    prim_blake2b(digest, 32, slice_of(NULL, 0), "story", log, logged);
}

START_TEST(saving_and_loading_at_every_step_equals_going_on)
{
    uint8_t on[32];
    uint8_t saved[32];
    story(false, on);
    struct slice a1 = pair_saved(a.session);
    struct slice b1 = pair_saved(b.session);
    teardown();
    setup();
    story(true, saved);
    struct slice a2 = pair_saved(a.session);
    struct slice b2 = pair_saved(b.session);
    ck_assert_mem_eq(on, saved, 32);
    ck_assert(slice_equal(a1, a2) && slice_equal(b1, b2));
    pair_slice_free(a1);
    pair_slice_free(a2);
    pair_slice_free(b1);
    pair_slice_free(b2);
}
END_TEST

START_TEST(a_saved_session_is_small)
{
    pair_established(&a, &b);
    for (unsigned i = 0; i < 50; i++) {
        struct session_in in;
        ck_assert_ok(pair_open(&b, pair_seal(&a, "there"), &in));
        ck_assert_ok(pair_open(&a, pair_seal(&b, "back"), &in));
    }
    struct slice saved = pair_saved(a.session);
    ck_assert_uint_lt(saved.len, 1536);
    pair_slice_free(saved);
}
END_TEST

START_TEST(a_damaged_saved_session_is_corrupt_and_the_old_one_stays)
{
    pair_established(&a, &b);
    (void)pair_seal(&a, "skipped");
    pair_open_text(&b, pair_seal(&a, "x"), "x");
    struct slice saved = pair_saved(b.session);
    for (size_t len = 0; len < saved.len; len++) {
        ck_assert_err(session_load(b.session, slice_of(saved.p, len)), ERR_CORRUPT);
    }
    uint8_t *longer = pair_copy(saved);
    longer[saved.len] = 0;
    ck_assert_err(session_load(b.session, slice_of(longer, saved.len + 1)), ERR_CORRUPT);
    longer[0] = 9;
    ck_assert_err(session_load(b.session, slice_of(longer, saved.len)), ERR_CORRUPT);
    longer[0] = saved.p[0];
    longer[1] |= 0x80;
    ck_assert_err(session_load(b.session, slice_of(longer, saved.len)), ERR_CORRUPT);
    struct slice after = pair_saved(b.session);
    ck_assert(slice_equal(saved, after));
    free(longer);
    pair_slice_free(saved);
    pair_slice_free(after);
}
END_TEST

START_TEST(acknowledgements_go_both_ways)
{
    pair_established(&a, &b); /* each sent one; a has b's acknowledgement of its first */
    pair_kem_step(&a, &b);
    pair_open_text(&a, pair_seal(&b, "2"), "2");
    ck_assert(session_acked(a.session, 1));
    ck_assert(!session_acked(a.session, 0));
    ck_assert(!session_acked(b.session, 2));
    ck_assert(session_owes_ack(a.session));
    struct session_in in;
    ck_assert_ok(pair_open(&b, pair_seal_slice(&a, slice_of(NULL, 0)), &in));
    ck_assert(!in.has_content && in.seq == 0);
    ck_assert(session_acked(b.session, 2));
    ck_assert(!session_owes_ack(a.session));
    ck_assert(!session_owes_ack(b.session)); /* an ack-only body is never acknowledged */

    struct slice lost = pair_seal(&a, "2");
    pair_open_text(&b, pair_seal(&a, "3"), "3");
    ck_assert(session_owes_ack(b.session));
    ck_assert_ok(pair_open(&a, pair_seal_slice(&b, slice_of(NULL, 0)), &in));
    ck_assert(!session_acked(a.session, 2) && session_acked(a.session, 3));
    ck_assert_uint_eq(session_acked_up_to(a.session), 1);
    pair_open_text(&b, lost, "2");
    ck_assert_ok(pair_open(&a, pair_seal_slice(&b, slice_of(NULL, 0)), &in));
    ck_assert_uint_eq(session_acked_up_to(a.session), 3);
}
END_TEST

START_TEST(a_thief_of_a_state_is_out_after_a_step_of_each_side)
{
    struct pair_party thief;
    struct session_in in;
    pair_party_init(&thief, 3);
    pair_established(&a, &b);
    struct slice saved = pair_saved(a.session);
    ck_assert_ok(session_load(thief.session, saved));
    pair_slice_free(saved);
    struct slice e = pair_seal(&b, "the present chain");
    pair_open_text(&thief, e, "the present chain");
    pair_open_text(&a, e, "the present chain");
    pair_open_text(&b, pair_seal(&a, "a step"), "a step");
    e = pair_seal(&b, "another one");
    ck_assert_err(pair_open(&thief, e, &in), ERR_DECRYPT);
    pair_open_text(&a, e, "another one");
    pair_party_fini(&thief);
}
END_TEST

START_TEST(a_kem_exchange_needs_no_message_of_anybody)
{
    struct session_in in;
    pair_established(&a, &b);
    ck_assert(session_owes_ack(a.session));
    ck_assert_ok(pair_open(&b, pair_seal_slice(&a, slice_of(NULL, 0)), &in));
    ck_assert(session_owes_ack(b.session)); /* that is, to take the step */
    ck_assert_uint_eq(session_kem_epoch(b.session), 0);
    ck_assert_ok(pair_open(&a, pair_seal_slice(&b, slice_of(NULL, 0)), &in));
    ck_assert(!session_owes_ack(a.session) && !session_owes_ack(b.session));
    ck_assert_uint_eq(session_kem_epoch(a.session), 1);
    ck_assert_uint_eq(session_kem_epoch(b.session), 1);
}
END_TEST

START_TEST(kem_exchanges_follow_one_another)
{
    struct session_in in;
    pair_established(&a, &b);
    for (unsigned i = 0; i < 4 * LIMIT_KEM_MESSAGES; i++) {
        struct pair_party *from = (i / 5) % 2 == 0 ? &a : &b;
        ck_assert_ok(pair_open(from == &a ? &b : &a, pair_seal(from, "x"), &in));
    }
    ck_assert_uint_eq(session_kem_epoch(a.session), 4);
    /* Who only reads takes part with its acknowledgements. */
    for (unsigned i = 0; i < 4 * LIMIT_KEM_MESSAGES; i++) {
        ck_assert_ok(pair_open(&b, pair_seal(&a, "x"), &in));
        ck_assert_ok(pair_open(&a, pair_seal_slice(&b, slice_of(NULL, 0)), &in));
    }
    ck_assert_uint_ge(session_kem_epoch(b.session), 7);
}
END_TEST

/* Three of four envelopes are lost, whatever they carry: what was in them comes again. */
START_TEST(lost_offers_answers_and_steps_come_again)
{
    struct session_in in;
    uint32_t opened = 0;
    pair_established(&a, &b);
    for (unsigned i = 0; i < 4000; i++) {
        uint8_t luck[2];
        env_random(&a.env.env, luck, sizeof luck);
        struct pair_party *from = luck[0] % 2 == 0 ? &a : &b;
        struct pair_party *to = from == &a ? &b : &a;
        struct slice e = pair_seal_slice(from, slice_of(NULL, 0));
        if (luck[1] % 4 == 0) {
            ck_assert_ok(pair_open(to, e, &in));
            opened++;
        }
        if (i % 100 == 0) {
            a.env.env.now_ms += LIMIT_DAY_MS;
            b.env.env.now_ms += LIMIT_DAY_MS;
        }
        arena_reset(&from->arena);
        arena_reset(&to->arena);
    }
    ck_assert_uint_gt(opened, 800);
    ck_assert_uint_gt(session_kem_epoch(a.session), 20);
    uint32_t apart = session_kem_epoch(a.session) - session_kem_epoch(b.session);
    ck_assert(apart + 1 <= 2); /* -1, 0 or 1: a step may be on its way */
}
END_TEST

START_TEST(a_session_of_before_the_kem_ratchet_gets_one)
{
    enum {
        KEM_QUIET = 1 + 1 + 4 + 8
    };
    struct session_in in;
    pair_initiate(&a, &b, true, NULL);
    struct slice saved = pair_saved(a.session);
    uint8_t *old = pair_copy(saved);
    old[0] = 1;
    ck_assert_ok(session_load(a.session, slice_of(old, saved.len - KEM_QUIET)));
    free(old);
    pair_slice_free(saved);
    struct slice first = pair_seal(&a, "hello");
    ck_assert_ok(pair_accept(&b, &a, NULL, first));
    pair_open_text(&b, first, "hello");
    pair_open_text(&a, pair_seal(&b, "hello yourself"), "hello yourself");
    pair_kem_step(&a, &b);
    ck_assert_uint_eq(session_kem_epoch(a.session), 1);
    ck_assert_ok(pair_open(&b, pair_seal(&a, "x"), &in));
}
END_TEST

START_TEST(only_1900_messages_may_be_unacknowledged)
{
    pair_established(&a, &b);
    struct slice last = slice_of(NULL, 0);
    struct slice middle = slice_of(NULL, 0);
    for (unsigned i = 0; i < LIMIT_UNACKED; i++) {
        last = pair_seal(&a, "x");
        middle = i == 1000 ? last : middle;
    }
    struct session_out out = {.content = unit_str("one more")};
    struct slice e;
    uint64_t seq;
    struct slice before = pair_saved(a.session);
    ck_assert_err(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq), ERR_BACKPRESSURE);
    struct slice after = pair_saved(a.session);
    ck_assert(slice_equal(before, after));
    pair_slice_free(before);
    pair_slice_free(after);
    out.content = slice_of(NULL, 0); /* ack-only bodies are not held up */
    ck_assert_ok(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq));
    pair_open_text(&b, last, "x");
    pair_open_text(&b, middle, "x");
    pair_open_text(&a, pair_seal(&b, "seen"), "seen");
    ck_assert(session_acked(a.session, 1901) && session_acked(a.session, 1002));
    pair_open_text(&b, pair_seal(&a, "one more"), "one more");
    pair_open_text(&b, pair_seal(&a, "and one"), "and one");
    out.content = unit_str("a third");
    ck_assert_err(session_seal(a.session, &a.env.env, &a.arena, &out, &e, &seq), ERR_BACKPRESSURE);
}
END_TEST

START_TEST(what_is_forgotten_blocks_nobody)
{
    pair_established(&a, &b);
    struct slice lost = pair_seal(&a, "given up");
    pair_open_text(&b, pair_seal(&a, "next"), "next");
    pair_open_text(&a, pair_seal(&b, "seen"), "seen");
    ck_assert_uint_eq(session_acked_up_to(a.session), 1);
    session_forget(a.session, 99); /* never sealed */
    ck_assert(!session_acked(a.session, 99));
    session_forget(a.session, 2);
    ck_assert_uint_eq(session_acked_up_to(a.session), 3);
    struct session_in in;
    ck_assert_ok(pair_open(&b, pair_seal(&a, "four"), &in));
    ck_assert(in.gap); /* there was one when it came; from now on there is none */
    ck_assert_ok(pair_open(&b, pair_seal(&a, "five"), &in));
    ck_assert(!in.gap);
    pair_open_text(&a, pair_seal(&b, "all"), "all");
    ck_assert_uint_eq(session_acked_up_to(a.session), 5);
    /* Late after all: shown, as nothing of it came before. */
    ck_assert_ok(pair_open(&b, lost, &in));
    ck_assert(in.has_content && !in.duplicate && !in.reset);
}
END_TEST

/* a went back to before its content 3, which b has; b's next step reaches both states. */
static void roll_back(struct session_in *in)
{
    pair_established(&a, &b);
    pair_open_text(&b, pair_seal(&a, "two"), "two");
    struct slice old = pair_saved(a.session);
    pair_open_text(&b, pair_seal(&a, "three"), "three");
    struct slice turn = pair_seal(&b, "turn");
    ck_assert_ok(session_load(a.session, old));
    pair_slice_free(old);
    ck_assert_ok(pair_open(&a, turn, in));
}

START_TEST(a_rolled_back_sender_shows_as_reset)
{
    struct session_in in;
    roll_back(&in);
    ck_assert(in.behind && !in.reset); /* b acknowledges what this state of a never sent */
    ck_assert_ok(pair_open(&b, pair_seal(&a, "another three"), &in));
    ck_assert(in.reset && !in.duplicate && in.seq == 3);
    ck_assert(slice_equal(in.content, unit_str("another three")));
}
END_TEST

START_TEST(the_same_content_under_the_same_number_is_a_duplicate)
{
    struct session_in in;
    roll_back(&in);
    ck_assert_ok(pair_open(&b, pair_seal(&a, "three"), &in));
    ck_assert(in.duplicate && !in.reset);
    ck_assert(session_owes_ack(b.session));
}
END_TEST

START_TEST(a_key_used_before_a_rollback_is_a_replay)
{
    pair_established(&a, &b);
    struct slice old = pair_saved(a.session);
    pair_open_text(&b, pair_seal(&a, "two"), "two");
    ck_assert_ok(session_load(a.session, old));
    pair_slice_free(old);
    struct session_in in;
    a.env.seed++; /* other randomness, or it would be the same envelope */
    ck_assert_err(pair_open(&b, pair_seal(&a, "another two"), &in), ERR_REPLAY);
}
END_TEST

/* The chain that a goes on in is a past one at b: nothing was ever sealed behind its end. */
START_TEST(what_is_sealed_behind_the_end_of_a_past_chain_opens_with_nothing)
{
    pair_established(&a, &b);
    pair_open_text(&b, pair_seal(&a, "in this chain"), "in this chain");
    struct slice old = pair_saved(a.session);
    pair_open_text(&a, pair_seal(&b, "a step"), "a step");
    pair_open_text(&b, pair_seal(&a, "in the next chain"), "in the next chain");
    ck_assert_ok(session_load(a.session, old));
    pair_slice_free(old);
    struct session_in in;
    a.env.seed++;
    ck_assert_err(pair_open(&b, pair_seal(&a, "behind the end"), &in), ERR_DECRYPT);
}
END_TEST

START_TEST(a_restored_state_gives_no_two_bodies_one_key)
{
    enum {
        BODY = 86, /* offset in kind 1 */
    };
    pair_established(&a, &b);
    pair_open_text(&b, pair_seal(&a, "in this chain"), "in this chain"); /* no step is due */
    struct slice state = pair_saved(a.session);
    struct slice first = pair_seal(&a, "the same plaintext");
    ck_assert_ok(session_load(a.session, state));
    pair_slice_free(state);
    a.env.seed++;
    struct slice second = pair_seal(&a, "the same plaintext");
    ck_assert_uint_eq(first.len, second.len);
    size_t same = 0;
    for (size_t i = BODY; i < first.len - PRIM_AEAD_TAG; i++) {
        same += first.p[i] == second.p[i];
    }
    ck_assert_uint_lt(same, (first.len - BODY) / 8); /* one keystream: all of them */
    pair_open_text(&b, second, "the same plaintext");
}
END_TEST

START_TEST(without_memory_nothing_moves)
{
    pair_established(&a, &b);
    struct slice e = pair_seal(&a, "x");
    struct arena none;
    arena_init(&none, 0);
    struct slice before = pair_saved(b.session);
    struct session_in in;
    struct session_out out = {.content = unit_str("y")};
    struct slice sealed;
    struct slice saved;
    uint64_t seq;
    ck_assert_err(session_open(b.session, &b.env.env, &none, e, &in), ERR_NO_MEMORY);
    ck_assert_err(session_seal(b.session, &b.env.env, &none, &out, &sealed, &seq), ERR_NO_MEMORY);
    ck_assert_err(session_save(b.session, &none, &saved), ERR_NO_MEMORY);
    struct slice after = pair_saved(b.session);
    ck_assert(slice_equal(before, after));
    pair_slice_free(before);
    pair_slice_free(after);
    pair_open_text(&b, e, "x");
    arena_fini(&none);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, saving_and_loading_at_every_step_equals_going_on);
    tcase_add_test(tc, a_saved_session_is_small);
    tcase_add_test(tc, a_damaged_saved_session_is_corrupt_and_the_old_one_stays);
    tcase_add_test(tc, acknowledgements_go_both_ways);
    tcase_add_test(tc, a_thief_of_a_state_is_out_after_a_step_of_each_side);
    tcase_add_test(tc, a_kem_exchange_needs_no_message_of_anybody);
    tcase_add_test(tc, kem_exchanges_follow_one_another);
    tcase_add_test(tc, lost_offers_answers_and_steps_come_again);
    tcase_add_test(tc, a_session_of_before_the_kem_ratchet_gets_one);
    tcase_add_test(tc, only_1900_messages_may_be_unacknowledged);
    tcase_add_test(tc, what_is_forgotten_blocks_nobody);
    tcase_add_test(tc, a_rolled_back_sender_shows_as_reset);
    tcase_add_test(tc, the_same_content_under_the_same_number_is_a_duplicate);
    tcase_add_test(tc, a_key_used_before_a_rollback_is_a_replay);
    tcase_add_test(tc, what_is_sealed_behind_the_end_of_a_past_chain_opens_with_nothing);
    tcase_add_test(tc, a_restored_state_gives_no_two_bodies_one_key);
    tcase_add_test(tc, without_memory_nothing_moves);
}

int main(void)
{
    return unit_main("pair/session_state", add);
}
