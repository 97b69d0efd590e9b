/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens: what admits a contact's deposits over days: how many it gets, and what it pays without.
 * docs/protocol/07-node.md, section 4.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "node/stock.h"
#include "relay/queue.h"
#include "sim/people.h"

enum {
    MINUTE = 60000,
    HOUR = 3600000,
};

/* Counts the deposits of one node. */
struct deposits {
    const struct sim_node *from;
    unsigned stamps;
    unsigned tokens;
};

static enum sim_fate count_deposits(void *ctx, struct sim *sim, const struct sim_node *from,
                                    const struct sim_node *to, uint8_t *p, size_t len)
{
    struct deposits *count = ctx;
    struct frame frame;
    struct queue_deposit d;
    (void)sim;
    (void)to;
    if (from == count->from && frame_read(slice_of(p, len), &frame) == ERR_OK &&
        frame.kind == FRAME_QUEUE_DEPOSIT && queue_deposit_read(frame.body, &d) == ERR_OK) {
        count->stamps += d.admission.stamp;
        count->tokens += !d.admission.stamp;
    }
    return SIM_PASS;
}

static void watch(struct people *p, struct deposits *count, const struct person *from)
{
    *count = (struct deposits){.from = from->n};
    p->sim.fate = count_deposits;
    p->sim.fate_ctx = count;
}

/* A contact's row at who. */
struct look {
    const struct person *who;
    uint32_t contact;
    struct peer_row row;
    uint64_t tokens; /* for their queue */
};

static void look_at(void *ctx, struct turn *turn)
{
    struct look *look = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = look->who->n->node->accounts->keys;
    ck_assert_ok(peer_row_get(&step, keys, look->contact, &look->row));
    ck_assert_ok(token_row_count(&step, keys, look->contact, &look->tokens));
}

static struct look look(struct people *p, struct person *who)
{
    struct look look = {.who = who, .contact = 1};
    sim_turn(&p->sim, who->n, look_at, &look);
    return look;
}

START_TEST(who_writes_600_messages_a_day_needs_no_stamps_once_the_stock_has_grown)
{
    enum {
        MANY = 600
    };
    struct person *a;
    struct person *b;
    struct deposits count;
    struct people *p = people_two(80, false, &a, &b);
    for (unsigned day = 0; day < 2; day++) {
        uint64_t end = p->sim.random.env.now_ms + LIMIT_DAY_MS;
        for (unsigned i = 0; i < MANY; i++) {
            people_say(p, a, b, day == 0 ? "one " : "two ", i);
            sim_settle(&p->sim, LIMIT_DAY_MS / MANY - 2000);
        }
        people_quiet(p, HOUR);
        ck_assert_uint_le(p->sim.random.env.now_ms, end);
        p->sim.random.env.now_ms = end;
    }
    ck_assert_uint_gt(look(p, a).tokens, MANY);
    sim_sleep(&p->sim, b->n); /* nobody gives tokens now */
    watch(p, &count, a);
    for (unsigned i = 0; i < MANY; i++) {
        people_say(p, a, b, "three ", i);
    }
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(count.stamps, 0);
    ck_assert_uint_eq(count.tokens, MANY);
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    people_in_order(p, b, a, "three ", MANY);
    people_free(p);
}
END_TEST

/* The reader slept, so that no message carried tokens back: it gives them in bodies of their own,
 * which come to an end. */
