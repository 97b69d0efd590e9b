/* SPDX-License-Identifier: Apache-2.0
 *
 * attack: what thieves of tokens and invitations, strangers at a key bundle and lying relays try on
 * whole nodes, and how it fails. docs/threat-model.md names these tests.
 */
#include <stdlib.h>
#include <string.h>

#include "link/frame.h"
#include "node/core.h"
#include "relay/queue.h"
#include "relay/record.h"
#include "sim/people.h"

enum {
    DAY = 86400000,
    HOUR = 3600000,
};

/* --- stolen invitations --- */

/* What of an invitation a thief uses; the rest is replaced with noise. */
enum {
    USE_POP = 1,
    USE_DEPOSIT = 2,
    USE_SECRET = 4,
    USE_ALL = 7,
};

static void steal(struct people *p, const char *link, unsigned use, char stolen[INVITE_TEXT])
{
    struct invite invite;
    const struct env *env = &p->sim.random.env;
    ck_assert_ok(invite_decode(unit_str(link), &invite));
    if ((use & USE_POP) == 0) {
        env_random(env, invite.pop_token, sizeof invite.pop_token);
    }
    if ((use & USE_DEPOSIT) == 0) {
        env_random(env, invite.deposit_token, sizeof invite.deposit_token);
    }
    if ((use & USE_SECRET) == 0) {
        env_random(env, invite.secret, sizeof invite.secret);
    }
    invite_encode(&invite, stolen);
}

struct theft {
    struct people *p;
    struct person *inviter;
    struct person *rightful;
    struct person *thief;
    char link[INVITE_TEXT];
    char stolen[INVITE_TEXT];
};

static void theft_begin(struct theft *t, uint64_t seed, unsigned use)
{
    t->p = people_new(seed, 3);
    t->inviter = &t->p->person[0];
    t->rightful = &t->p->person[1];
    t->thief = &t->p->person[2];
    people_invite(t->p, t->inviter, t->link);
    steal(t->p, t->link, use, t->stolen);
}

/* The thief was first. Whatever of it was used, the rightful one hears of it: when a token of
 * theirs is gone, or when the inviter answers. The inviter does when the secret comes twice, and
 * then the thief is told what everybody is who used it; who has only tokens is no contact. */
START_TEST(an_invitation_that_was_stolen_before_its_use_alarms)
{
    for (unsigned use = 1; use <= USE_ALL; use++) {
        struct theft t;
        theft_begin(&t, 200 + use, use);
        bool secret = (use & USE_SECRET) != 0;
        people_add(t.p, t.thief, t.stolen);
        sim_settle(&t.p->sim, HOUR);
        ck_assert_str_eq(people_state(t.p, t.inviter, t.thief), secret ? "accepted" : "");
        people_add(t.p, t.rightful, t.link);
        people_wait_state(t.p, t.inviter, t.rightful, secret ? "incoming" : "accepted");
        sim_settle(&t.p->sim, HOUR);
        ck_assert_msg(people_events(t.p, t.inviter, "invite.misused") == secret, "use %u", use);
        ck_assert_msg(people_events(t.p, t.rightful, "contact.failed") == (use != USE_SECRET),
                      "use %u", use);
        ck_assert_msg(people_events(t.p, t.thief, "contact.failed") == secret, "use %u", use);
        /* The inviter can still put it right. */
        if (secret) {
            ck_assert_ok(
                people_call(t.p, t.inviter->n, "contact.block", "contact", t.thief->id, NULL));
            ck_assert_ok(
                people_call(t.p, t.inviter->n, "request.accept", "contact", t.rightful->id, NULL));
        }
        people_wait_state(t.p, t.rightful, t.inviter, "accepted");
        sim_settle(&t.p->sim, HOUR);
        ck_assert_msg(people_events(t.p, t.rightful, "contact.failed") == 1, "use %u", use);
        people_free(t.p);
    }
}
END_TEST

/* The thief was second: a contact of nobody, at most a request like any other's; and who was first
 * hears that somebody else has the invitation. */
START_TEST(an_invitation_that_was_stolen_after_its_use_gives_nothing)
{
    for (unsigned use = 1; use <= USE_ALL; use++) {
        struct theft t;
        theft_begin(&t, 210 + use, use);
        bool secret = (use & USE_SECRET) != 0;
        people_add(t.p, t.rightful, t.link);
        people_wait_state(t.p, t.rightful, t.inviter, "accepted");
        people_add(t.p, t.thief, t.stolen);
        sim_settle(&t.p->sim, 2 * HOUR);
        ck_assert_str_eq(people_state(t.p, t.inviter, t.thief), secret ? "incoming" : "");
        ck_assert_msg(people_events(t.p, t.inviter, "invite.misused") == secret, "use %u", use);
        ck_assert_msg(people_events(t.p, t.rightful, "contact.failed") == secret, "use %u", use);
        ck_assert_str_eq(people_state(t.p, t.inviter, t.rightful), "accepted");
        people_free(t.p);
    }
}
END_TEST

