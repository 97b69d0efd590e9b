/* SPDX-License-Identifier: Apache-2.0
 *
 * outbox: messages out until they are acknowledged end to end, whatever the relay and the links do.
 * docs/protocol/07-node.md, section 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "sim/people.h"

enum {
    DAY = 86400000,
    HOUR = 3600000,
    MINUTE = 60000,
};

/* An acknowledgement that waits for its second is owed after a restart too: the outbox, where
 * others wait, is empty. */
START_TEST(an_acknowledgement_that_is_owed_survives_a_restart)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(15, false, &a, &b);
    sim_settle(&p->sim, MINUTE);
    people_say(p, a, b, "first ", 0);
    sim_settle(&p->sim, 100);
    people_say(p, a, b, "second ", 0);
    sim_settle(&p->sim, 100);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 2);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), 1);
    sim_restart(&p->sim, b->n);
    people_quiet(p, 10 * MINUTE);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), 2);
    people_free(p);
}
END_TEST

/* --- links that break, frames that vanish --- */

struct fate {
    uint8_t kind;  /* of the frames that it strikes */
    unsigned left; /* how many more */
    enum sim_fate what;
    unsigned struck;
};

static uint8_t frame_kind(const uint8_t *p, size_t len)
{
    struct frame frame;
    return frame_read(slice_of(p, len), &frame) == ERR_OK ? frame.kind : 0;
}

static enum sim_fate strike(void *ctx, struct sim *sim, const struct sim_node *from,
                            const struct sim_node *to, uint8_t *p, size_t len)
{
    struct fate *f = ctx;
    (void)sim;
    (void)from;
    (void)to;
    if (f->left == 0 || frame_kind(p, len) != f->kind) {
        return SIM_PASS;
    }
    f->left--;
    f->struck++;
    return f->what;
}

static void suffer(uint8_t kind, enum sim_fate what, uint64_t seed)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(seed, false, &a, &b);
    struct fate f = {.kind = kind, .left = 3, .what = what};
    p->sim.fate = strike;
    p->sim.fate_ctx = &f;
    for (unsigned i = 0; i < 6; i++) {
        people_say(p, a, b, "a ", i);
        people_say(p, b, a, "b ", i);
    }
    people_quiet(p, 2 * HOUR);
    ck_assert_uint_eq(f.struck, 3);
    people_in_order(p, b, a, "a ", 6);
    people_in_order(p, a, b, "b ", 6);
    people_free(p);
}

START_TEST(a_lost_deposit_is_made_again)
{
    suffer(FRAME_QUEUE_DEPOSIT, SIM_DROP, 50);
    suffer(FRAME_QUEUE_DEPOSIT, SIM_CUT, 51);
}
END_TEST

START_TEST(a_lost_answer_to_a_deposit_makes_no_second_message)
{
    suffer(FRAME_QUEUE_DEPOSIT + FRAME_REPLY, SIM_DROP, 52);
    suffer(FRAME_QUEUE_DEPOSIT + FRAME_REPLY, SIM_CUT, 53);
}
END_TEST

START_TEST(a_lost_push_comes_again)
{
    suffer(FRAME_QUEUE_PUSH, SIM_CUT, 54);
}
END_TEST

START_TEST(a_repeated_push_is_one_message)
{
    suffer(FRAME_QUEUE_PUSH, SIM_TWICE, 55);
}
END_TEST

START_TEST(a_repeated_deposit_is_one_message)
{
    suffer(FRAME_QUEUE_DEPOSIT, SIM_TWICE, 56);
}
END_TEST

START_TEST(a_lost_acknowledgement_to_the_relay_is_made_again)
{
    suffer(FRAME_QUEUE_ACK, SIM_CUT, 57);
    suffer(FRAME_QUEUE_ACK + FRAME_REPLY, SIM_CUT, 58);
}
END_TEST

/* --- relays that lie --- */

static enum sim_fate lie(void *ctx, struct sim *sim, const struct sim_node *from,
                         const struct sim_node *to, uint8_t *p, size_t len)
{
    const struct sim_node *relay = ctx;
    (void)to;
    if (from != relay || sim_random(sim, 6) != 0) {
        return SIM_PASS;
    }
    return sim_mischief(sim, p, len);
}

