/* SPDX-License-Identifier: Apache-2.0
 *
 * sleeper: a node that is away for longer than anything waits for it, while its contacts go on
 * writing. What can come comes, once; of what cannot its sender is told; then all goes on.
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
#ifdef PETREL_SANITIZED
    CONTACTS = 8,
#else
    CONTACTS = 50,
#endif
    ALWAYS_ON = 5, /* of the contacts; the others run for an hour or so a day */
    DAYS = 40,
    STOCK = 60, /* more than a message a day, so that no time goes into stamps */
};

/* person[0] sleeps, person[1] to person[CONTACTS] are contacts, the last one is a stranger. */
static struct people *all_meet(uint64_t seed)
{
    struct people *p = people_new(seed, CONTACTS + 2);
    struct person *sleeper = &p->person[0];
    char link[INVITE_TEXT];
    for (size_t i = 1; i <= CONTACTS; i++) {
        people_invite(p, sleeper, link);
        people_add(p, &p->person[i], link);
    }
    sim_settle(&p->sim, 10 * MINUTE);
    for (size_t i = 1; i <= CONTACTS; i++) {
        ck_assert_str_eq(people_state(p, sleeper, &p->person[i]), "accepted");
        ck_assert_str_eq(people_state(p, &p->person[i], sleeper), "accepted");
        people_tokens(p, &p->person[i], sleeper, STOCK);
    }
    ck_assert(people_all_quiet(p, NULL));
    return p;
}

/* A day in which all contacts write. */
static void one_day(struct people *p, unsigned day)
{
    struct person *sleeper = &p->person[0];
    uint64_t end = p->sim.random.env.now_ms + DAY;
    for (size_t i = 1; i <= CONTACTS; i++) {
        if (p->person[i].n->asleep) {
            sim_wake(&p->sim, p->person[i].n);
        }
        people_say(p, &p->person[i], sleeper, "day ", day);
    }
    sim_settle(&p->sim, HOUR + 10 * MINUTE);
    for (size_t i = 1 + ALWAYS_ON; i <= CONTACTS; i++) {
        sim_sleep(&p->sim, p->person[i].n);
    }
    sim_settle(&p->sim, end - p->sim.random.env.now_ms);
}

/* What became of the messages of one contact: each came once, or its sender was told. */
static unsigned account_for(struct people *p, struct person *from, struct person *sleeper)
{
    char text[32];
    unsigned came = 0;
    unsigned failed = 0;
    for (unsigned day = 0; day < DAYS; day++) {
        snprintf(text, sizeof text, "day %u", day);
        unsigned received = people_messages(p, sleeper, from, "received", text);
        unsigned delivered = people_messages(p, from, sleeper, "delivered", text);
        unsigned lost = people_messages(p, from, sleeper, "failed", text);
        ck_assert_msg(received == delivered && delivered + lost == 1,
                      "'%s' of %s: %u received, %u delivered, %u failed", text, from->n->host,
                      received, delivered, lost);
        came += received;
        failed += lost;
    }
    ck_assert_uint_eq(people_messages(p, from, sleeper, NULL, NULL), DAYS);
    ck_assert_uint_eq(people_messages(p, sleeper, from, NULL, NULL), came);
    ck_assert_uint_eq(people_events(p, from, "message.failed"), failed);
    return came;
}

/* Nobody owes anybody anything, and new words go both ways. */
static void goes_on(struct people *p)
{
    struct person *sleeper = &p->person[0];
    ck_assert(people_all_quiet(p, NULL));
    for (size_t i = 1; i <= CONTACTS; i++) {
        people_say(p, &p->person[i], sleeper, "well ", 0);
        people_say(p, sleeper, &p->person[i], "morning ", 0);
    }
    sim_settle(&p->sim, HOUR);
    ck_assert(people_all_quiet(p, NULL));
    for (size_t i = 1; i <= CONTACTS; i++) {
        people_in_order(p, sleeper, &p->person[i], "well ", 1);
        people_in_order(p, &p->person[i], sleeper, "morning ", 1);
        ck_assert_uint_eq(people_events(p, &p->person[i], "session.reset"), 0);
        ck_assert_uint_eq(people_tokens_count(p, &p->person[i], sleeper) > 0, 1);
        ck_assert_uint_eq(people_tokens_count(p, sleeper, &p->person[i]) > 0, 1);
    }
    ck_assert_uint_eq(people_events(p, sleeper, "session.reset"), 0);
}

START_TEST(after_forty_days_nothing_was_lost_in_silence_and_nothing_doubled)
{
    struct people *p = all_meet(300);
    struct person *sleeper = &p->person[0];
    struct person *stranger = &p->person[CONTACTS + 1];
    char link[INVITE_TEXT];
    people_invite(p, sleeper, link);
    sim_sleep(&p->sim, sleeper->n);
    for (unsigned day = 0; day < DAYS; day++) {
        if (day == 5) {
            people_add(p, stranger, link);
        } else if (day == 7) {
            sim_sleep(&p->sim, stranger->n); /* each day that it asks costs it a stamp */
        } else if (day == 32) {
            sim_wake(&p->sim, stranger->n);
        } else if (day % 10 == 9) {
            sim_restart(&p->sim, p->relay);
        }
        one_day(p, day);
    }
    sim_wake(&p->sim, sleeper->n);
    for (size_t i = 1 + ALWAYS_ON; i <= CONTACTS; i++) {
        sim_wake(&p->sim, p->person[i].n);
    }
    sim_settle(&p->sim, 2 * HOUR);
    for (size_t i = 1; i <= CONTACTS; i++) {
        unsigned came = account_for(p, &p->person[i], sleeper);
        ck_assert_msg(came >= DAYS - 11 && came <= DAYS - 9, "%u came", came);
    }
    /* Who asked meanwhile, with an invitation that is over, is a request like any other. */
    ck_assert_uint_eq(people_events(p, stranger, "contact.failed"), 1); /* 30 days are over */
    ck_assert_uint_eq(people_events(p, sleeper, "request.received"), 1);
    ck_assert_str_eq(people_state(p, sleeper, stranger), "incoming");
    ck_assert_ok(people_call(p, sleeper->n, "request.accept", "contact", stranger->id, NULL));
    people_wait_state(p, stranger, sleeper, "accepted");
    people_quiet(p, MINUTE);
    goes_on(p);
    /* The relay has handed all out, and the key bundle is a new one. */
    ck_assert_uint_eq(store_mem_count(p->relay->mem, STORE_LOG_30D), 0);
    ck_assert(people_ready(p, sleeper));
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, after_forty_days_nothing_was_lost_in_silence_and_nothing_doubled);
}

int main(void)
{
    return unit_main("sim/sleeper", add_tests);
}
