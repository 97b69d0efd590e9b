/* SPDX-License-Identifier: Apache-2.0
 *
 * A thief who copies all that one side has, at random moments of random conversations, and hears
 * every envelope. docs/protocol/05-session.md, sections 5, 10 and 13.
 */
#include <stdio.h>
#include <string.h>

#include "attack/attack.h"
#include "attack/talk.h"

enum {
    SEEDS = 24,
    LENGTH = 150,  /* events of a conversation */
    COPIES = 4,    /* where there are several */
    KEM_SEEDS = 6, /* of conversations with several KEM exchanges */
    KEM_LENGTH = 600,
    HEALED = 2,       /* steps after one copy: one of each side */
    HEALED_TWICE = 3, /* after the last of several */
    ROUND_TRIPS = 6,  /* contents of three */
    FRO_COPIES = 70,  /* moments at which a copy is taken in one that goes to and fro */
    FRO_LENGTH = 300, /* its events: 80 contents after the last copy */
};

static struct talk *t;

static void setup(void)
{
    t = NULL;
}

static void teardown(void)
{
    talk_free(t);
}

static void converse(uint64_t seed, size_t length, size_t copies)
{
    talk_free(t);
    t = talk_new(seed, seed % 2 == 0);
    size_t at[TALK_COPIES];
    for (size_t i = 0; i < copies; i++) {
        at[i] = talk_random(t, (uint32_t)length);
    }
    for (size_t i = 0; i < length; i++) {
        for (size_t k = 0; k < copies; k++) {
            if (at[k] == i) {
                talk_copy(t);
            }
        }
        talk_any(t);
    }
    ck_assert_uint_eq(t->copy_count, copies);
}

/* --- before the copy --- */

START_TEST(a_thief_opens_nothing_whose_keys_were_used)
{
    size_t used = 0;
    size_t left = 0; /* letters that came late or not at all: their keys are in the copy */
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        converse(seed, LENGTH, 2);
        for (size_t i = 0; i < t->letter_count * t->copy_count; i++) {
            const struct talk_copy *copy = &t->copies[i % t->copy_count];
            const struct talk_letter *l = &t->letters[i / t->copy_count];
            if (l->sealed >= copy->at) {
                continue;
            }
            bool opens = talk_try(t, copy, l);
            bool gone = talk_used(copy, l);
            attack_must_fail(gone && opens, "seed %u: letter %zu of before event %zu opens",
                             (unsigned)seed, i / t->copy_count, copy->at);
            used += gone ? 1 : 0;
            left += !gone && opens ? 1 : 0;
        }
    }
    printf("before a copy: %zu letters tried whose keys were used, %zu opened that waited\n", used,
           left);
    ck_assert_uint_gt(used, 1000);
    ck_assert_uint_gt(left, 20);
}
END_TEST

/* --- after the copy --- */

START_TEST(a_thief_is_out_after_one_step_of_each_side)
{
    size_t closed = 0;
    size_t read = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        converse(seed, LENGTH, 1);
        bool opened[TALK_EVENTS] = {false};
        const struct talk_copy *copy = &t->copies[0];
        talk_follow(t, copy, &copy->key, 1, opened);
        for (size_t i = 0; i < t->letter_count; i++) {
            const struct talk_letter *l = &t->letters[i];
            bool healed = l->chain >= copy->root + HEALED;
            attack_must_fail(healed && opened[i], "seed %u: letter %zu opens, %u steps later",
                             (unsigned)seed, i, l->chain - copy->root);
            closed += healed ? 1 : 0;
            read += opened[i] ? 1 : 0;
        }
    }
    printf("after one copy: %zu letters closed, %zu read before that\n", closed, read);
    ck_assert_uint_gt(closed, 500);
    ck_assert_uint_gt(read, 50);
}
END_TEST

/* Used up before the copy was taken, or sent so much later that the session had healed. */
static bool is_closed(const struct talk_letter *l, uint32_t healed)
{
    for (size_t i = 0; i < t->copy_count; i++) {
        if (!talk_used(&t->copies[i], l) && l->chain < t->copies[i].root + healed) {
            return false;
        }
    }
    return true;
}

