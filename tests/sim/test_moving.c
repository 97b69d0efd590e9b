/* SPDX-License-Identifier: Apache-2.0
 *
 * moving: an account goes from one relay to another, holds a second queue, loses a relay.
 * docs/protocol/07-node.md, section 1.
 */
#include <stdio.h>
#include <string.h>

#include "node/core.h"
#include "node/prekeys.h"
#include "sim/people.h"

enum {
    HOUR = 3600000,
    DAY = 86400000,
};

static bool ready(struct people *p, void *ctx)
{
    return people_ready(p, ctx);
}

static struct home *homes(struct person *who)
{
    return who->n->node->accounts->homes;
}

/* Whether who is done with every relay but the main one. */
static bool one_home(struct people *p, void *ctx)
{
    struct person *who = ctx;
    (void)p;
    for (size_t i = 1; i < LIMIT_HOMES; i++) {
        if (homes(who)[i].address.port != 0) {
            return false;
        }
    }
    return true;
}

START_TEST(the_old_queue_is_read_until_contacts_know_the_new_one)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(120, true, &a, &b);
    struct sim_node *old = a->relay;
    struct sim_node *other = sim_add(&p->sim, true);
    ck_assert_uint_eq(people_members(p, old), 1);
    for (unsigned i = 0; i < 4; i++) {
        people_say(p, b, a, "b ", i); /* some lie in the old queue already */
    }
    people_use_relay(p, other, a);
    sim_sleep(&p->sim, b->n);
    ck_assert(people_until(p, ready, a, HOUR));
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 3 * DAY);
    ck_assert(!one_home(p, a)); /* b sleeps, and knows the old queue only */
    sim_sleep(&p->sim, a->n);
    sim_wake(&p->sim, b->n);
    people_say(p, b, a, "b ", 4); /* sealed before it hears of the new one */
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, a->n);
    people_quiet(p, DAY);
    ck_assert(people_until(p, one_home, a, DAY));
    ck_assert_uint_eq(people_events(p, a, "relay.left"), 1);
    ck_assert_uint_eq(people_members(p, old), 0);
    people_say(p, b, a, "b ", 5);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 6);
    people_in_order(p, b, a, "a ", 1);
    people_free(p);
}
END_TEST

START_TEST(crashes_while_moving_lose_and_double_nothing)
{
    for (uint64_t seed = 121; seed < 124; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, true, &a, &b);
        struct sim_node *relays[] = {a->relay, sim_add(&p->sim, true), sim_add(&p->sim, true)};
        people_tokens(p, b, a, 64);
        p->sim.crash_one_in = 10;
        for (unsigned i = 0; i < 12; i++) {
            people_say(p, b, a, "b ", i);
            people_say(p, a, b, "a ", i);
            if (i % 4 == 1) {
                people_use_relay(p, relays[(i / 4 + 1) % 3], a); /* there and back again */
            }
            sim_settle(&p->sim, sim_random(&p->sim, HOUR));
        }
        p->sim.crash_one_in = 0;
        people_quiet(p, 3 * DAY);
        people_in_order(p, a, b, "b ", 12);
        people_in_order(p, b, a, "a ", 12);
        ck_assert(people_until(p, one_home, a, 40 * (uint64_t)DAY));
        ck_assert_uint_eq(people_members(p, relays[0]), 1);
        ck_assert_uint_eq(people_members(p, relays[1]), 0);
        ck_assert_uint_eq(people_members(p, relays[2]), 0);
        people_free(p);
    }
}
END_TEST

START_TEST(a_dead_relay_is_replaced)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(125, true, &a, &b);
    sim_sleep(&p->sim, a->relay);
    people_say(p, b, a, "b ", 0); /* nobody takes it */
    sim_settle(&p->sim, HOUR);
    struct sim_node *other = sim_add(&p->sim, true);
    people_use_relay(p, other, a);
    ck_assert(people_until(p, ready, a, HOUR));
    people_quiet(p, DAY);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_in_order(p, b, a, "a ", 1);
    ck_assert(!one_home(p, a));
    ck_assert(people_until(p, one_home, a, 40 * (uint64_t)DAY)); /* it is not tried for ever */
    people_free(p);
}
END_TEST

