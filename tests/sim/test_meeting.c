/* SPDX-License-Identifier: Apache-2.0
 *
 * meeting: how two become contacts, and how they do not: by ID, by invitation, both at once, twice,
 * too late, after a block, with somebody who does not answer. docs/protocol/07-node.md, section 3.
 */
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    DAY = 86400000,
    HOUR = 3600000,
};

START_TEST(a_request_by_id_waits_until_it_is_accepted)
{
    struct people *p = people_new(11, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_add(p, b, a->id);
    ck_assert_ok(people_send(p, b, a, "too early"));
    people_wait_state(p, b, a, "requested");
    people_wait_state(p, a, b, "incoming");
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 0);
    ck_assert_err(people_send(p, a, b, "not yet"), ERR_NOT_ACCEPTED);
    ck_assert_ok(people_call(p, a->n, "request.accept", "contact", b->id, NULL));
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", "too early"), 1);
    ck_assert_uint_eq(people_messages(p, b, a, "delivered", "too early"), 1);
    ck_assert_err(people_call(p, a->n, "request.accept", "contact", b->id, NULL),
                  ERR_UNKNOWN_REQUEST);
    people_free(p);
}
END_TEST

START_TEST(a_request_can_be_blocked_and_says_nothing_more)
{
    struct people *p = people_new(12, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_add(p, b, a->id);
    people_wait_state(p, a, b, "incoming");
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    ck_assert_str_eq(people_state(p, a, b), "blocked");
    ck_assert_str_eq(people_state(p, b, a), "requested");
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    /* Adding somebody again is how a block is taken back. */
    people_add(p, a, b->id);
    people_wait_state(p, b, a, "accepted");
    people_free(p);
}
END_TEST

START_TEST(both_may_ask_each_other_at_once)
{
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct people *p = people_new(seed, 2);
        struct person *a = &p->person[0];
        struct person *b = &p->person[1];
        people_add(p, a, b->id);
        people_add(p, b, a->id);
        people_wait_state(p, a, b, "accepted");
        people_wait_state(p, b, a, "accepted");
        ck_assert_ok(people_send(p, a, b, "a 0"));
        ck_assert_ok(people_send(p, b, a, "b 0"));
        people_quiet(p, 2 * HOUR); /* each session acknowledges its own */
        ck_assert_ok(people_send(p, a, b, "a 1"));
        people_quiet(p, 2 * HOUR);
        people_in_order(p, b, a, "a ", 2);
        people_in_order(p, a, b, "b ", 1);
        ck_assert_uint_eq(people_events(p, a, "contact.accepted"), 1);
        ck_assert_uint_eq(people_events(p, b, "contact.accepted"), 1);
        people_free(p);
    }
}
END_TEST

START_TEST(an_invitation_is_used_twice_and_all_sides_hear_of_it)
{
    struct people *p = people_new(30, 4);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    struct person *d = &p->person[3];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    people_add(p, b, link);
    people_wait_state(p, b, a, "accepted");
    people_add(p, c, link);
    /* The pop token was spent: c hears it at once, and asks as anybody may. */
    people_wait_state(p, a, c, "incoming");
    ck_assert_uint_eq(people_events(p, c, "contact.failed"), 1);
    ck_assert_uint_eq(people_events(p, a, "invite.misused"), 1);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    sim_settle(&p->sim, HOUR);
    ck_assert_str_eq(people_state(p, c, a), "requested");
    ck_assert_uint_eq(people_events(p, c, "contact.failed"), 1);
    ck_assert_str_eq(people_state(p, a, b), "accepted");
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    /* Once, also when a third one comes, and when these two, who got no answer, ask anew. */
    people_add(p, d, link);
    people_wait_state(p, a, d, "incoming");
    sim_settle(&p->sim, 3 * (uint64_t)DAY);
    ck_assert_uint_eq(people_events(p, a, "invite.misused"), 2);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    ck_assert_ok(people_call(p, a->n, "request.accept", "contact", c->id, NULL));
    people_wait_state(p, c, a, "accepted");
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, c, "contact.failed"), 1);
    people_free(p);
}
END_TEST

START_TEST(an_invitation_that_the_same_person_pastes_twice_is_no_alarm)
{
    struct people *p = people_new(34, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    sim_sleep(&p->sim, a->n);
    people_add(p, b, link);
    sim_settle(&p->sim, HOUR);
    ck_assert_str_eq(people_state(p, b, a), "requested");
    people_add(p, b, link);
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, a->n);
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    people_in_order(p, a, b, "b ", 1);
    ck_assert_uint_eq(people_events(p, a, "invite.misused"), 0);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 0);
    people_free(p);
}
END_TEST