START_TEST(a_relay_that_lies_loses_nothing_for_good_and_doubles_nothing)
{
    for (uint64_t seed = 60; seed < 64; seed++) {
        struct person *a;
        struct person *b;
        struct people *p = people_two(seed, false, &a, &b);
        p->sim.fate = lie;
        p->sim.fate_ctx = p->relay;
        people_chat(p, a, b, 20, 5000);
        p->sim.fate = NULL;
        /* What was changed under way is lost at the relay: the sender deposits it after a day. */
        people_quiet(p, 3 * (uint64_t)DAY);
        ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 20);
        ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 20);
        ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), 20);
        people_free(p);
    }
}
END_TEST

/* --- limits --- */

START_TEST(the_longest_text_goes_and_one_byte_more_does_not)
{
    struct people *p = people_new(70, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    char *text = calloc(1, LIMIT_TEXT + 2);
    memset(text, 'x', LIMIT_TEXT + 1);
    ck_assert_ok(people_call(p, a->n, "invite.create", NULL));
    ck_assert(sim_result_str(a->n, "link", link, sizeof link));
    ck_assert_ok(people_call(p, b->n, "contact.add", "link", link, NULL));
    ck_assert_err(people_send(p, b, a, text), ERR_TEXT_TOO_LONG);
    ck_assert_err(people_send(p, b, a, ""), ERR_ARGUMENT);
    text[LIMIT_TEXT] = '\0';
    ck_assert_ok(people_send(p, b, a, text)); /* in an envelope of a first contact */
    people_quiet(p, HOUR);
    ck_assert_ok(people_send(p, a, b, text));
    people_quiet(p, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", text), 1);
    ck_assert_uint_eq(people_messages(p, b, a, "received", text), 1);
    free(text);
    people_free(p);
}
END_TEST

static void count_sealed(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    unsigned sealed = 0;
    struct outbox_row row;
    uint64_t order = 0;
    while (outbox_row_next(&step, who->n->node->accounts->keys, 1, &order, &row) == ERR_OK) {
        sealed += row.state != OUTBOX_WAITING;
        order++;
    }
    ck_assert_uint_eq(sealed, LIMIT_UNACKED);
}

START_TEST(thousands_of_messages_wait_for_a_sleeper_and_the_session_survives)
{
    enum {
        MANY = 2500
    };
    struct person *a;
    struct person *b;
    struct people *p = people_two(71, false, &a, &b);
    people_tokens(p, a, b, MANY + 100);
    sim_sleep(&p->sim, b->n);
    for (unsigned i = 0; i < MANY; i++) {
        people_say(p, a, b, "a ", i);
    }
    sim_settle(&p->sim, MINUTE);
    sim_turn(&p->sim, a->n, count_sealed, a);
    ck_assert_uint_eq(people_outbox(p, a), MANY);
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "a ", MANY);
    people_free(p);
}
END_TEST

START_TEST(a_large_outbox_fits_the_memory_of_a_turn)
{
    enum {
        BIG = 700
    }; /* 700 * 115 KiB are more than LIMIT_TURN_ARENA */
    struct person *a;
    struct person *b;
    struct people *p = people_two(72, false, &a, &b);
    char *text = calloc(1, LIMIT_TEXT + 1);
    memset(text, 'x', LIMIT_TEXT);
    people_tokens(p, a, b, BIG + 100);
    sim_sleep(&p->sim, b->n);
    for (unsigned i = 0; i < BIG; i++) {
        ck_assert_ok(people_send(p, a, b, text));
    }
    sim_settle(&p->sim, 25 * (uint64_t)HOUR); /* all are looked at, and deposited again */
    ck_assert_uint_eq(people_outbox(p, a), BIG);
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(p->sim.nodes[1]->crashes + p->sim.nodes[2]->crashes, 0);
    free(text);
    people_free(p);
}
END_TEST

START_TEST(after_thirty_days_a_message_has_failed_and_the_session_goes_on)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(73, false, &a, &b);
    sim_sleep(&p->sim, b->n);
    people_say(p, a, b, "old ", 0);
    people_say(p, a, b, "old ", 1);
    sim_settle(&p->sim, 31 * (uint64_t)DAY);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 2);
    ck_assert_uint_eq(people_events(p, a, "message.failed"), 2);
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    people_say(p, a, b, "a ", 0);
    people_say(p, b, a, "b ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "a ", 1);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

START_TEST(a_full_session_gets_room_when_its_messages_expire)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(74, false, &a, &b);
    people_tokens(p, a, b, LIMIT_UNACKED + 50);
    sim_sleep(&p->sim, b->n);
    for (unsigned i = 0; i < LIMIT_UNACKED; i++) {
        people_say(p, a, b, "old ", i);
    }
    sim_settle(&p->sim, MINUTE);
    p->sim.random.env.now_ms += 29 * (uint64_t)DAY;
    people_say(p, a, b, "a ", 0); /* waits: the session is full */
    sim_settle(&p->sim, 2 * (uint64_t)DAY);
    sim_wake(&p->sim, b->n);
    people_quiet(p, 3 * (uint64_t)DAY);
    people_in_order(p, b, a, "a ", 1);
    people_free(p);
}
END_TEST