START_TEST(who_cannot_reach_the_first_queue_writes_to_the_second)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(126, true, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    people_use_second(p, other, a);
    people_quiet(p, HOUR); /* b was told */
    sim_sleep(&p->sim, a->relay);
    for (unsigned i = 0; i < 5; i++) {
        people_say(p, b, a, "b ", i);
        people_say(p, a, b, "a ", i); /* over the second relay, too */
    }
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 5);
    people_in_order(p, b, a, "a ", 5);
    sim_wake(&p->sim, a->relay);
    sim_settle(&p->sim, 3 * HOUR);
    people_say(p, b, a, "b ", 5);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 6);
    /* What is second becomes the main one: the first is read, then left. */
    sim_sleep(&p->sim, b->n);
    people_use_relay(p, other, a);
    ck_assert(people_until(p, ready, a, HOUR));
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    ck_assert(people_until(p, one_home, a, DAY));
    people_say(p, b, a, "b ", 6);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 7);
    ck_assert_uint_eq(people_members(p, a->relay), 0);
    people_free(p);
}
END_TEST

START_TEST(a_second_queue_is_given_up)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(127, true, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    char relay[128];
    people_use_second(p, other, a);
    ck_assert_ok(people_call(p, other, "daemon.status", NULL));
    ck_assert(sim_result_str(other, "node_id", relay, sizeof relay));
    people_quiet(p, HOUR);
    ck_assert_err(people_call(p, a->n, "relay.leave", "relay", "petrelnode1", NULL),
                  ERR_BAD_ADDRESS);
    ck_assert_ok(people_call(p, a->n, "relay.leave", "relay", relay, NULL));
    ck_assert(people_until(p, one_home, a, DAY));
    ck_assert_uint_eq(people_members(p, other), 0);
    ck_assert_err(people_call(p, a->n, "relay.leave", "relay", relay, NULL), ERR_NOT_FOUND);
    people_say(p, b, a, "b ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

START_TEST(who_was_not_told_finds_the_new_queue_by_the_descriptor)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(128, true, &a, &b);
    char old[128];
    ck_assert_ok(people_call(p, a->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(a->relay, "node_id", old, sizeof old));
    sim_sleep(&p->sim, b->n);
    people_use_relay(p, b->relay, a); /* the relay that b asks */
    ck_assert(people_until(p, ready, a, HOUR));
    ck_assert_ok(people_call(p, a->n, "relay.leave", "relay", old, NULL));
    ck_assert(people_until(p, one_home, a, DAY));
    sim_sleep(&p->sim, a->n); /* so that it tells nobody */
    sim_wake(&p->sim, b->n);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, DAY);
    ck_assert_uint_eq(people_messages(p, b, a, "at-relay", NULL), 1);
    sim_wake(&p->sim, a->n);
    people_quiet(p, DAY);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

START_TEST(calls_about_relays_say_what_is_wrong)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(129, true, &a, &b);
    uint8_t bytes[512];
    char address[256];
    char id[128];
    ck_assert_ok(people_call(p, a->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(a->relay, "node", address, sizeof address));
    ck_assert(sim_result_str(a->relay, "node_id", id, sizeof id));
    struct writer w = writer_of(bytes, sizeof bytes);
    sim_pair_str(&w, "address", address);
    sim_pair_true(&w, "second");
    ck_assert_err(sim_call(&p->sim, a->n, "relay.use", 2, writer_done(&w)), ERR_EXISTS);
    ck_assert_err(people_call(p, a->n, "relay.leave", "relay", id, NULL), ERR_NOT_NOW);
    /* Places for relays that were left are few while none of them can be reached. */
    sim_sleep(&p->sim, a->relay);
    for (unsigned i = 1; i < LIMIT_HOMES; i++) {
        struct sim_node *other = sim_add(&p->sim, true);
        people_use_relay(p, other, a);
        ck_assert(people_until(p, ready, a, HOUR));
        sim_sleep(&p->sim, other);
    }
    w = writer_of(bytes, sizeof bytes);
    ck_assert_ok(people_call(p, b->relay, "daemon.status", NULL));
    ck_assert(sim_result_str(b->relay, "node", address, sizeof address));
    sim_pair_str(&w, "address", address);
    ck_assert_err(sim_call(&p->sim, a->n, "relay.use", 1, writer_done(&w)), ERR_BACKPRESSURE);
    people_free(p);
}
END_TEST

START_TEST(what_expired_in_a_left_queue_does_not_hold_it_open)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(130, true, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    sim_sleep(&p->sim, b->n);
    people_use_relay(p, other, a);
    ck_assert(people_until(p, ready, a, HOUR));
    sim_settle(&p->sim, HOUR);
    ck_assert_int_eq(homes(a)[1].role, HOME_LEFT);
    homes(a)[1].owing = 3; /* as if they had waited at the attach */
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    ck_assert(!one_home(p, a));
    ck_assert(people_until(p, one_home, a, 3 * HOUR));
    people_free(p);
}
END_TEST

static struct peer_row row_of(struct person *who, uint32_t number, struct turn *turn)
{
    struct peer_row row;
    struct step step = {.turn = turn};
    struct account *me = who->n->node->accounts;
    ck_assert_ok(peer_row_get(&step, me->keys, number, &row));
    return row;
}

struct seen {
    struct person *who;
    struct sign_pk queue;
};

static void see_queue(void *ctx, struct turn *turn)
{
    struct seen *seen = ctx;
    seen->queue = row_of(seen->who, 1, turn).queue;
}

/* Where `who` (who has one contact) writes to first. */
static struct sign_pk writes_to(struct people *p, struct person *who)
{
    struct seen seen = {.who = who};
    sim_turn(&p->sim, who->n, see_queue, &seen);
    return seen.queue;
}

START_TEST(who_swaps_the_main_and_the_second_relay_tells_contacts)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(150, true, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    people_use_second(p, other, a);
    people_quiet(p, HOUR); /* b was told of both */
    people_use_relay(p, other, a);
    people_use_second(p, a->relay, a); /* at once: what was the main one is second now */
    people_say(p, a, b, "a ", 0);
    people_quiet(p, DAY);
    struct sign_pk queue = writes_to(p, b);
    ck_assert_mem_eq(queue.b, homes(a)[0].queue.b, sizeof queue.b);
    people_free(p);
}
END_TEST

/* An older envelope that comes late says where its sender was then. */
START_TEST(a_route_that_comes_late_is_not_taken)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(151, true, &a, &b);
    struct sim_node *b_second = sim_add(&p->sim, true);
    struct sim_node *second_home = sim_add(&p->sim, true);
    struct sim_node *third_home = sim_add(&p->sim, true);
    people_use_second(p, b_second, b);
    people_quiet(p, HOUR);
    sim_sleep(&p->sim, b->n);
    people_use_relay(p, second_home, a); /* tells b, at b's first relay */
    ck_assert(people_until(p, ready, a, HOUR));
    sim_settle(&p->sim, 60000);
    sim_sleep(&p->sim, b->relay);       /* which is away for a while */
    people_use_relay(p, third_home, a); /* tells b, at b's second relay */
    ck_assert(people_until(p, ready, a, HOUR));
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, b->relay); /* the older one comes */
    people_quiet(p, 2 * DAY);
    ck_assert(people_until(p, one_home, a, 3 * (uint64_t)DAY)); /* a: b knows */
    people_say(p, b, a, "b ", 0);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 5 * (uint64_t)DAY);
    people_in_order(p, b, a, "a ", 1);
    struct sign_pk queue = writes_to(p, b);
    ck_assert_mem_eq(queue.b, homes(a)[0].queue.b, sizeof queue.b);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 1);
    people_free(p);
}
END_TEST