START_TEST(a_new_invitation_after_one_that_was_misused_has_its_own_alarm)
{
    struct people *p = people_new(35, 4);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char first[INVITE_TEXT];
    char second[INVITE_TEXT];
    people_invite(p, a, first);
    people_invite(p, a, second);
    people_add(p, &p->person[2], first);
    people_wait_state(p, a, &p->person[2], "accepted");
    people_add(p, b, first);
    people_wait_state(p, a, b, "incoming");
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    people_add(p, b, second);
    people_wait_state(p, b, a, "accepted");
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    people_add(p, &p->person[3], second);
    people_wait_state(p, a, &p->person[3], "incoming");
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 2);
    people_free(p);
}
END_TEST

START_TEST(who_was_blocked_by_mistake_hears_of_a_misused_invitation_later)
{
    struct people *p = people_new(36, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    people_add(p, b, link);
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    sim_sleep(&p->sim, b->n);
    people_add(p, c, link);
    people_wait_state(p, a, c, "incoming");
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_settle(&p->sim, HOUR);
    people_add(p, a, b->id);
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    people_free(p);
}
END_TEST

static void forget_pop_token(void *ctx, struct turn *turn)
{
    struct person *c = ctx;
    struct step step = {.turn = turn};
    struct peer_row row;
    ck_assert_ok(peer_row_get(&step, c->n->node->accounts->keys, 1, &row));
    row.pop_token = slice_of(NULL, 0);
    ck_assert_ok(peer_row_put(&step, c->n->node->accounts->keys, &row));
}

START_TEST(a_thief_of_an_invitation_who_pays_a_stamp_raises_the_alarm)
{
    struct people *p = people_new(31, 3);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    people_add(p, b, link);
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    sim_sleep(&p->sim, p->relay); /* so that c's token is not refused before it forgets it */
    people_add(p, c, link);
    sim_turn(&p->sim, c->n, forget_pop_token, c);
    sim_wake(&p->sim, p->relay);
    people_wait_state(p, a, c, "incoming");
    ck_assert_uint_eq(people_events(p, a, "invite.misused"), 1);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    ck_assert_str_eq(people_state(p, a, b), "accepted");
    people_free(p);
}
END_TEST

START_TEST(an_expired_invitation_is_refused_by_who_was_invited)
{
    struct people *p = people_new(32, 2);
    char link[INVITE_TEXT];
    people_invite(p, &p->person[0], link);
    p->sim.random.env.now_ms += 7 * (uint64_t)DAY;
    ck_assert_err(people_call(p, p->person[1].n, "contact.add", "link", link, NULL), ERR_EXPIRED);
    people_free(p);
}
END_TEST

/* It came to their relay in time. */
START_TEST(an_invitation_that_was_used_in_time_is_good_however_long_its_maker_sleeps)
{
    struct people *p = people_new(33, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    sim_settle(&p->sim, 6 * (uint64_t)DAY);
    sim_sleep(&p->sim, a->n);
    people_add(p, b, link);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, 3 * (uint64_t)DAY);
    people_say(p, b, a, "b ", 1); /* waits: it is not good any more, and there is no answer */
    sim_settle(&p->sim, 4 * (uint64_t)DAY);
    sim_wake(&p->sim, a->n);
    people_wait_state(p, a, b, "accepted");
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    people_in_order(p, a, b, "b ", 2);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 0);
    people_free(p);
}
END_TEST

/* What was written meanwhile comes in its order when the request is accepted, and no later. */
START_TEST(an_invitation_that_expires_before_it_is_used_becomes_a_request)
{
    struct people *p = people_new(34, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    sim_settle(&p->sim, 6 * (uint64_t)DAY);
    sim_sleep(&p->sim, p->relay);
    people_add(p, b, link);
    people_say(p, b, a, "b ", 0);
    people_say(p, b, a, "b ", 1);
    sim_settle(&p->sim, 4 * (uint64_t)DAY);
    sim_wake(&p->sim, p->relay);
    people_wait_state(p, a, b, "incoming");
    sim_settle(&p->sim, HOUR);
    people_say(p, b, a, "b ", 2);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), 0);
    ck_assert_ok(people_call(p, a->n, "request.accept", "contact", b->id, NULL));
    people_wait_state(p, b, a, "accepted");
    people_say(p, b, a, "b ", 3);
    people_quiet(p, 2 * HOUR);
    people_in_order(p, a, b, "b ", 4);
    people_free(p);
}
END_TEST

