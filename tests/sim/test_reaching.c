/* SPDX-License-Identifier: Apache-2.0
 *
 * reaching: whoever could not be reached for long is tried again at once when something says that
 * they can be: their relay is there again, or they wrote. docs/protocol/07-node.md, section 7.4.
 */
#include "node/core.h"
#include "sim/people.h"
#include "sim/shelf.h"

enum {
    MINUTE = 60000,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    MAYBE = 5, /* runs that must all be good: a back-off ends by chance, too */
};

static bool ready(struct people *p, void *ctx)
{
    return people_ready(p, ctx);
}

static const struct work *work_for(const struct person *a)
{
    const struct account *me = a->n->node->accounts;
    const struct work *only = NULL;
    for (size_t i = 0; i < WORK_SLOTS; i++) {
        for (const struct work *work = me->work[i]; work != NULL; work = work->next) {
            ck_assert_ptr_null(only);
            only = work;
        }
    }
    ck_assert_ptr_nonnull(only);
    return only;
}

/* What a tries to do for its only contact fails, and more than half an hour of back-off is left. */
static bool far_off(struct people *p, void *ctx)
{
    struct person *a = ctx;
    const struct work *work = work_for(a);
    return !work->in_flight && work->due != UINT64_MAX && work->trouble != ERR_OK &&
           work->due > sim_clock_now(&p->sim, a->n) + HOUR / 2;
}

/* And our main relay is tried within minutes. */
static bool far_off_and_looking(struct people *p, void *ctx)
{
    struct person *a = ctx;
    return far_off(p, a) &&
           a->n->node->accounts->homes[0].due < sim_clock_now(&p->sim, a->n) + 10 * MINUTE;
}

static void until_far_off(struct people *p, struct person *a)
{
    ck_assert(people_until(p, far_off, a, 2 * DAY));
}

static void at_relay(struct people *p, struct person *a, struct person *b, unsigned n)
{
    ck_assert_uint_eq(people_messages(p, a, b, "at-relay", NULL), n);
}

START_TEST(who_is_at_our_relay_is_written_to_when_that_is_back)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(1, false, &a, &b);
    sim_sleep(&p->sim, b->n);
    sim_sleep(&p->sim, p->relay);
    people_say(p, a, b, "a ", 0);
    ck_assert(people_until(p, far_off_and_looking, a, 4 * DAY));
    sim_wake(&p->sim, p->relay);
    ck_assert(people_until(p, ready, a, HOUR / 4));
    sim_settle(&p->sim, MINUTE);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

START_TEST(who_writes_is_answered_at_once)
{
    for (uint64_t seed = 10; seed < 10 + MAYBE; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, true, &a, &b);
        /* Whatever the clock of our relay shows. */
        sim_clock(&p->sim, a->relay, ((int64_t)seed - 12) * HOUR / 2, 0);
        sim_restart(&p->sim, a->relay);
        sim_settle(&p->sim, MINUTE);
        sim_sleep(&p->sim, b->relay);
        people_say(p, a, b, "a ", 0);
        until_far_off(p, a);
        sim_wake(&p->sim, b->relay);
        sim_restart(&p->sim, b->n);
        people_say(p, b, a, "b ", 0);
        people_quiet(p, 2 * MINUTE);
        people_in_order(p, a, b, "b ", 1);
        people_in_order(p, b, a, "a ", 1);
        people_free(p);
    }
}
END_TEST

/* What they wrote before the failure, and lay in our queue until now, says nothing. */
START_TEST(what_was_written_before_makes_nobody_try)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(20, true, &a, &b);
    struct sim_node *old = a->relay;
    people_use_second(p, sim_add(&p->sim, true), a);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, a->n);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, MINUTE);
    sim_sleep(&p->sim, b->relay);
    sim_sleep(&p->sim, old); /* it has that message */
    sim_wake(&p->sim, a->n);
    people_say(p, a, b, "a ", 0);
    ck_assert(people_until(p, far_off_and_looking, a, 4 * DAY));
    uint32_t failed = work_for(a)->attempts;
    sim_wake(&p->sim, old);
    sim_settle(&p->sim, HOUR / 4);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, "b 0"), 1);
    ck_assert_uint_eq(work_for(a)->attempts, failed);
    people_free(p);
}
END_TEST

/* Their first queue failed once, then it is gone; in no DHT, so that each search fails, too. */
START_TEST(the_second_queue_is_tried_whatever_failed_before)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(30, true, &a, &b);
    people_use_second(p, sim_add(&p->sim, true), b);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, b->n);
    people_remove_member(p, b->relay);
    sim_sleep(&p->sim, b->relay);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 500);
    ck_assert_uint_eq(work_for(a)->attempts, 1);
    sim_wake(&p->sim, b->relay);
    sim_settle(&p->sim, 12 * HOUR);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

/* Somebody is looked for, and our main relay, which would be asked, is away. */
START_TEST(without_our_main_relay_the_second_does_all)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(40, true, &a, &b);
    people_use_second(p, sim_add(&p->sim, true), a);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 20 * HOUR);
    sim_sleep(&p->sim, a->relay);
    sim_settle(&p->sim, 10 * HOUR); /* a day without a word */
    people_say(p, a, b, "a ", 1);
    sim_settle(&p->sim, 10 * MINUTE);
    at_relay(p, a, b, 2);
    people_free(p);
}
END_TEST

/* Our second relay is theirs: nobody can hide from it who writes, once the main one is away. */
START_TEST(who_is_at_our_second_relay_is_written_to_without_the_main_one)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(50, true, &a, &b);
    people_use_second(p, b->relay, a);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, b->n);
    sim_sleep(&p->sim, a->relay);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 10 * MINUTE);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

