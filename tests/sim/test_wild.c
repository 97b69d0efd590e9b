/* SPDX-License-Identifier: Apache-2.0
 *
 * wild: traffic both ways while all three nodes crash at random puts, are killed, and lose links;
 * then a time without faults, in which everything must come to rest: each message exactly once, in
 * order, outboxes empty. SIM_SEED and SIM_SEEDS choose the runs; the seed of each is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/people.h"

enum {
    WILD_MESSAGES = 30,
};

static unsigned number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void fault(struct people *p)
{
    struct sim_node *n = p->sim.nodes[sim_random(&p->sim, p->sim.count)];
    switch (sim_random(&p->sim, 12)) {
    case 0:
        sim_cut(&p->sim, n);
        break;
    case 1:
        sim_restart(&p->sim, n);
        break;
    case 2:
        sim_sleep(&p->sim, n);
        sim_settle(&p->sim, sim_random(&p->sim, 60000));
        sim_wake(&p->sim, n);
        break;
    default:
        break;
    }
}

static void wild(uint64_t seed, bool by_id)
{
    struct people *p = people_new(seed, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    char link[INVITE_TEXT];
    p->sim.crash_one_in = 25;
    if (by_id) {
        ck_assert_ok(people_call(p, a->n, "contact.add", "link", b->id, NULL));
        ck_assert_ok(people_call(p, b->n, "contact.add", "link", a->id, NULL));
    } else {
        ck_assert_ok(people_call(p, a->n, "invite.create", NULL));
        ck_assert(sim_result_str(a->n, "link", link, sizeof link));
        ck_assert_ok(people_call(p, b->n, "contact.add", "link", link, NULL));
    }
    unsigned sent[2] = {0, 0};
    while (sent[0] < WILD_MESSAGES || sent[1] < WILD_MESSAGES) {
        unsigned who = (unsigned)sim_random(&p->sim, 2);
        char text[32];
        snprintf(text, sizeof text, "%c %u", who == 0 ? 'a' : 'b', sent[who]);
        enum err err = sent[who] == WILD_MESSAGES
                           ? ERR_NOT_NOW
                           : people_send(p, &p->person[who], &p->person[1 - who], text);
        sent[who] += err == ERR_OK;
        ck_assert_msg(err == ERR_OK || err == ERR_NOT_NOW || err == ERR_UNKNOWN_CONTACT,
                      "message.send: %s", err_name(err));
        fault(p);
        sim_settle(&p->sim, sim_random(&p->sim, 4000));
    }
    p->sim.crash_one_in = 0;
    uint64_t crashes = 0;
    for (size_t i = 0; i < p->sim.count; i++) {
        sim_crash_at(p->sim.nodes[i], 0);
        crashes += p->sim.nodes[i]->crashes;
    }
    ck_assert_msg(people_until(p, people_all_quiet, NULL, 2 * LIMIT_HOUR_MS),
                  "seed %llu: not at rest", (unsigned long long)seed);
    people_in_order(p, b, a, "a ", WILD_MESSAGES);
    people_in_order(p, a, b, "b ", WILD_MESSAGES);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), WILD_MESSAGES);
    ck_assert_uint_eq(people_messages(p, b, a, "delivered", NULL), WILD_MESSAGES);
    ck_assert_uint_eq(people_events(p, a, "message.failed"), 0);
    printf("seed %llu: %llu crashes, %llu frames, %d messages each way\n", (unsigned long long)seed,
           (unsigned long long)crashes, (unsigned long long)p->sim.frames, WILD_MESSAGES);
    ck_assert_uint_gt(crashes, 0);
    people_free(p);
}

START_TEST(crashes_of_all_lose_and_double_nothing_after_an_invitation)
{
    unsigned seed = number("SIM_SEED", 1000);
    for (unsigned i = 0; i < number("SIM_SEEDS", 12); i++) {
        wild(seed + i, false);
    }
}
END_TEST

START_TEST(crashes_of_all_lose_and_double_nothing_when_both_ask)
{
    unsigned seed = number("SIM_SEED", 2000);
    for (unsigned i = 0; i < number("SIM_SEEDS", 6); i++) {
        wild(seed + i, true);
    }
}
END_TEST

/* Crashes, lost links, sleep, and now and then a home goes back to a copy of some time before. What
 * was written before may be gone there; with the next word of each the two heal, and all that waits
 * comes. Without one nobody can know: of what somebody had read and forgot the relay says that it
 * was stored. */
static void back_and_forth(uint64_t seed)
{
    enum {
        ROUNDS = 60,
        COPIES = 4,
        LAST = 10
    };
    struct people *p = people_new(seed, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct sim_copy copy[2][COPIES];
    unsigned copies[2] = {0, 0};
    unsigned backs = 0;
    people_meet(p, a, b);
    p->sim.crash_one_in = 40;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned who = (unsigned)sim_random(&p->sim, 2);
        char text[32];
        snprintf(text, sizeof text, "early %u", i);
        enum err err = people_send(p, &p->person[who], &p->person[1 - who], text);
        ck_assert_msg(err == ERR_OK || err == ERR_NOT_NOW, "message.send: %s", err_name(err));
        fault(p);
        sim_settle(&p->sim, sim_random(&p->sim, 4000));
        unsigned side = (unsigned)sim_random(&p->sim, 2);
        struct sim_node *n = p->person[side].n;
        if (sim_random(&p->sim, 6) == 0 && copies[side] < COPIES) {
            copy[side][copies[side]++] = sim_copy_of(n);
        } else if (sim_random(&p->sim, 8) == 0 && copies[side] > 0) {
            sim_roll_back(&p->sim, n, &copy[side][sim_random(&p->sim, copies[side])]);
            backs++;
        }
        if (sim_random(&p->sim, 10) == 0) { /* the limit of one new session an hour is over */
            sim_settle(&p->sim, 2 * LIMIT_HOUR_MS);
        }
    }
    p->sim.crash_one_in = 0;
    for (size_t i = 0; i < p->sim.count; i++) {
        sim_crash_at(p->sim.nodes[i], 0);
    }
    sim_settle(&p->sim, 2 * LIMIT_HOUR_MS);
    for (unsigned i = 0; i < LAST; i++) {
        people_say(p, a, b, "a last ", i);
        people_say(p, b, a, "b last ", i);
        sim_settle(&p->sim, 3000);
    }
    ck_assert_msg(people_until(p, people_all_quiet, NULL, 4 * LIMIT_DAY_MS),
                  "seed %llu: not at rest", (unsigned long long)seed);
    people_in_order(p, b, a, "a last ", LAST);
    people_in_order(p, a, b, "b last ", LAST);
    printf("seed %llu: %u times back, %u and %u new sessions noted\n", (unsigned long long)seed,
           backs, people_notes(p, a, b, NULL), people_notes(p, b, a, NULL));
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned i = 0; i < copies[side]; i++) {
            sim_copy_free(&copy[side][i]);
        }
    }
    people_free(p);
}

START_TEST(homes_that_go_back_again_and_again_come_to_rest)
{
    unsigned seed = number("SIM_SEED", 3000);
    for (unsigned i = 0; i < number("SIM_SEEDS", 12); i++) {
        back_and_forth(seed + i);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, crashes_of_all_lose_and_double_nothing_after_an_invitation);
    tcase_add_test(tc, crashes_of_all_lose_and_double_nothing_when_both_ask);
    tcase_add_test(tc, homes_that_go_back_again_and_again_come_to_rest);
}

int main(void)
{
    return unit_main("sim/wild", add_tests);
}
