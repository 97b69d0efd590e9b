/* SPDX-License-Identifier: Apache-2.0
 *
 * Envelopes that come again, come back to who sent them, or come with a part of another one.
 * docs/protocol/05-session.md, sections 4 to 7.
 */
#include <string.h>

#include "attack/attack.h"
#include "attack/talk.h"

static struct pair_party a;
static struct pair_party b;
static struct talk *t;

static void setup(void)
{
    t = NULL;
    pair_party_init(&a, 31);
    pair_party_init(&b, 32);
}

static void teardown(void)
{
    talk_free(t);
    pair_party_fini(&a);
    pair_party_fini(&b);
}

/* --- replay --- */

START_TEST(an_envelope_that_came_in_order_opens_once)
{
    struct session_in in;
    pair_established(&a, &b);
    for (unsigned i = 0; i < 20; i++) {
        struct pair_party *from = i / 3 % 2 == 0 ? &a : &b;
        struct pair_party *to = from == &a ? &b : &a;
        struct slice e = pair_seal(from, "once");
        pair_open_text(to, e, "once");
        attack_must_fail(pair_open(to, e, &in) == ERR_OK, "message %u opens twice", i);
    }
}
END_TEST

START_TEST(an_envelope_that_came_late_opens_once)
{
    struct session_in in;
    pair_established(&a, &b);
    struct slice late[2] = {pair_seal(&a, "late"), pair_seal(&a, "later")};
    pair_open_text(&b, pair_seal(&a, "early"), "early");
    pair_open_text(&b, late[0], "late");
    attack_must_fail(pair_open(&b, late[0], &in) == ERR_OK, "it opens twice");
    pair_open_text(&a, pair_seal(&b, "a step"), "a step");
    pair_open_text(&b, pair_seal(&a, "another"), "another");
    pair_open_text(&b, late[1], "later"); /* of a past chain now */
    attack_must_fail(pair_open(&b, late[1], &in) == ERR_OK, "it opens twice in a past chain");
}
END_TEST

START_TEST(nothing_of_a_random_conversation_opens_twice)
{
    struct session_in in;
    size_t tried = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        talk_free(t);
        t = talk_new(seed, true);
        for (unsigned i = 0; i < 100; i++) {
            talk_any(t);
        }
        for (size_t i = 0; i < t->letter_count; i++) {
            const struct talk_letter *l = &t->letters[i];
            struct pair_party *to = l->by_victim ? &t->b : &t->a;
            bool came = l->opened != SIZE_MAX;
            attack_must_fail(came && pair_open(to, l->bytes, &in) == ERR_OK,
                             "seed %u: letter %zu opens twice", (unsigned)seed, i);
            tried += came ? 1 : 0;
        }
    }
    ck_assert_uint_gt(tried, 300);
}
END_TEST

START_TEST(a_first_envelope_opens_once_in_its_session)
{
    struct session_in in;
    for (unsigned one_time = 0; one_time < 2; one_time++) {
        pair_initiate(&a, &b, one_time == 1, NULL);
        struct slice e = pair_seal(&a, "hello");
        ck_assert_ok(pair_accept(&b, &a, NULL, e));
        pair_open_text(&b, e, "hello");
        attack_must_fail(pair_open(&b, e, &in) == ERR_OK, "it opens twice");
        pair_open_text(&a, pair_seal(&b, "answer"), "answer");
        pair_open_text(&b, pair_seal(&a, "on"), "on");
        attack_must_fail(pair_open(&b, e, &in) == ERR_OK, "it opens again after a step");
    }
}
END_TEST

/* Whether b begins a session with that envelope anew, with these secrets. */
static bool begins(struct slice e, const struct prekey_secret *one_time)
{
    struct prekey_keys keys;
    struct pair_self self = pair_party_self(&b);
    struct pair_peer peer = pair_party_peer(&a);
    struct session_in in;
    prekey_keys_init(&keys, &b.spk, one_time);
    ck_assert_ok(
        session_accept(b.session, &b.env.env, &b.arena, &self, &peer, &keys.prekeys, NULL, e));
    prekey_keys_wipe(&keys);
    return pair_open(&b, e, &in) == ERR_OK;
}