/* --- tokens --- */

enum {
    STOCK = 10,
    MANY = 4,
};

/* What came of the deposits at the relay. */
struct ledger {
    unsigned stored;
    unsigned bad;
    unsigned spent;
    unsigned stamps; /* of those that were asked for */
};

static enum sim_fate keep_ledger(void *ctx, struct sim *sim, const struct sim_node *from,
                                 const struct sim_node *to, uint8_t *p, size_t len)
{
    struct ledger *l = ctx;
    struct frame f;
    struct queue_deposit d;
    struct queue_deposit_reply r;
    (void)sim;
    (void)from;
    (void)to;
    if (frame_read(slice_of(p, len), &f) != ERR_OK) {
        return SIM_PASS;
    }
    if (f.kind == FRAME_QUEUE_DEPOSIT && queue_deposit_read(f.body, &d) == ERR_OK) {
        l->stamps += d.admission.stamp;
    }
    if (f.kind == FRAME_QUEUE_DEPOSIT + FRAME_REPLY &&
        queue_deposit_reply_read(f.body, &r) == ERR_OK) {
        l->stored += r.head.err == ERR_OK;
        l->bad += r.head.err == ERR_BAD_TOKEN;
        l->spent += r.head.err == ERR_TOKEN_SPENT;
    }
    return SIM_PASS;
}

/* Three who know a; b and c have no tokens yet. */
static struct people *three(uint64_t seed, struct ledger *ledger)
{
    struct people *p = people_new(seed, 3);
    struct token tokens[LIMIT_TOKEN_STOCK];
    people_meet(p, &p->person[0], &p->person[1]);
    people_meet(p, &p->person[0], &p->person[2]);
    for (size_t i = 1; i < 3; i++) {
        (void)people_tokens_take(p, &p->person[i], &p->person[0], tokens, LIMIT_TOKEN_STOCK);
    }
    *ledger = (struct ledger){.stored = 0};
    p->sim.fate = keep_ledger;
    p->sim.fate_ctx = ledger;
    return p;
}

static void write_many(struct people *p, struct person *from, struct person *to, const char *prefix,
                       unsigned first)
{
    for (unsigned i = first; i < first + MANY; i++) {
        people_say(p, from, to, prefix, i);
        sim_settle(&p->sim, HOUR / 4); /* one by one: what waits together would travel together */
    }
}

/* c has b's tokens and is first to use them: what comes with them comes in c's name, and b is not
 * silenced. */
START_TEST(stolen_tokens_speak_for_nobody_and_silence_nobody)
{
    struct ledger ledger;
    struct token tokens[STOCK];
    struct people *p = three(220, &ledger);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    struct person *c = &p->person[2];
    people_tokens(p, b, a, STOCK);
    ck_assert_uint_eq(people_tokens_take(p, b, a, tokens, STOCK), STOCK);
    people_tokens_put(p, b, a, tokens, STOCK);
    people_tokens_put(p, c, a, tokens, STOCK);
    sim_sleep(&p->sim, a->n); /* nobody gets others */
    write_many(p, c, a, "c ", 0);
    ck_assert_uint_eq(ledger.stored, MANY);
    write_many(p, b, a, "b ", 0);
    ck_assert_uint_eq(ledger.stored, 2 * MANY);
    ck_assert_uint_eq(ledger.spent, MANY); /* those that c used; then its own next ones */
    ck_assert_uint_eq(ledger.stamps, 0);
    sim_wake(&p->sim, a->n);
    sim_settle(&p->sim, HOUR);
    people_in_order(p, a, b, "b ", MANY);
    ck_assert_uint_eq(people_messages(p, a, b, NULL, NULL), MANY);
    people_in_order(p, a, c, "c ", MANY);
    ck_assert_uint_eq(people_messages(p, a, c, NULL, NULL), MANY);
    ck_assert_uint_eq(people_outbox(p, b), 0);
    people_free(p);
}
END_TEST