START_TEST(a_stock_that_was_spent_while_the_reader_slept_is_filled_when_it_wakes)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(81, false, &a, &b);
    for (unsigned i = 0; i < 20; i++) { /* the first stock, a few tokens with each message */
        people_say(p, a, b, "before ", i);
        sim_settle(&p->sim, 5000);
    }
    ck_assert_uint_gt(look(p, a).tokens, 220);
    unsigned many = (unsigned)look(p, a).tokens;
    sim_sleep(&p->sim, b->n);
    for (unsigned i = 0; i < many; i++) { /* one by one: what waits would go together at the end */
        people_say(p, a, b, "a ", i);
        sim_settle(&p->sim, 2000);
    }
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(look(p, a).tokens, 0);
    sim_wake(&p->sim, b->n);
    people_quiet(p, HOUR);
    sim_settle(&p->sim, 2 * MINUTE);
    ck_assert_uint_ge(look(p, a).tokens, LIMIT_TOKEN_STOCK);
    uint64_t frames = p->sim.frames;
    sim_settle(&p->sim, 10 * MINUTE);
    ck_assert_uint_le(p->sim.frames - frames, 40); /* pings, at most */
    people_free(p);
}
END_TEST

/* Nothing but acknowledgements comes back, and now and then a part of a KEM exchange in one: each
 * brings tokens. */
START_TEST(who_only_writes_gets_tokens_with_every_acknowledgement)
{
    enum {
        BURST = 16
    };
    struct person *a;
    struct person *b;
    struct people *p = people_two(83, false, &a, &b);
    for (unsigned burst = 0; burst < 24; burst++) {
        for (unsigned i = 0; i < BURST; i++) {
            people_say(p, a, b, "a ", burst * BURST + i);
            sim_settle(&p->sim, 4);
        }
        uint64_t left = look(p, a).tokens;
        sim_settle(&p->sim, 1100); /* one acknowledgement */
        ck_assert_uint_gt(look(p, a).tokens, left);
    }
    people_free(p);
}
END_TEST

/* All but the newest few: a body of a KEM exchange may take one that a message wants. */
static void keep_the_newest(void *ctx, struct turn *turn)
{
    enum {
        KEPT = 4
    };
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = who->n->node->accounts->keys;
    uint8_t token[KEPT][ROW_TOKEN];
    size_t n = 0;
    while (token_row_take(&step, keys, 1, token[n % KEPT]) == ERR_OK) {
        n++;
    }
    for (size_t i = n > KEPT ? n - KEPT : 0; i < n; i++) {
        ck_assert_ok(token_row_add(&step, keys, 1, slice_of(token[i % KEPT], ROW_TOKEN)));
    }
}

START_TEST(who_keeps_tokens_back_gets_no_others_in_their_place)
{
    enum {
        MANY = 100
    };
    struct person *a;
    struct person *b;
    struct deposits count;
    struct people *p = people_two(82, false, &a, &b);
    watch(p, &count, a);
    unsigned sent = 0;
    sim_turn(&p->sim, a->n, keep_the_newest, a);
    while (sent < MANY && look(p, a).tokens > 0) {
        people_say(p, a, b, "a ", sent++);
        sim_settle(&p->sim, 3000);
        sim_turn(&p->sim, a->n, keep_the_newest, a);
    }
    struct look b_has = look(p, b);
    ck_assert_uint_eq(count.stamps, 0);
    ck_assert_uint_gt(b_has.row.minted, LIMIT_TOKEN_STOCK / 2);
    ck_assert_uint_le(b_has.row.minted, LIMIT_TOKEN_STOCK + count.tokens + 2);
    people_free(p);
}
END_TEST

/* --- blocked contacts --- */

/* Every token that b holds is refused, so that it tries all and pays a stamp in the end. */
static void all_are_void(struct people *p, struct person *a, struct person *b)
{
    struct deposits count;
    unsigned held = (unsigned)look(p, b).tokens;
    ck_assert_uint_gt(held, 0);
    watch(p, &count, b);
    people_say(p, b, a, "blocked ", 0);
    sim_settle(&p->sim, HOUR);
    p->sim.fate = NULL;
    ck_assert_uint_eq(count.tokens, held);
    ck_assert_uint_ge(count.stamps, 1);
    ck_assert_uint_eq(look(p, b).tokens, 0);
    ck_assert_uint_eq(people_messages(p, a, b, "received", NULL), 0);
}