START_TEST(a_first_envelope_begins_no_second_session_once_its_one_time_part_is_dropped)
{
    pair_initiate(&a, &b, true, NULL);
    struct slice e = pair_seal(&a, "hello");
    ck_assert(begins(e, &b.otk));
    prekey_generate(&b.otk, PREKEY_ONE_TIME, PAIR_OTK_ID, &b.env.env);
    attack_must_fail(begins(e, &b.otk), "with another one-time part");
    attack_must_fail(begins(e, NULL), "with the last resort");
}
END_TEST

/* --- reflection --- */

START_TEST(no_envelope_opens_for_who_sealed_it)
{
    struct session_in in;
    pair_established(&a, &b);
    for (unsigned i = 0; i < 8; i++) {
        struct pair_party *from = i / 2 % 2 == 0 ? &a : &b;
        struct slice e = pair_seal(from, "to the other");
        attack_must_fail(pair_open(from, e, &in) == ERR_OK, "message %u opens for its sender", i);
        pair_open_text(from == &a ? &b : &a, e, "to the other");
    }
}
END_TEST

START_TEST(a_first_envelope_opens_for_nobody_but_the_one_called)
{
    struct session_in in;
    for (unsigned one_time = 0; one_time < 2; one_time++) {
        pair_initiate(&a, &b, one_time == 1, NULL);
        struct slice e = pair_seal(&a, "hello");
        attack_must_fail(pair_open(&a, e, &in) == ERR_OK, "it opens in its sender's session");
        /* Ids are small numbers: a has prekeys of the same ones. */
        struct pair_party *callers[] = {&a, &b};
        for (size_t i = 0; i < 2; i++) {
            struct session *own = a.session;
            a.session = session_new();
            enum err err = pair_accept(&a, callers[i], NULL, e);
            err = err == ERR_OK ? pair_open(&a, e, &in) : err;
            session_free(a.session);
            a.session = own;
            attack_must_fail(err == ERR_OK, "it begins a session with its sender");
        }
    }
}
END_TEST

/* --- a part of another one --- */

START_TEST(a_message_opens_under_no_other_introduction)
{
    struct session_in in;
    struct envelope parts;
    pair_initiate(&a, &b, true, NULL);
    struct slice mine = pair_seal(&a, "hello");
    ck_assert_ok(pair_accept(&b, &a, NULL, mine));
    pair_open_text(&b, mine, "hello");
    struct slice next = pair_seal(&a, "kind 2 again"); /* opened without its introduction */
    ck_assert_ok(envelope_parse(next, &parts));
    uint8_t *mixed = pair_copy(next);
    size_t intro = (size_t)(parts.intro.p - next.p);
    memset(mixed + intro, 0x5a, parts.intro.len);
    enum err err = pair_open(&b, slice_of(mixed, next.len), &in);
    pair_slice_free(slice_of(mixed, next.len));
    attack_must_fail(err == ERR_OK, "the introduction was exchanged");
    pair_open_text(&b, next, "kind 2 again");
}
END_TEST

void add_replay(Suite *suite)
{
    attack_add(suite, an_envelope_that_came_in_order_opens_once, setup, teardown);
    attack_add(suite, an_envelope_that_came_late_opens_once, setup, teardown);
    attack_add(suite, nothing_of_a_random_conversation_opens_twice, setup, teardown);
    attack_add(suite, a_first_envelope_opens_once_in_its_session, setup, teardown);
    attack_add(suite, a_first_envelope_begins_no_second_session_once_its_one_time_part_is_dropped,
               setup, teardown);
    attack_add(suite, no_envelope_opens_for_who_sealed_it, setup, teardown);
    attack_add(suite, a_first_envelope_opens_for_nobody_but_the_one_called, setup, teardown);
    attack_add(suite, a_message_opens_under_no_other_introduction, setup, teardown);
}