/* The ratchet keys of later copies fit in what was heard after earlier ones. */
START_TEST(a_thief_with_several_copies_is_out_after_two_steps_of_each_side)
{
    size_t closed = 0;
    size_t read = 0;
    size_t joined = 0; /* what no copy opens alone: why it takes a second step */
    for (uint64_t seed = 1; seed <= 2 * SEEDS; seed++) {
        converse(seed, LENGTH, COPIES);
        bool opened[TALK_EVENTS] = {false};
        struct talk_key keys[COPIES];
        for (size_t k = 0; k < COPIES; k++) {
            keys[k] = t->copies[k].key;
        }
        for (size_t k = 0; k < COPIES; k++) {
            talk_follow(t, &t->copies[k], keys, COPIES, opened);
        }
        for (size_t i = 0; i < t->letter_count; i++) {
            const struct talk_letter *l = &t->letters[i];
            bool healed = is_closed(l, HEALED_TWICE);
            attack_must_fail(healed && opened[i], "seed %u: letter %zu opens", (unsigned)seed, i);
            closed += healed ? 1 : 0;
            read += opened[i] ? 1 : 0;
            joined += opened[i] && is_closed(l, HEALED) ? 1 : 0;
        }
    }
    printf("several copies: %zu letters closed, %zu read, %zu of them by two copies together\n",
           closed, read, joined);
    ck_assert_uint_gt(closed, 500);
    ck_assert_uint_gt(read, 200);
    ck_assert_uint_gt(joined, 0);
}
END_TEST

/* --- with X25519 broken --- */

/* The first epoch whose exchange began, on the victim's side, after the copy. */
static uint32_t new_epoch(const struct talk_copy *copy)
{
    return copy->kem + (copy->exchanged ? 2 : 1);
}

/* Follows with every X25519 secret that the victim ever had. */
static void follow_broken(const struct talk_copy *copy, bool *opened)
{
    talk_follow(t, copy, t->keys, t->key_count, opened);
}

START_TEST(who_breaks_x25519_is_out_after_a_kem_exchange)
{
    size_t closed = 0;
    size_t read = 0;
    for (uint64_t seed = 1; seed <= KEM_SEEDS; seed++) {
        converse(seed, KEM_LENGTH, 3);
        for (size_t k = 0; k < t->copy_count; k++) {
            bool opened[TALK_EVENTS] = {false};
            const struct talk_copy *copy = &t->copies[k];
            follow_broken(copy, opened);
            for (size_t i = 0; i < t->letter_count; i++) {
                const struct talk_letter *l = &t->letters[i];
                bool healed = l->kem >= new_epoch(copy) && !talk_used(copy, l);
                attack_must_fail(healed && opened[i], "seed %u: letter %zu of epoch %u opens",
                                 (unsigned)seed, i, l->kem);
                closed += healed ? 1 : 0;
                read += opened[i] ? 1 : 0;
            }
        }
    }
    printf("with X25519 broken: %zu letters closed, %zu read before that\n", closed, read);
    ck_assert_uint_gt(closed, 200);
    ck_assert_uint_gt(read, 200);
}
END_TEST

/* How many contents the victim sealed and opened between the copy and the last letter that the
 * thief read. */
static size_t reads_on(const struct talk_copy *copy)
{
    bool opened[TALK_EVENTS] = {false};
    follow_broken(copy, opened);
    size_t last = t->letter_count;
    while (last > 0 && !opened[last - 1]) {
        last--;
    }
    ck_assert_uint_gt(last, 0);
    return t->letters[last - 1].content + 1 - copy->content;
}

/* To and fro, one message a turn, a copy before every one of them: how long it takes until a thief
 * who breaks X25519 is out. */
START_TEST(a_kem_exchange_is_never_far)
{
    size_t longest = 0;
    for (unsigned victim = 0; victim < 2; victim++) {
        talk_free(t);
        t = talk_new(1, victim == 1);
        for (size_t i = 0; t->event_count < FRO_LENGTH; i++) {
            if (i < FRO_COPIES) {
                talk_copy(t);
            }
            talk_seal(t, i % 2 == victim);
            talk_open(t, &t->letters[t->letter_count - 1]);
        }
        for (size_t k = 0; k < t->copy_count; k++) {
            size_t took = reads_on(&t->copies[k]);
            longest = took > longest ? took : longest;
        }
    }
    printf("with X25519 broken: out after %zu contents at most\n", longest);
    attack_must_fail(longest > LIMIT_KEM_MESSAGES + ROUND_TRIPS, "it reads %zu contents", longest);
}
END_TEST

void add_thief(Suite *suite)
{
    attack_add(suite, a_thief_opens_nothing_whose_keys_were_used, setup, teardown);
    attack_add(suite, a_thief_is_out_after_one_step_of_each_side, setup, teardown);
    attack_add(suite, a_thief_with_several_copies_is_out_after_two_steps_of_each_side, setup,
               teardown);
    attack_add(suite, who_breaks_x25519_is_out_after_a_kem_exchange, setup, teardown);
    attack_add(suite, a_kem_exchange_is_never_far, setup, teardown);
}