START_TEST(the_tokens_of_a_blocked_contact_are_worth_nothing)
{
    struct person *a;
    struct person *b;
    struct people *p = people_two(83, false, &a, &b);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_settle(&p->sim, MINUTE);
    all_are_void(p, a, b);
    /* Taken back: new tokens come with what is written. */
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", b->id, NULL));
    people_say(p, a, b, "again ", 0);
    people_quiet(p, 3 * (uint64_t)LIMIT_DAY_MS);
    people_in_order(p, a, b, "blocked ", 1);
    ck_assert_uint_gt(look(p, b).tokens, 0);
    struct deposits count;
    watch(p, &count, b);
    people_say(p, b, a, "free ", 0);
    people_quiet(p, HOUR);
    ck_assert_uint_eq(count.stamps, 0);
    people_in_order(p, a, b, "free ", 1);
    people_free(p);
}
END_TEST

static void count_voiding(void *ctx, struct turn *turn)
{
    struct look *look = ctx;
    struct step step = {.turn = turn};
    struct voiding_row row;
    enum err err =
        voiding_row_first(&step, look->who->n->node->accounts->keys, &look->contact, &row);
    look->tokens = err == ERR_OK ? row.last - row.done : 0;
}

static uint64_t voiding(struct people *p, struct person *who)
{
    struct look look = {.who = who};
    sim_turn(&p->sim, who->n, count_voiding, &look);
    return look.tokens;
}

/* The link goes with every other request to void, and the node with it. */
struct breaks {
    struct sim_node *n;
    unsigned requests;
};

static enum sim_fate cut_voids(void *ctx, struct sim *sim, const struct sim_node *from,
                               const struct sim_node *to, uint8_t *p, size_t len)
{
    struct breaks *b = ctx;
    struct frame frame;
    (void)sim;
    (void)to;
    if (frame_read(slice_of(p, len), &frame) != ERR_OK) {
        return SIM_PASS;
    }
    bool request = from == b->n && frame.kind == FRAME_QUEUE_VOID;
    bool reply = to == b->n && frame.kind == FRAME_QUEUE_VOID + FRAME_REPLY;
    b->requests += request;
    return (request && b->requests % 3 == 1) || (reply && b->requests % 3 == 2) ? SIM_CUT
                                                                                : SIM_PASS;
}

START_TEST(voiding_goes_on_over_broken_links_and_restarts_until_all_are_void)
{
    enum {
        MANY = 1300 /* more than two requests */
    };
    struct person *a;
    struct person *b;
    struct people *p = people_two(84, false, &a, &b);
    people_tokens(p, b, a, MANY);
    sim_sleep(&p->sim, p->relay);
    sim_settle(&p->sim, MINUTE);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    ck_assert_uint_gt(voiding(p, a), MANY);
    sim_restart(&p->sim, a->n);
    struct breaks breaks = {.n = a->n};
    p->sim.fate = cut_voids;
    p->sim.fate_ctx = &breaks;
    sim_wake(&p->sim, p->relay);
    /* Taken back before it is done: the old tokens go all the same. */
    ck_assert_ok(people_call(p, a->n, "contact.add", "link", b->id, NULL));
    sim_settle(&p->sim, 2 * (uint64_t)HOUR);
    ck_assert_uint_ge(breaks.requests, 5);
    ck_assert_uint_eq(voiding(p, a), 0);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_settle(&p->sim, MINUTE);
    all_are_void(p, a, b);
    people_free(p);
}
END_TEST

/* The nonces of all tokens that b spent, and of those that a has voided. */
struct named {
    const struct sim_node *a;
    const struct sim_node *b;
    unsigned cut; /* so many requests to void are still lost, and the link with each */
    unsigned spent;
    unsigned voided;
    unsigned both;
    uint8_t nonces[200][TOKEN_NONCE];
};

static bool was_spent(const struct named *n, const uint8_t *nonce)
{
    for (unsigned i = 0; i < n->spent; i++) {
        if (memcmp(n->nonces[i], nonce, TOKEN_NONCE) == 0) {
            return true;
        }
    }
    return false;
}