/* a writes while its clock is some hours ahead and the relay is away; then its clock is right. */
static struct people *set_back(uint64_t seed, struct person **a, struct person **b)
{
    struct people *p = people_two(seed, false, a, b);
    sim_clock(&p->sim, (*a)->n, 3 * HOUR, 0);
    people_say(p, *a, *b, "a ", 0);
    people_say(p, *b, *a, "b ", 0);
    sim_settle(&p->sim, MINUTE);
    sim_sleep(&p->sim, p->relay);
    people_say(p, *a, *b, "a ", 1);
    sim_settle(&p->sim, MINUTE);
    sim_clock(&p->sim, (*a)->n, -3 * (int64_t)HOUR, 0);
    return p;
}

START_TEST(what_was_written_before_the_clock_was_set_back_does_not_fail)
{
    struct person *a;
    struct person *b;
    struct people *p = set_back(83, &a, &b);
    sim_restart(&p->sim, a->n); /* which looks at what waits */
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    ck_assert_uint_eq(people_outbox(p, a), 1);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 0);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, 2 * (uint64_t)HOUR);
    people_in_order(p, b, a, "a ", 2);
    people_free(p);
}
END_TEST

START_TEST(nothing_waits_until_the_clock_says_again_what_it_said_before)
{
    struct person *a;
    struct person *b;
    struct people *p = set_back(84, &a, &b);
    sim_wake(&p->sim, p->relay);
    people_say(p, a, b, "a ", 2); /* a turn, in which it notices */
    people_quiet(p, 2 * (uint64_t)MINUTE);
    people_say(p, b, a, "b ", 1); /* whose acknowledgement is not to wait either */
    people_quiet(p, MINUTE);
    people_in_order(p, b, a, "a ", 3);
    people_in_order(p, a, b, "b ", 2);
    people_free(p);
}
END_TEST

START_TEST(what_waits_for_somebody_who_is_blocked_has_failed)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(75, false, &a, &b);
    sim_sleep(&p->sim, p->relay);
    sim_settle(&p->sim, MINUTE);
    people_say(p, a, b, "a ", 0);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 1);
    ck_assert_err(people_send(p, a, b, "no"), ERR_CONTACT_BLOCKED);
    sim_wake(&p->sim, p->relay);
    people_say(p, b, a, "b ", 0);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 0);
    /* Taken back: both talk again, and what b wrote in between comes after all. */
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", b->id, NULL));
    people_say(p, a, b, "again ", 0);
    people_quiet(p, 3 * (uint64_t)DAY);
    people_in_order(p, b, a, "again ", 1);
    people_in_order(p, a, b, "b ", 1);
    people_free(p);
}
END_TEST

/* --- tokens --- */