/* b uses an invitation of a, whose relay is off before the request is there. */
static struct people *asked_in_vain(uint64_t seed)
{
    struct people *p = people_new_apart(seed, 2);
    char link[INVITE_TEXT];
    people_invite(p, &p->person[0], link);
    sim_sleep(&p->sim, p->person[0].relay);
    people_add(p, &p->person[1], link);
    return p;
}

/* a's relay is there again, and a says yes. */
static void heard_at_last(struct people *p, unsigned messages)
{
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    sim_wake(&p->sim, a->relay);
    people_wait_state(p, a, b, "incoming");
    ck_assert_ok(people_call(p, a->n, "request.accept", "contact", b->id, NULL));
    people_wait_state(p, b, a, "accepted");
    people_quiet(p, 2 * HOUR);
    people_in_order(p, a, b, "b ", messages);
    people_free(p);
}

START_TEST(a_request_lives_as_long_as_something_is_written_behind_it)
{
    struct people *p = asked_in_vain(41);
    sim_settle(&p->sim, 25 * (uint64_t)DAY);
    people_say(p, &p->person[1], &p->person[0], "b ", 0);
    sim_settle(&p->sim, 10 * (uint64_t)DAY);
    ck_assert_uint_eq(people_events(p, &p->person[1], "contact.failed"), 0);
    heard_at_last(p, 1);
}
END_TEST

START_TEST(who_writes_after_a_request_was_given_up_asks_anew)
{
    struct people *p = asked_in_vain(42);
    struct person *b = &p->person[1];
    sim_settle(&p->sim, 31 * (uint64_t)DAY);
    ck_assert_uint_eq(people_events(p, b, "contact.failed"), 1);
    ck_assert_uint_eq(people_outbox(p, b), 0);
    if (_i == 0) {
        people_say(p, b, &p->person[0], "b ", 0);
        people_say(p, b, &p->person[0], "b ", 1);
        ck_assert_uint_eq(people_outbox(p, b), 3);
    } else {
        people_add(p, b, p->person[0].id);
        people_add(p, b, p->person[0].id);
        ck_assert_uint_eq(people_outbox(p, b), 1);
    }
    heard_at_last(p, _i == 0 ? 2 : 0);
}
END_TEST

static void lose_first(void *ctx, struct turn *turn)
{
    (void)ctx;
    struct store_row row;
    ck_assert_ok(store_seek(turn->store, STORE_OUTBOX, STORE_GE, slice_of(NULL, 0), &row));
    struct store_key k = store_key_new();
    store_key_bytes(&k, row.key.p, row.key.len);
    ck_assert_ok(store_del(turn->store, STORE_OUTBOX, store_key_slice(&k)));
}

/* As a program before this one left it: messages wait, and the request is gone. The new one stands
 * behind them and goes first. */
START_TEST(a_request_that_is_missing_is_made_anew_behind_what_waits)
{
    struct people *p = asked_in_vain(43);
    struct person *b = &p->person[1];
    sim_settle(&p->sim, 8 * (uint64_t)DAY);
    people_say(p, b, &p->person[0], "b ", 0);
    sim_turn(&p->sim, b->n, lose_first, NULL);
    sim_restart(&p->sim, b->n);
    ck_assert_uint_eq(people_outbox(p, b), 1);
    people_say(p, b, &p->person[0], "b ", 1);
    ck_assert_uint_eq(people_outbox(p, b), 3);
    heard_at_last(p, 2);
}
END_TEST

START_TEST(who_does_not_answer_for_days_is_asked_again_and_nothing_is_lost)
{
    struct people *p = people_new(40, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    people_invite(p, a, link);
    sim_sleep(&p->sim, a->n);
    people_add(p, b, link);
    ck_assert_ok(people_send(p, b, a, "b 0"));
    sim_settle(&p->sim, 3 * (uint64_t)DAY + HOUR); /* asked anew three times */
    ck_assert_ok(people_send(p, b, a, "b 1"));
    sim_settle(&p->sim, HOUR);
    sim_wake(&p->sim, a->n);
    people_wait_state(p, b, a, "accepted");
    ck_assert_ok(people_send(p, a, b, "a 0"));
    people_quiet(p, 2 * HOUR);
    people_in_order(p, a, b, "b ", 2);
    people_in_order(p, b, a, "a ", 1);
    ck_assert_uint_eq(people_events(p, a, "invite.misused"), 0);
    ck_assert_uint_eq(people_events(p, a, "contact.accepted"), 1);
    people_free(p);
}
END_TEST

START_TEST(many_can_be_asked_at_once)
{
    /* More than LINK_REQUESTS look-ups over one link. */
    struct people *p = people_new(41, 1);
    struct person *a = &p->person[0];
    for (uint8_t i = 0; i < 40; i++) {
        uint8_t seed[32] = {i, 1};
        struct sign_pk pk;
        struct sign_sk sk;
        char id[ID_TEXT];
        prim_sign_keypair(&pk, &sk, seed);
        id_encode(pk.b, id);
        people_add(p, a, id);
    }
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_outbox(p, a), 40);
    ck_assert_uint_eq(p->sim.nodes[1]->crashes, 0);
    people_free(p);
}
END_TEST