/* Whatever c makes of tokens that it has seen, each deposit is paid with a stamp in the end. */
START_TEST(forged_tokens_admit_nothing)
{
    struct ledger ledger;
    struct token tokens[MANY];
    struct people *p = three(221, &ledger);
    struct person *a = &p->person[0];
    struct person *c = &p->person[2];
    people_tokens(p, c, a, MANY);
    ck_assert_uint_eq(people_tokens_take(p, c, a, tokens, MANY), MANY);
    tokens[0].b[0] ^= 1;                           /* another nonce */
    tokens[1].b[TOKEN - 1] ^= 1;                   /* another tag */
    memcpy(tokens[2].b, tokens[3].b, TOKEN_NONCE); /* the tag of another one */
    env_random(&p->sim.random.env, tokens[3].b, sizeof tokens[3].b);
    people_tokens_put(p, c, a, tokens, MANY);
    sim_sleep(&p->sim, a->n);
    write_many(p, c, a, "c ", 0);
    ck_assert_uint_eq(ledger.bad, MANY);
    ck_assert_uint_eq(ledger.stamps, ledger.stored);
    sim_wake(&p->sim, a->n);
    people_quiet(p, HOUR);
    people_in_order(p, a, c, "c ", MANY);
    people_free(p);
}
END_TEST

/* b keeps copies of its tokens: each admits one envelope, also after a restart of the relay and
 * when the envelope was fetched. */
START_TEST(a_token_is_not_spent_twice)
{
    struct ledger ledger;
    struct token tokens[MANY];
    struct people *p = three(222, &ledger);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_tokens(p, b, a, MANY);
    ck_assert_uint_eq(people_tokens_take(p, b, a, tokens, MANY), MANY);
    for (unsigned round = 0; round < 3; round++) {
        struct token others[LIMIT_TOKEN_STOCK];
        (void)people_tokens_take(p, b, a, others, LIMIT_TOKEN_STOCK);
        people_tokens_put(p, b, a, tokens, MANY);
        sim_sleep(&p->sim, a->n);
        ledger = (struct ledger){.stored = 0};
        write_many(p, b, a, "b ", round * MANY);
        ck_assert_uint_eq(ledger.spent, round == 0 ? 0 : MANY);
        ck_assert_uint_eq(ledger.stamps, round == 0 ? 0 : MANY);
        ck_assert_uint_eq(ledger.stored, MANY);
        sim_wake(&p->sim, a->n);
        people_quiet(p, HOUR);
        sim_restart(&p->sim, p->relay);
        sim_settle(&p->sim, HOUR);
    }
    people_in_order(p, a, b, "b ", 3 * MANY);
    people_free(p);
}
END_TEST

/* --- key bundles --- */

/* Somebody who asks the relay directly. */
struct popping {
    struct people *p;
    struct record_pop request;
    struct record_pop_reply reply;
    uint32_t part; /* 0: none */
};

static void pop(void *ctx, struct turn *turn)
{
    struct popping *x = ctx;
    struct relay_peer peer = {.link = UINT64_MAX, .kind = FRAME_RECORD_POP};
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof bytes);
    uint8_t *out = arena_alloc(turn->arena, LIMIT_FRAME);
    struct writer reply = writer_of(out, LIMIT_FRAME);
    record_pop_write(&w, &x->request);
    ck_assert_ok(relay_host_request(x->p->relay->node->relay, turn, &peer, RELAY_RECORD_POP,
                                    writer_done(&w), &reply));
    ck_assert_ok(record_pop_reply_read(writer_done(&reply), &x->reply));
    x->part = x->reply.has_part ? x->reply.part.id : 0;
}

/* Pops with this token, or, NULL, with a stamp that cost nothing. */
static uint32_t pop_one(struct popping *x, const struct token *token)
{
    env_random(&x->p->sim.random.env, x->request.pop_nonce, sizeof x->request.pop_nonce);
    x->request.admission = (struct relay_admission){.stamp = token == NULL};
    x->request.admission.stamp_minute = (uint32_t)(x->p->sim.random.env.now_ms / LIMIT_MINUTE_MS);
    if (token != NULL) {
        x->request.admission.token = *token;
    }
    sim_turn(&x->p->sim, x->p->relay, pop, x);
    return x->part;
}