START_TEST(who_is_added_again_is_tried_at_once)
{
    struct people *p = people_new_apart(60, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, b, link);
    sim_sleep(&p->sim, b->relay);
    people_add(p, a, link);
    until_far_off(p, a);
    sim_wake(&p->sim, b->relay);
    people_add(p, a, b->id);
    sim_settle(&p->sim, MINUTE);
    ck_assert_str_eq(people_state(p, a, b), "requested");
    people_free(p);
}
END_TEST

/* Blocked while their relay did not answer. */
START_TEST(who_is_unblocked_is_tried_at_once)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(62, true, &a, &b);
    sim_sleep(&p->sim, b->relay);
    people_say(p, a, b, "a ", 0);
    until_far_off(p, a);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_wake(&p->sim, b->relay);
    people_add(p, a, b->id);
    people_say(p, a, b, "a ", 1);
    sim_settle(&p->sim, MINUTE);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

/* They moved, slept before they could tell us, and left an invitation. It is used while we still
 * dial, in vain, where they were. */
START_TEST(a_new_invitation_counts_although_the_old_place_is_being_dialled)
{
    struct people *p = people_new_apart(65, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    a->n->side = a->relay->side = 1;
    sim_part(&p->sim, true);
    people_use_relay(p, p->person[2].relay, b);
    ck_assert(people_until(p, ready, b, HOUR));
    people_invite(p, b, link);
    sim_settle(&p->sim, MINUTE);
    sim_sleep(&p->sim, b->n);
    sim_sleep(&p->sim, b->relay);
    sim_part(&p->sim, false);
    p->sim.lines.timeout_ms = 20000;
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 5000);
    ck_assert(work_for(a)->in_flight);
    people_add(p, a, link);
    ck_assert(work_for(a)->in_flight);
    sim_settle(&p->sim, 10 * MINUTE);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

/* --- the DHT says where they are --- */

/* What it says comes while somebody dials, in vain, where they were. */
START_TEST(who_moved_is_asked_as_soon_as_that_is_known)
{
    for (uint64_t seed = 70; seed < 70 + MAYBE; seed++) {
        struct people *p = people_new_apart(seed, 3);
        struct person *a = &p->person[0];
        struct person *b = &p->person[1];
        shelf_open(&p->sim);
        sim_settle(&p->sim, MINUTE);
        p->sim.lines.timeout_ms = 20000;
        sim_sleep(&p->sim, b->relay);
        people_add(p, a, b->id);
        until_far_off(p, a);
        people_use_relay(p, p->person[2].relay, b);
        ck_assert(people_until(p, ready, b, HOUR / 4));
        sim_settle(&p->sim, HOUR + MINUTE);
        ck_assert_str_eq(people_state(p, a, b), "requested");
        people_free(p);
    }
}
END_TEST

/* They say ever anew where they are, and are not there. */
START_TEST(who_is_never_where_they_say_is_asked_for_ever_less_often)
{
    struct people *p = people_new_apart(80, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    shelf_open(&p->sim);
    sim_settle(&p->sim, MINUTE);
    a->n->side = a->relay->side = 1;
    sim_part(&p->sim, true);
    people_add(p, a, b->id);
    sim_settle(&p->sim, 4 * HOUR);
    struct shelf_stats before = shelf_stats(&p->sim);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_ok(people_call(p, b->n, "account.rekey", NULL));
        sim_settle(&p->sim, HOUR);
    }
    struct shelf_stats after = shelf_stats(&p->sim);
    ck_assert_uint_ge(after.found - before.found, 10);
    ck_assert_uint_le(after.gets - before.gets, 80); /* one or two periods a time */
    for (unsigned i = 0; i < 120; i++) {
        ck_assert_ok(people_call(p, b->n, "account.rekey", NULL));
        sim_settle(&p->sim, MINUTE);
    }
    struct shelf_stats late = shelf_stats(&p->sim);
    ck_assert_uint_le(late.gets - after.gets, 8);
    ck_assert_uint_ge(late.gets - after.gets, 1);
    people_free(p);
}
END_TEST

/* Their relay is gone for good, and with their words alone they cannot tell anybody where they are
 * now. */
START_TEST(who_was_made_anew_while_their_relay_was_gone_is_found)
{
    char words[PEOPLE_WORDS];
    struct people *p = people_new_apart(90, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_quiet(p, HOUR);
    shelf_open(&p->sim);
    people_words(p, b, words);
    sim_sleep(&p->sim, b->n);
    sim_sleep(&p->sim, b->relay);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, DAY);
    (void)people_anew(p, b, words, p->person[2].relay);
    sim_settle(&p->sim, 2 * DAY);
    at_relay(p, a, b, 1);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, who_is_at_our_relay_is_written_to_when_that_is_back);
    tcase_add_test(tc, who_writes_is_answered_at_once);
    tcase_add_test(tc, what_was_written_before_makes_nobody_try);
    tcase_add_test(tc, the_second_queue_is_tried_whatever_failed_before);
    tcase_add_test(tc, without_our_main_relay_the_second_does_all);
    tcase_add_test(tc, who_is_at_our_second_relay_is_written_to_without_the_main_one);
    tcase_add_test(tc, who_is_added_again_is_tried_at_once);
    tcase_add_test(tc, who_is_unblocked_is_tried_at_once);
    tcase_add_test(tc, a_new_invitation_counts_although_the_old_place_is_being_dialled);
    tcase_add_test(tc, who_moved_is_asked_as_soon_as_that_is_known);
    tcase_add_test(tc, who_is_never_where_they_say_is_asked_for_ever_less_often);
    tcase_add_test(tc, who_was_made_anew_while_their_relay_was_gone_is_found);
}

int main(void)
{
    return unit_main("sim/reaching", add_tests);
}