/* who invites, then moves to a relay that is new; a day goes by. */
static void invite_and_move(struct people *p, struct person *who, char link[INVITE_TEXT])
{
    people_invite(p, who, link);
    people_use_relay(p, sim_add(&p->sim, true), who);
    ck_assert(people_until(p, ready, who, HOUR));
    sim_settle(&p->sim, DAY);
}

START_TEST(an_invitation_lives_on_while_its_maker_moves)
{
    struct people *p = people_new_apart(152, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    invite_and_move(p, a, link);
    ck_assert_uint_eq(people_members(p, a->relay), 1); /* where the invitation leads to */
    people_add(p, b, link);                            /* a day later: it is good for a week */
    people_wait_state(p, b, a, "accepted");
    people_free(p);
}
END_TEST

struct prekeys_seen {
    struct person *who;
    bool there;
};

static void see_prekey(void *ctx, struct turn *turn)
{
    struct prekeys_seen *seen = ctx;
    struct prekey_secret secret;
    struct step step = {.turn = turn};
    struct account *me = seen->who->n->node->accounts;
    enum err err = prekeys_get(&step, me->keys, PREKEY_SIGNED, 1, &secret);
    seen->there = err == ERR_OK;
}

START_TEST(old_prekeys_go_after_a_relay_that_never_answered)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(153, true, &a, &b);
    struct sim_node *dead = sim_add(&p->sim, true);
    struct sim_node *other = sim_add(&p->sim, true);
    people_use_relay(p, dead, a);
    sim_sleep(&p->sim, dead);
    sim_settle(&p->sim, HOUR);
    people_use_relay(p, other, a);
    ck_assert(people_until(p, ready, a, HOUR));
    for (unsigned day = 0; day < 90; day++) {
        sim_settle(&p->sim, DAY);
    }
    struct prekeys_seen seen = {.who = a};
    sim_turn(&p->sim, a->n, see_prekey, &seen);
    ck_assert(!seen.there);
    people_free(p);
}
END_TEST