START_TEST(one_does_not_ask_oneself_nor_nonsense)
{
    struct people *p = people_new(42, 1);
    struct person *a = &p->person[0];
    ck_assert_err(people_call(p, a->n, "contact.add", "link", a->id, NULL), ERR_SELF);
    ck_assert_err(people_call(p, a->n, "contact.add", "link", "petrel1qqqq", NULL), ERR_BAD_ID);
    ck_assert_err(people_call(p, a->n, "contact.add", "link", "petrel:AAAA", NULL),
                  ERR_BAD_INVITATION);
    ck_assert_err(people_call(p, a->n, "contact.block", "contact", "nobody", NULL),
                  ERR_UNKNOWN_CONTACT);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    people_free(p);
}
END_TEST

START_TEST(names_are_unique_and_name_people)
{
    struct people *p = people_new(43, 3);
    struct person *a = &p->person[0];
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", p->person[1].id, "name", "x", NULL));
    ck_assert_err(people_call(p, a->n, "contact.add", "link", p->person[2].id, "name", "x", NULL),
                  ERR_EXISTS);
    ck_assert_str_eq(people_state(p, a, &p->person[2]), "");
    ck_assert_ok(people_call(p, a->n, "message.send", "contact", "x", "text", "hi", NULL));
    char begin[24];
    memcpy(begin, p->person[1].id, 20);
    begin[20] = '\0';
    ck_assert_ok(people_call(p, a->n, "contact.verify", "contact", begin, NULL));
    char number[64];
    ck_assert(sim_result_str(a->n, "number", number, sizeof number));
    ck_assert_ok(people_call(p, a->n, "contact.verify", "contact", "x", "number", number, NULL));
    number[0] = number[0] == '9' ? '8' : '9';
    ck_assert_err(people_call(p, a->n, "contact.verify", "contact", "x", "number", number, NULL),
                  ERR_ARGUMENT);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, a_request_by_id_waits_until_it_is_accepted);
    tcase_add_test(tc, a_request_can_be_blocked_and_says_nothing_more);
    tcase_add_test(tc, both_may_ask_each_other_at_once);
    tcase_add_test(tc, an_invitation_is_used_twice_and_all_sides_hear_of_it);
    tcase_add_test(tc, an_invitation_that_the_same_person_pastes_twice_is_no_alarm);
    tcase_add_test(tc, a_new_invitation_after_one_that_was_misused_has_its_own_alarm);
    tcase_add_test(tc, who_was_blocked_by_mistake_hears_of_a_misused_invitation_later);
    tcase_add_test(tc, a_thief_of_an_invitation_who_pays_a_stamp_raises_the_alarm);
    tcase_add_test(tc, an_expired_invitation_is_refused_by_who_was_invited);
    tcase_add_test(tc, an_invitation_that_was_used_in_time_is_good_however_long_its_maker_sleeps);
    tcase_add_test(tc, an_invitation_that_expires_before_it_is_used_becomes_a_request);
    tcase_add_test(tc, a_request_lives_as_long_as_something_is_written_behind_it);
    tcase_add_loop_test(tc, who_writes_after_a_request_was_given_up_asks_anew, 0, 2);
    tcase_add_test(tc, a_request_that_is_missing_is_made_anew_behind_what_waits);
    tcase_add_test(tc, who_does_not_answer_for_days_is_asked_again_and_nothing_is_lost);
    tcase_add_test(tc, many_can_be_asked_at_once);
    tcase_add_test(tc, one_does_not_ask_oneself_nor_nonsense);
    tcase_add_test(tc, names_are_unique_and_name_people);
}

int main(void)
{
    return unit_main("sim/meeting", add_tests);
}
