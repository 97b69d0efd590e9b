/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: who has few tokens sends what waits in one envelope. docs/protocol/07-node.md, section 4.
 */
#include <string.h>

#include "node/core.h"
#include "relay/queue.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 3600000,
    MANY = 40, /* more than fit in one batch */
};

/* The envelopes that one node deposited, each once: known by their last bytes. */
struct deposits {
    const struct sim_node *from;
    unsigned count;
    unsigned cut_one_in; /* of all frames; 0: none */
    uint8_t seen[256][64];
};

static enum sim_fate watch_deposits(void *ctx, struct sim *sim, const struct sim_node *from,
                                    const struct sim_node *to, uint8_t *p, size_t len)
{
    struct deposits *d = ctx;
    struct frame frame;
    struct queue_deposit deposit;
    (void)to;
    if (from == d->from && frame_read(slice_of(p, len), &frame) == ERR_OK &&
        frame.kind == FRAME_QUEUE_DEPOSIT && queue_deposit_read(frame.body, &deposit) == ERR_OK) {
        const uint8_t *end = deposit.envelope.p + deposit.envelope.len - sizeof d->seen[0];
        unsigned i = 0;
        while (i < d->count && memcmp(d->seen[i], end, sizeof d->seen[i]) != 0) {
            i++;
        }
        if (i == d->count) {
            ck_assert_uint_lt(d->count, 256);
            memcpy(d->seen[d->count++], end, sizeof d->seen[0]);
        }
    }
    return d->cut_one_in > 0 && sim_random(sim, d->cut_one_in) == 0 ? SIM_CUT : SIM_PASS;
}

static void watch(struct people *p, struct deposits *d, const struct person *from)
{
    memset(d, 0, sizeof *d);
    d->from = from->n;
    p->sim.fate = watch_deposits;
    p->sim.fate_ctx = d;
}

struct keeping {
    struct person *who;
    unsigned keep;
};

static void keep_tokens(void *ctx, struct turn *turn)
{
    struct keeping *k = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = k->who->n->node->accounts->keys;
    uint8_t token[ROW_TOKEN];
    uint64_t have;
    ck_assert_ok(token_row_count(&step, keys, 1, &have));
    for (; have > k->keep; have--) {
        ck_assert_ok(token_row_take(&step, keys, 1, token));
    }
}

/* All but the newest so many tokens are lost; there may be fewer. */
static void keep(struct people *p, struct person *who, unsigned n)
{
    struct keeping k = {.who = who, .keep = n};
    sim_turn(&p->sim, who->n, keep_tokens, &k);
}

/* Two, of whom a has n tokens for b. */
static struct people *two_with(uint64_t seed, unsigned n, struct person **a, struct person **b)
{
    struct people *p = people_two(seed, false, a, b);
    people_tokens(p, *a, *b, n);
    keep(p, *a, n);
    return p;
}

/* a writes n messages while its relay cannot be reached. */
static void write_offline(struct people *p, struct person *a, struct person *b, unsigned n)
{
    sim_sleep(&p->sim, p->relay);
    sim_settle(&p->sim, MINUTE);
    for (unsigned i = 0; i < n; i++) {
        people_say(p, a, b, "a ", i);
    }
}

static void all_came(struct people *p, struct person *a, struct person *b, unsigned n)
{
    people_in_order(p, b, a, "a ", n);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), n);
    ck_assert_uint_eq(people_messages(p, a, b, "delivered", NULL), n);
    ck_assert_uint_eq(people_events(p, b, "message.received"), n);
    /* An acknowledgement may come before the relay's answer. */
    ck_assert_uint_le(people_events(p, a, "message.at-relay"), n);
    ck_assert_uint_eq(people_events(p, a, "message.delivered"), n);
    ck_assert_uint_eq(people_outbox(p, a), 0);
}

START_TEST(with_few_tokens_what_waits_goes_together)
{
    struct person *a;
    struct person *b;
    struct deposits d;
    struct people *p = two_with(90, LIMIT_BATCH_TOKENS - 1, &a, &b);
    watch(p, &d, a);
    write_offline(p, a, b, MANY);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, HOUR);
    all_came(p, a, b, MANY);
    /* The first was sealed before the others were there; then 32, and the rest; acknowledgements
     * of what b answers may come to it. */
    ck_assert_uint_ge(d.count, 3);
    ck_assert_uint_le(d.count, 6);
    ck_assert_uint_eq(people_events(p, b, "message.gap"), 0);
    people_free(p);
}
END_TEST

START_TEST(with_enough_tokens_each_goes_alone)
{
    struct person *a;
    struct person *b;
    struct deposits d;
    struct people *p = two_with(91, LIMIT_BATCH_TOKENS + MANY - 1, &a, &b);
    watch(p, &d, a);
    write_offline(p, a, b, MANY);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, HOUR);
    all_came(p, a, b, MANY);
    ck_assert_uint_ge(d.count, MANY);
    people_free(p);
}
END_TEST