/* What a stranger has to pay for this is in unit.relay.*; here it has been paid. */
START_TEST(who_pops_all_parts_stops_nobody)
{
    struct people *p = people_new(230, 3);
    struct person *a = &p->person[0];
    struct popping x = {.p = p};
    struct sign_pk queue;
    struct token tokens[LIMIT_ONE_TIME_PARTS + 2];
    people_names(p, a, &queue, &x.request.record);
    people_pop_tokens(p, a, tokens, LIMIT_ONE_TIME_PARTS + 2);
    ck_assert_uint_eq(pop_one(&x, NULL), 0);
    ck_assert_err(x.reply.head.err, ERR_STAMP_TOO_CHEAP);
    size_t before = store_mem_count(p->relay->mem, STORE_RECORD_PART);
    for (uint32_t i = 0; i < LIMIT_ONE_TIME_PARTS; i++) {
        ck_assert_uint_eq(pop_one(&x, &tokens[i]), i + 1);
    }
    ck_assert_uint_eq(pop_one(&x, &tokens[LIMIT_ONE_TIME_PARTS]), 0);
    ck_assert_err(x.reply.head.err, ERR_OK);
    ck_assert_uint_eq(store_mem_count(p->relay->mem, STORE_RECORD_PART),
                      before - LIMIT_ONE_TIME_PARTS);
    /* Two at once, both with the last resort. */
    char links[2][INVITE_TEXT];
    for (size_t i = 0; i < 2; i++) {
        people_invite(p, a, links[i]);
        people_add(p, &p->person[1 + i], links[i]);
    }
    for (size_t i = 1; i < 3; i++) {
        people_wait_state(p, &p->person[i], a, "accepted");
        people_say(p, a, &p->person[i], "a ", 0);
        people_say(p, &p->person[i], a, "b ", 0);
    }
    people_quiet(p, HOUR);
    for (size_t i = 1; i < 3; i++) {
        people_in_order(p, &p->person[i], a, "a ", 1);
        people_in_order(p, a, &p->person[i], "b ", 1);
    }
    /* The owner sees it within an hour, and fills up. */
    sim_settle(&p->sim, HOUR + LIMIT_MINUTE_MS);
    ck_assert_uint_gt(pop_one(&x, &tokens[LIMIT_ONE_TIME_PARTS + 1]), LIMIT_ONE_TIME_PARTS);
    ck_assert_uint_ge(store_mem_count(p->relay->mem, STORE_RECORD_PART),
                      before - LIMIT_ONE_TIME_REFILL);
    people_free(p);
}
END_TEST

struct asking {
    unsigned pops;
    unsigned gets;
};

static enum sim_fate count_asking(void *ctx, struct sim *sim, const struct sim_node *from,
                                  const struct sim_node *to, uint8_t *p, size_t len)
{
    struct asking *asking = ctx;
    struct frame f;
    (void)sim;
    (void)from;
    (void)to;
    if (frame_read(slice_of(p, len), &f) == ERR_OK) {
        asking->pops += f.kind == FRAME_RECORD_POP;
        asking->gets += f.kind == FRAME_RECORD_GET;
    }
    return SIM_PASS;
}

/* The relay gives out parts whose secrets are gone, as one that keeps old ones does. */
START_TEST(useless_parts_hold_a_request_up_for_a_day_only)
{
    struct asking asking = {.pops = 0};
    struct people *p = people_new(231, 2);
    struct person *a = &p->person[0];
    struct person *b = &p->person[1];
    people_lose_parts(p, a);
    p->sim.fate = count_asking;
    p->sim.fate_ctx = &asking;
    people_add(p, b, a->id);
    people_wait_state(p, b, a, "requested");
    sim_settle(&p->sim, DAY - HOUR);
    ck_assert_str_eq(people_state(p, a, b), "");
    ck_assert_uint_eq(asking.pops, 1);
    sim_settle(&p->sim, 2 * HOUR);
    people_wait_state(p, a, b, "incoming");
    ck_assert_uint_eq(asking.pops, 1);
    ck_assert_uint_eq(asking.gets, 1);
    ck_assert_ok(people_call(p, a->n, "request.accept", "contact", b->id, NULL));
    people_wait_state(p, b, a, "accepted");
    people_say(p, b, a, "b ", 0);
    people_say(p, a, b, "a ", 0);
    people_quiet(p, HOUR);
    people_in_order(p, a, b, "b ", 1);
    people_in_order(p, b, a, "a ", 1);
    ck_assert_uint_eq(people_events(p, a, "request.received"), 1);
    people_free(p);
}
END_TEST

struct denying {
    enum err err;   /* what each record.put gets, */
    bool by_halves; /* or each second one: the others are taken */
    unsigned puts;
};