START_TEST(a_clock_that_goes_back_ends_no_reading)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(154, true, &a, &b);
    struct sim_node *other = sim_add(&p->sim, true);
    sim_sleep(&p->sim, b->n); /* so that b hears of nothing */
    people_use_relay(p, other, a);
    ck_assert(people_until(p, ready, a, HOUR));
    sim_settle(&p->sim, 60000);
    ck_assert_uint_eq(people_members(p, a->relay), 1);
    sim_sleep(&p->sim, a->n);
    p->sim.random.env.now_ms -= 2 * (uint64_t)HOUR;
    sim_wake(&p->sim, a->n);
    sim_settle(&p->sim, 60000);
    ck_assert_uint_eq(people_members(p, a->relay), 1);
    people_free(p);
}
END_TEST

START_TEST(relays_that_never_answered_take_no_place_for_a_month)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(155, true, &a, &b);
    for (unsigned i = 1; i < LIMIT_HOMES; i++) {
        struct sim_node *dead = sim_add(&p->sim, true);
        people_use_relay(p, dead, a);
        sim_sleep(&p->sim, dead); /* before it heard of us */
        sim_settle(&p->sim, HOUR);
    }
    struct sim_node *good = sim_add(&p->sim, true);
    people_use_relay(p, good, a);
    people_free(p);
}
END_TEST

START_TEST(a_new_invitation_helps_where_the_old_one_is_dead)
{
    struct people *p = people_new_apart(156, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    invite_and_move(p, a, link);
    people_add(p, b, link);
    sim_settle(&p->sim, HOUR);
    people_invite(p, a, link); /* of the new relay */
    people_add(p, b, link);
    sim_settle(&p->sim, DAY);
    ck_assert_str_eq(people_state(p, b, a), "accepted");
    people_free(p);
}
END_TEST

/* Found by petrel-sim: the record at the former relay is gone, and a new session begins with one.
 */
START_TEST(who_moved_is_found_when_a_session_is_to_be_replaced)
{
    struct people *p = people_new_apart(61, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_meet(p, a, b);
    people_use_relay(p, p->person[2].relay, b);
    people_quiet(p, 8 * HOUR);
    sim_settle(&p->sim, 40 * (uint64_t)DAY); /* what is at the former relay has been given up */
    struct sim_copy copy = sim_copy_of(b->n);
    people_say(p, a, b, "a ", 0);
    sim_settle(&p->sim, 2 * HOUR);
    sim_roll_back(&p->sim, b->n, &copy);
    sim_copy_free(&copy);
    for (unsigned i = 0; i < 3; i++) {
        people_say(p, b, a, "b ", i);
        sim_settle(&p->sim, 2 * HOUR);
    }
    people_say(p, a, b, "then ", 0);
    people_quiet(p, 12 * HOUR);
    people_in_order(p, b, a, "then ", 1);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 3);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, the_old_queue_is_read_until_contacts_know_the_new_one);
    tcase_add_test(tc, crashes_while_moving_lose_and_double_nothing);
    tcase_add_test(tc, a_dead_relay_is_replaced);
    tcase_add_test(tc, who_cannot_reach_the_first_queue_writes_to_the_second);
    tcase_add_test(tc, a_second_queue_is_given_up);
    tcase_add_test(tc, who_was_not_told_finds_the_new_queue_by_the_descriptor);
    tcase_add_test(tc, what_expired_in_a_left_queue_does_not_hold_it_open);
    tcase_add_test(tc, calls_about_relays_say_what_is_wrong);
    tcase_add_test(tc, who_swaps_the_main_and_the_second_relay_tells_contacts);
    tcase_add_test(tc, a_route_that_comes_late_is_not_taken);
    tcase_add_test(tc, an_invitation_lives_on_while_its_maker_moves);
    tcase_add_test(tc, old_prekeys_go_after_a_relay_that_never_answered);
    tcase_add_test(tc, a_new_invitation_helps_where_the_old_one_is_dead);
    tcase_add_test(tc, a_clock_that_goes_back_ends_no_reading);
    tcase_add_test(tc, relays_that_never_answered_take_no_place_for_a_month);
    tcase_add_test(tc, who_moved_is_found_when_a_session_is_to_be_replaced);
}

int main(void)
{
    return unit_main("sim/moving", add_tests);
}