static enum sim_fate note_nonces(void *ctx, struct sim *sim, const struct sim_node *from,
                                 const struct sim_node *to, uint8_t *p, size_t len)
{
    struct named *n = ctx;
    struct frame frame;
    struct queue_deposit d;
    struct queue_void v;
    (void)sim;
    (void)to;
    if (frame_read(slice_of(p, len), &frame) != ERR_OK) {
        return SIM_PASS;
    }
    if (from == n->b && frame.kind == FRAME_QUEUE_DEPOSIT &&
        queue_deposit_read(frame.body, &d) == ERR_OK && !d.admission.stamp) {
        if (!was_spent(n, d.admission.token.b)) {
            memcpy(n->nonces[n->spent++], d.admission.token.b, TOKEN_NONCE);
        }
    } else if (from == n->a && frame.kind == FRAME_QUEUE_VOID) {
        if (n->cut > 0) {
            n->cut--;
            return SIM_CUT;
        }
        ck_assert_ok(queue_void_read(frame.body, &v));
        for (size_t at = 0; at < v.nonces.len; at += TOKEN_NONCE) {
            n->voided++;
            n->both += was_spent(n, v.nonces.p + at);
        }
    }
    return SIM_PASS;
}

/* b loses its oldest tokens: they stay out. */
static void lose_three(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    uint8_t token[ROW_TOKEN];
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ok(token_row_take(&step, who->n->node->accounts->keys, 1, token));
    }
}

START_TEST(voiding_names_no_token_that_came_back)
{
    enum {
        MANY = 30,
        LATE = 2
    };
    struct person *a;
    struct person *b;
    struct named named;
    struct people *p = people_two(85, false, &a, &b);
    named = (struct named){.a = a->n, .b = b->n, .cut = 1};
    p->sim.fate = note_nonces;
    p->sim.fate_ctx = &named;
    for (unsigned i = 0; i < MANY; i++) {
        people_say(p, b, a, "b ", i);
        sim_settle(&p->sim, 3000);
        if (i == MANY / 2) {
            sim_turn(&p->sim, b->n, lose_three, b);
        }
    }
    people_quiet(p, HOUR);
    sim_settle(&p->sim, MINUTE);
    /* These come when b is blocked already, and before the relay was asked. */
    sim_sleep(&p->sim, a->n);
    for (unsigned i = 0; i < LATE; i++) {
        people_say(p, b, a, "late ", i);
        sim_settle(&p->sim, MINUTE);
    }
    unsigned held = (unsigned)look(p, b).tokens;
    sim_wake(&p->sim, a->n);
    ck_assert_ok(people_call(p, a->n, "contact.block", "contact", b->id, NULL));
    sim_settle(&p->sim, HOUR);
    ck_assert_uint_eq(named.cut, 0);
    ck_assert_uint_ge(named.spent, MANY + LATE);
    ck_assert_uint_eq(named.both, 0);
    ck_assert_uint_eq(voiding(p, a), 0);
    ck_assert_uint_ge(held, 20);
    ck_assert_uint_eq(named.voided, held + 3);
    people_free(p);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, who_writes_600_messages_a_day_needs_no_stamps_once_the_stock_has_grown);
    tcase_add_test(tc, a_stock_that_was_spent_while_the_reader_slept_is_filled_when_it_wakes);
    tcase_add_test(tc, who_only_writes_gets_tokens_with_every_acknowledgement);
    tcase_add_test(tc, who_keeps_tokens_back_gets_no_others_in_their_place);
    tcase_add_test(tc, the_tokens_of_a_blocked_contact_are_worth_nothing);
    tcase_add_test(tc, voiding_names_no_token_that_came_back);
    tcase_add_test(tc, voiding_goes_on_over_broken_links_and_restarts_until_all_are_void);
}

int main(void)
{
    return unit_main("sim/tokens", add_tests);
}