static void drop_tokens(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    uint8_t token[ROW_TOKEN];
    while (token_row_take(&step, who->n->node->accounts->keys, 1, token) == ERR_OK) {
    }
}

static void count_tokens(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    uint64_t count;
    ck_assert_ok(token_row_count(&step, who->n->node->accounts->keys, 1, &count));
    ck_assert_uint_ge(count, 40);
}

START_TEST(without_tokens_a_stamp_is_paid_and_tokens_come_back)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(76, false, &a, &b);
    sim_turn(&p->sim, a->n, drop_tokens, a);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, HOUR);
    people_say(p, b, a, "b ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "a ", 1);
    sim_turn(&p->sim, a->n, count_tokens, a);
    people_free(p);
}
END_TEST

static void sessions_are(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    ck_assert_uint_eq(who->n->node->accounts->work_count, 0);
    (void)turn;
}

START_TEST(who_has_nothing_to_do_costs_no_memory)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(77, false, &a, &b);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    sim_turn(&p->sim, a->n, sessions_are, a);
    sim_turn(&p->sim, b->n, sessions_are, b);
    people_free(p);
}
END_TEST

struct acks {
    const struct sim_node *from;
    unsigned deposits;
};

static enum sim_fate count_deposits(void *ctx, struct sim *sim, const struct sim_node *from,
                                    const struct sim_node *to, uint8_t *p, size_t len)
{
    struct acks *acks = ctx;
    (void)sim;
    (void)to;
    acks->deposits += from == acks->from && frame_kind(p, len) == FRAME_QUEUE_DEPOSIT;
    return SIM_PASS;
}

START_TEST(acknowledgements_alone_leave_at_most_once_a_second)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(78, false, &a, &b);
    struct acks acks = {.from = b->n};
    p->sim.fate = count_deposits;
    p->sim.fate_ctx = &acks;
    uint64_t start = p->sim.random.env.now_ms;
    for (unsigned i = 0; i < 100; i++) {
        people_say(p, a, b, "a ", i);
        sim_settle(&p->sim, 50);
    }
    people_quiet(p, HOUR);
    uint64_t seconds = (p->sim.random.env.now_ms - start) / 1000;
    ck_assert_uint_gt(acks.deposits, 0);
    ck_assert_uint_le(acks.deposits, seconds + 2);
    people_in_order(p, b, a, "a ", 100);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, an_acknowledgement_that_is_owed_survives_a_restart);
    tcase_add_test(tc, a_lost_deposit_is_made_again);
    tcase_add_test(tc, a_lost_answer_to_a_deposit_makes_no_second_message);
    tcase_add_test(tc, a_lost_push_comes_again);
    tcase_add_test(tc, a_repeated_push_is_one_message);
    tcase_add_test(tc, a_repeated_deposit_is_one_message);
    tcase_add_test(tc, a_lost_acknowledgement_to_the_relay_is_made_again);
    tcase_add_test(tc, a_relay_that_lies_loses_nothing_for_good_and_doubles_nothing);
    tcase_add_test(tc, the_longest_text_goes_and_one_byte_more_does_not);
    tcase_add_test(tc, thousands_of_messages_wait_for_a_sleeper_and_the_session_survives);
    tcase_add_test(tc, a_large_outbox_fits_the_memory_of_a_turn);
    tcase_add_test(tc, after_thirty_days_a_message_has_failed_and_the_session_goes_on);
    tcase_add_test(tc, a_full_session_gets_room_when_its_messages_expire);
    tcase_add_test(tc, what_was_written_before_the_clock_was_set_back_does_not_fail);
    tcase_add_test(tc, nothing_waits_until_the_clock_says_again_what_it_said_before);
    tcase_add_test(tc, what_waits_for_somebody_who_is_blocked_has_failed);
    tcase_add_test(tc, without_tokens_a_stamp_is_paid_and_tokens_come_back);
    tcase_add_test(tc, who_has_nothing_to_do_costs_no_memory);
    tcase_add_test(tc, acknowledgements_alone_leave_at_most_once_a_second);
}

int main(void)
{
    return unit_main("sim/outbox", add_tests);
}