START_TEST(what_does_not_fit_goes_in_the_next_and_large_ones_alone)
{
    static char large[20000];
    static char middle[5000];
    struct person *a;
    struct person *b;
    struct deposits d;
    struct people *p = two_with(92, 10, &a, &b);
    memset(large, 'x', sizeof large - 1);
    memset(middle, 'y', sizeof middle - 1);
    watch(p, &d, a);
    write_offline(p, a, b, 2);
    ck_assert_ok(people_send(p, a, b, large));
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_ok(people_send(p, a, b, middle));
    }
    people_say(p, a, b, "a ", 2);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "a ", 3);
    ck_assert_uint_eq(people_messages(p, b, a, "received", NULL), 8);
    ck_assert_uint_eq(people_messages(p, b, a, "received", large), 1);
    ck_assert_uint_eq(people_messages(p, b, a, "received", middle), 4);
    ck_assert_uint_ge(d.count, 5); /* a 0; a 1; large; three of 5,000 at most; one, and a 2 */
    ck_assert_uint_lt(d.count, 8);
    people_free(p);
}
END_TEST

struct joined {
    struct person *who;
    unsigned count;
};

static void count_joined(void *ctx, struct turn *turn)
{
    struct joined *j = ctx;
    struct step step = {.turn = turn};
    struct outbox_row row;
    uint64_t order = 0;
    while (outbox_row_next(&step, j->who->n->node->accounts->keys, 1, &order, &row) == ERR_OK) {
        j->count += row.lead != 0;
        order++;
    }
}

/* Entries of who that are in the envelope of another. */
static unsigned joined(struct people *p, struct person *who)
{
    struct joined j = {.who = who};
    sim_turn(&p->sim, who->n, count_joined, &j);
    return j.count;
}

/* All of it under crashes of all nodes and links that are cut. */
START_TEST(batches_under_crashes_and_cut_links_come_once_and_in_order)
{
    unsigned together = 0;
    uint64_t crashes = 0;
    for (uint64_t seed = 100; seed < 104; seed++) {
        struct person *a;
        struct person *b;
        struct deposits d;
        struct people *p = two_with(seed, 2, &a, &b);
        watch(p, &d, a);
        p->sim.crash_one_in = 6;
        d.cut_one_in = 12;
        for (unsigned i = 0; i < MANY; i++) {
            people_say(p, a, b, "a ", i);
            people_say(p, b, a, "b ", i);
            if (i % 10 == 9) {
                sim_settle(&p->sim, sim_random(&p->sim, 8000));
                sim_crash_at(a->n, 0); /* not in what the test looks at */
                together += joined(p, a);
                keep(p, a, 2);
            }
        }
        sim_settle(&p->sim, 20 * MINUTE);
        p->sim.crash_one_in = 0;
        d.cut_one_in = 0;
        for (size_t i = 0; i < p->sim.count; i++) {
            sim_crash_at(p->sim.nodes[i], 0);
            crashes += p->sim.nodes[i]->crashes;
        }
        people_quiet(p, 30 * (uint64_t)HOUR);
        all_came(p, a, b, MANY);
        people_in_order(p, a, b, "b ", MANY);
        people_free(p);
    }
    ck_assert_uint_gt(crashes, 30);
    ck_assert_uint_gt(together, 4 * 5);
}
END_TEST

/* Each put of the turns that seal, deposit, mark and acknowledge a batch fails once. */
START_TEST(a_crash_before_any_put_loses_and_doubles_nothing)
{
    struct person *a;
    struct person *b;
    uint64_t crashes = 0;
    for (uint64_t k = 1; k < 120; k += 11) {
        struct people *p = two_with(120 + k, 3, &a, &b);
        write_offline(p, a, b, 12);
        sim_crash_at(a->n, k);
        sim_crash_at(b->n, k);
        sim_wake(&p->sim, p->relay);
        people_quiet(p, 3 * (uint64_t)HOUR);
        all_came(p, a, b, 12);
        crashes += a->n->crashes + b->n->crashes;
        people_free(p);
    }
    ck_assert_uint_gt(crashes, 8);
}
END_TEST

START_TEST(a_batch_that_expires_has_failed_as_a_whole_and_the_session_goes_on)
{
    struct person *a;
    struct person *b;
    struct people *p = two_with(93, 4, &a, &b);
    sim_sleep(&p->sim, b->n);
    write_offline(p, a, b, 12);
    sim_wake(&p->sim, p->relay);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(people_messages(p, a, b, "at-relay", NULL), 12);
    ck_assert_uint_eq(people_outbox(p, a), 12);
    sim_settle(&p->sim, 31 * (uint64_t)LIMIT_DAY_MS);
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 12);
    ck_assert_uint_eq(people_events(p, a, "message.failed"), 12);
    sim_wake(&p->sim, b->n);
    sim_settle(&p->sim, HOUR);
    people_say(p, a, b, "late ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "late ", 1);
    people_free(p);
}
END_TEST