/* Says that no parts are left, whatever it has. */
static enum sim_fate say_none_are_left(void *ctx, struct sim *sim, const struct sim_node *from,
                                       const struct sim_node *to, uint8_t *p, size_t len)
{
    static uint8_t bytes[256];
    uint8_t body[128];
    struct writer b = writer_of(body, sizeof body);
    struct writer w = writer_of(bytes, sizeof bytes);
    struct denying *denying = ctx;
    bool takes = denying->by_halves && denying->puts % 2 == 0;
    struct record_put_reply put = {.head = {.err = takes ? ERR_OK : denying->err}};
    struct record_status_reply status;
    struct frame f;
    (void)from;
    (void)to;
    if (frame_read(slice_of(p, len), &f) != ERR_OK) {
        return SIM_PASS;
    }
    if (f.kind == FRAME_RECORD_PUT + FRAME_REPLY) {
        denying->puts++;
        record_put_reply_write(&b, &put);
    } else if (f.kind == FRAME_RECORD_STATUS + FRAME_REPLY &&
               record_status_reply_read(f.body, &status) == ERR_OK && status.head.err == ERR_OK) {
        status.parts_left = 0;
        record_status_reply_write(&b, &status);
    } else {
        return SIM_PASS;
    }
    f.body = writer_done(&b);
    frame_write(&w, &f);
    sim->instead = writer_done(&w);
    return SIM_PASS;
}

START_TEST(a_relay_that_never_has_parts_gets_few_of_them)
{
    struct denying takes = {.err = ERR_OK};
    struct people *p = people_new(232, 1);
    struct person *a = &p->person[0];
    size_t before = store_mem_count(a->n->mem, STORE_PREKEY);
    p->sim.lines.latency_ms = 500;
    p->sim.fate = say_none_are_left;
    p->sim.fate_ctx = &takes;
    sim_cut(&p->sim, a->n);
    sim_settle(&p->sim, 5 * LIMIT_MINUTE_MS);
    ck_assert_uint_le(store_mem_count(a->n->mem, STORE_PREKEY), before + LIMIT_ONE_TIME_HOUR);
    sim_settle(&p->sim, 3 * HOUR);
    size_t made = store_mem_count(a->n->mem, STORE_PREKEY) - before;
    ck_assert_uint_le(made, 4 * LIMIT_ONE_TIME_HOUR);
    ck_assert_uint_gt(made, LIMIT_ONE_TIME_HOUR); /* it may have lost them */
    ck_assert(people_ready(p, a));
    people_free(p);
}
END_TEST

/* It says that our record is as we think, and that what fits that does not fit. */
static void contradicts(struct denying refuses, unsigned most)
{
    struct people *p = people_new(233, 1);
    struct person *a = &p->person[0];
    p->sim.fate = say_none_are_left;
    p->sim.fate_ctx = &refuses;
    sim_cut(&p->sim, a->n);
    sim_settle(&p->sim, 6 * HOUR);
    ck_assert_uint_gt(refuses.puts, 5);
    ck_assert_uint_lt(refuses.puts, most);
    ck_assert_uint_eq(people_events(p, a, "relay.failing"), 1);
    p->sim.fate = NULL;
    sim_settle(&p->sim, 2 * HOUR);
    ck_assert(people_ready(p, a));
    people_free(p);
}

START_TEST(a_relay_that_contradicts_itself_is_asked_less_and_less)
{
    contradicts((struct denying){.err = ERR_STALE}, 25);
}
END_TEST

/* A record that it has just taken is not there when parts come for it. */
START_TEST(a_relay_that_loses_our_record_again_and_again_is_asked_less_and_less)
{
    contradicts((struct denying){.err = ERR_NOT_FOUND, .by_halves = true}, 50);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, an_invitation_that_was_stolen_before_its_use_alarms);
    tcase_add_test(tc, an_invitation_that_was_stolen_after_its_use_gives_nothing);
    tcase_add_test(tc, stolen_tokens_speak_for_nobody_and_silence_nobody);
    tcase_add_test(tc, forged_tokens_admit_nothing);
    tcase_add_test(tc, a_token_is_not_spent_twice);
    tcase_add_test(tc, who_pops_all_parts_stops_nobody);
    tcase_add_test(tc, useless_parts_hold_a_request_up_for_a_day_only);
    tcase_add_test(tc, a_relay_that_never_has_parts_gets_few_of_them);
    tcase_add_test(tc, a_relay_that_contradicts_itself_is_asked_less_and_less);
    tcase_add_test(tc, a_relay_that_loses_our_record_again_and_again_is_asked_less_and_less);
}

int main(void)
{
    return unit_main("sim/attack", add_tests);
}