START_TEST(who_is_much_younger_does_not_go_along)
{
    struct person *a;
    struct person *b;
    struct deposits d;
    struct people *p = two_with(94, 4, &a, &b);
    watch(p, &d, a);
    write_offline(p, a, b, 3);
    sim_settle(&p->sim, 26 * (uint64_t)HOUR);
    people_say(p, a, b, "a ", 3);
    people_say(p, a, b, "a ", 4);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, 4 * (uint64_t)HOUR);
    all_came(p, a, b, 5);
    ck_assert_uint_ge(d.count, 3);
    people_free(p);
}
END_TEST

START_TEST(a_block_fails_all_of_a_batch_that_the_relay_does_not_have)
{
    struct person *a;
    struct person *b;
    struct people *p = two_with(95, 4, &a, &b);
    write_offline(p, a, b, 12);
    sim_settle(&p->sim, HOUR);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    ck_assert_uint_eq(people_outbox(p, a), 0);
    ck_assert_uint_eq(people_messages(p, a, b, "failed", NULL), 12);
    people_free(p);
}
END_TEST

/* The batch is in a first envelope that nobody opened for a day: all of it is sealed anew in
 * another session, and the first one comes too in the end. */
START_TEST(a_batch_is_sealed_anew_when_nobody_answers)
{
    struct person *a;
    struct person *b;
    char link[INVITE_TEXT];
    struct people *p = people_new(96, 2);
    struct deposits d;
    b = &p->person[0];
    a = &p->person[1];
    watch(p, &d, a);
    ck_assert_ok(people_call(p, b->n, "invite.create", NULL));
    ck_assert(sim_result_str(b->n, "link", link, sizeof link));
    sim_sleep(&p->sim, b->n);
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", link, NULL));
    for (unsigned i = 0; i < 12; i++) {
        people_say(p, a, b, "a ", i);
    }
    sim_settle(&p->sim, 60 * (uint64_t)HOUR);
    ck_assert_uint_ge(d.count, 4); /* request and batch, twice at least */
    ck_assert_uint_lt(d.count, 12);
    sim_wake(&p->sim, b->n);
    people_quiet(p, 30 * (uint64_t)HOUR);
    all_came(p, a, b, 12);
    people_free(p);
}
END_TEST

static void begin_anew(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct account *me = who->n->node->accounts;
    struct peer_row row;
    struct work *work = work_get(me, 1);
    ck_assert_ptr_nonnull(work);
    ck_assert_ok(peer_row_get(&step, me->keys, 1, &row));
    ck_assert_ok(contact_restart(me, &step, work, &row));
}

START_TEST(what_is_sealed_anew_goes_alone_when_there_are_tokens_by_then)
{
    struct person *a;
    struct person *b;
    struct deposits d;
    struct people *p = two_with(97, 4, &a, &b);
    sim_sleep(&p->sim, b->n);
    write_offline(p, a, b, 12);
    sim_wake(&p->sim, p->relay);
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(joined(p, a), 10);
    sim_sleep(&p->sim, p->relay);
    sim_wake(&p->sim, b->n);
    people_tokens(p, a, b, 60);
    sim_turn(&p->sim, a->n, begin_anew, a);
    ck_assert_uint_eq(joined(p, a), 0);
    watch(p, &d, a);
    sim_wake(&p->sim, p->relay);
    people_quiet(p, 30 * (uint64_t)HOUR);
    all_came(p, a, b, 12);
    ck_assert_uint_ge(d.count, 12);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, with_few_tokens_what_waits_goes_together);
    tcase_add_test(tc, with_enough_tokens_each_goes_alone);
    tcase_add_test(tc, what_does_not_fit_goes_in_the_next_and_large_ones_alone);
    tcase_add_test(tc, batches_under_crashes_and_cut_links_come_once_and_in_order);
    tcase_add_test(tc, a_crash_before_any_put_loses_and_doubles_nothing);
    tcase_add_test(tc, a_batch_that_expires_has_failed_as_a_whole_and_the_session_goes_on);
    tcase_add_test(tc, who_is_much_younger_does_not_go_along);
    tcase_add_test(tc, a_block_fails_all_of_a_batch_that_the_relay_does_not_have);
    tcase_add_test(tc, what_is_sealed_anew_goes_alone_when_there_are_tokens_by_then);
    tcase_add_test(tc, a_batch_is_sealed_anew_when_nobody_answers);
}

int main(void)
{
    return unit_main("sim/batch", add_tests);
}
