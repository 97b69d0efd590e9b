/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/people.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "node/home_keys.h"
#include "node/stock.h"

enum {
    PEOPLE_PARAMS = 65536,
    PEOPLE_TURNS = 10000000,
};

static enum err run(struct people *p, struct sim_node *n, const char *method, va_list args,
                    bool query)
{
    static uint8_t bytes[PEOPLE_PARAMS];
    struct writer w = writer_of(bytes, sizeof bytes);
    uint32_t pairs = 0;
    const char *name;
    while ((name = va_arg(args, const char *)) != NULL) {
        sim_pair_str(&w, name, va_arg(args, const char *));
        pairs++;
    }
    ck_assert_int_eq(w.err, ERR_OK);
    return query ? sim_query(&p->sim, n, method, pairs, writer_done(&w))
                 : sim_call(&p->sim, n, method, pairs, writer_done(&w));
}

enum err people_call(struct people *p, struct sim_node *n, const char *method, ...)
{
    va_list args;
    va_start(args, method);
    enum err err = run(p, n, method, args, false);
    va_end(args);
    return err;
}

enum err people_query(struct people *p, struct sim_node *n, const char *method, ...)
{
    va_list args;
    va_start(args, method);
    enum err err = run(p, n, method, args, true);
    va_end(args);
    return err;
}

bool people_until(struct people *p, bool (*done)(struct people *p, void *ctx), void *ctx,
                  uint64_t ms)
{
    uint64_t end = p->sim.random.env.now_ms + ms;
    for (unsigned i = 0; i < PEOPLE_TURNS; i++) {
        if (sim_run(&p->sim)) {
            continue;
        }
        if (done(p, ctx)) {
            return true;
        }
        if (sim_run(&p->sim)) {
            continue;
        }
        if (p->sim.random.env.now_ms >= end) {
            return false;
        }
        sim_advance(&p->sim);
    }
    return false;
}

void people_use_relay(struct people *p, struct sim_node *relay, struct person *who)
{
    char code[80];
    char address[256];
    ck_assert_ok(people_call(p, relay, "relay.invite", NULL));
    ck_assert(sim_result_str(relay, "code", code, sizeof code));
    ck_assert_ok(people_call(p, relay, "daemon.status", NULL));
    ck_assert(sim_result_str(relay, "node", address, sizeof address));
    ck_assert_ok(people_call(p, who->n, "relay.use", "address", address, "code", code, NULL));
}

bool people_ready(struct people *p, struct person *who)
{
    char state[32];
    return people_call(p, who->n, "relay.status", NULL) == ERR_OK &&
           sim_result_str(who->n, "state", state, sizeof state) && strcmp(state, "ready") == 0;
}

static bool all_ready(struct people *p, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < p->count; i++) {
        if (!people_ready(p, &p->person[i])) {
            return false;
        }
    }
    return true;
}

static struct people *gather(uint64_t seed, size_t n, bool apart)
{
    struct people *p = calloc(1, sizeof *p);
    ck_assert_ptr_nonnull(p);
    sim_init(&p->sim, seed);
    p->relay = sim_add(&p->sim, true);
    for (p->count = 0; p->count < n; p->count++) {
        struct person *who = &p->person[p->count];
        who->relay = apart && p->count > 0 ? sim_add(&p->sim, true) : p->relay;
        who->n = sim_add(&p->sim, false);
        ck_assert_ok(people_call(p, who->n, "account.create", NULL));
        ck_assert(sim_result_str(who->n, "id", who->id, sizeof who->id));
        people_use_relay(p, who->relay, who);
    }
    ck_assert(people_until(p, all_ready, NULL, LIMIT_HOUR_MS));
    return p;
}

struct people *people_new(uint64_t seed, size_t n)
{
    return gather(seed, n, false);
}

struct people *people_new_apart(uint64_t seed, size_t n)
{
    return gather(seed, n, true);
}

void people_free(struct people *p)
{
    sim_fini(&p->sim);
    free(p);
}

struct people *people_two(uint64_t seed, bool apart, struct person **a, struct person **b)
{
    struct people *p = gather(seed, 2, apart);
    *a = &p->person[0];
    *b = &p->person[1];
    people_meet(p, *a, *b);
    return p;
}

void people_quiet(struct people *p, uint64_t ms)
{
    ck_assert_msg(people_until(p, people_all_quiet, NULL, ms), "outboxes never empty");
}

void people_say(struct people *p, struct person *from, struct person *to, const char *prefix,
                unsigned i)
{
    char text[64];
    snprintf(text, sizeof text, "%s%u", prefix, i);
    ck_assert_ok(people_send(p, from, to, text));
}

enum err people_send(struct people *p, struct person *from, struct person *to, const char *text)
{
    return people_call(p, from->n, "message.send", "contact", to->id, "text", text, NULL);
}

/* --- looking --- */

/* The text under this key of the map at r, which is read to its end. */
struct found {
    struct slice value[4];
};

static struct found map_find(struct reader *r, const char *const names[], unsigned n)
{
    struct found f = {.value = {{NULL, 0}}};
    uint32_t pairs = pack_read_map(r, 16);
    for (uint32_t i = 0; i < pairs; i++) {
        struct slice key = pack_read_str(r, 32);
        unsigned k = 0;
        while (k < n && !slice_equal(key, unit_str(names[k]))) {
            k++;
        }
        if (k < n) {
            f.value[k] = pack_read_str(r, LIMIT_TEXT);
        } else {
            pack_skip(r, 4);
        }
    }
    ck_assert_int_eq(r->err, ERR_OK);
    return f;
}

/* A reader at the first entry of the list that the result begins with. */
static struct reader list_of(const struct sim_node *n, uint32_t *count)
{
    struct reader r = reader_of(slice_of(n->reply, n->reply_len));
    (void)pack_read_map(&r, 4);
    (void)pack_read_str(&r, 32);
    *count = pack_read_array(&r, 100000);
    ck_assert_int_eq(r.err, ERR_OK);
    return r;
}

const char *people_state(struct people *p, struct person *who, struct person *of)
{
    static const char *const names[] = {"id", "state"};
    static const char *const states[] = {"resolving", "requested", "incoming", "accepted",
                                         "blocked"};
    for (int requests = 0; requests < 2; requests++) {
        uint32_t count;
        ck_assert_ok(people_query(p, who->n, requests ? "request.list" : "contact.list", NULL));
        struct reader r = list_of(who->n, &count);
        for (uint32_t i = 0; i < count; i++) {
            struct found f = map_find(&r, names, 2);
            if (!slice_equal(f.value[0], unit_str(of->id))) {
                continue;
            }
            if (requests) {
                return "incoming";
            }
            for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
                if (slice_equal(f.value[1], unit_str(states[s]))) {
                    return states[s];
                }
            }
        }
    }
    return "";
}

uint64_t people_outbox(struct people *p, struct person *who)
{
    uint64_t n = UINT64_MAX;
    ck_assert_ok(people_call(p, who->n, "daemon.status", NULL));
    ck_assert(sim_result_uint(who->n, "outbox", &n));
    return n;
}

bool people_all_quiet(struct people *p, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->person[i].n->asleep && people_outbox(p, &p->person[i]) != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t number_of(struct slice map, const char *name)
{
    uint64_t v = 0;
    struct reader r = reader_of(map);
    uint32_t pairs = pack_read_map(&r, 16);
    for (uint32_t i = 0; i < pairs; i++) {
        if (slice_equal(pack_read_str(&r, 32), unit_str(name))) {
            v = pack_read_uint(&r, UINT64_MAX);
        } else {
            pack_skip(&r, 5);
        }
    }
    return v;
}

unsigned people_events(struct people *p, struct person *who, const char *type)
{
    static const char *const names[] = {"type"};
    unsigned found = 0;
    uint64_t since = 0;
    for (;;) {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_uint(&w, "since", since);
        ck_assert_ok(sim_query(&p->sim, who->n, "event.read", 1, writer_done(&w)));
        uint32_t count;
        struct reader r = list_of(who->n, &count);
        for (uint32_t i = 0; i < count; i++) {
            size_t start = r.pos;
            struct found f = map_find(&r, names, 1);
            found += slice_equal(f.value[0], unit_str(type));
            since = number_of(slice_of(r.p + start, r.pos - start), "cursor");
        }
        if (count == 0) {
            return found;
        }
    }
}

/* Calls each for every message of the history with `of`, newest first within each answer. */
static void history(struct people *p, struct person *who, struct person *of,
                    void (*each)(void *ctx, struct slice state, struct slice text, uint64_t order),
                    void *ctx)
{
    static const char *const names[] = {"state", "text"};
    uint64_t before = UINT64_MAX;
    for (;;) {
        uint8_t bytes[512];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_str(&w, "contact", of->id);
        sim_pair_uint(&w, "before", before);
        sim_pair_uint(&w, "limit", 500);
        ck_assert_ok(sim_query(&p->sim, who->n, "message.history", 3, writer_done(&w)));
        uint32_t count;
        struct reader r = list_of(who->n, &count);
        if (count == 0) {
            return;
        }
        for (uint32_t i = 0; i < count; i++) {
            size_t start = r.pos;
            struct found f = map_find(&r, names, 2);
            uint64_t order = number_of(slice_of(r.p + start, r.pos - start), "order");
            before = order < before ? order : before;
            each(ctx, f.value[0], f.value[1], order);
        }
    }
}

struct counting {
    const char *state;
    const char *text;
    unsigned count;
};

static void count_one(void *ctx, struct slice state, struct slice text, uint64_t order)
{
    struct counting *c = ctx;
    (void)order;
    c->count += (c->state == NULL || slice_equal(state, unit_str(c->state))) &&
                (c->text == NULL || slice_equal(text, unit_str(c->text)));
}

unsigned people_messages(struct people *p, struct person *who, struct person *of, const char *state,
                         const char *text)
{
    struct counting c = {.state = state, .text = text};
    history(p, who, of, count_one, &c);
    return c.count;
}

struct ordering {
    const char *prefix;
    unsigned n;
    uint64_t *orders; /* of text i; 0: not there */
};

static void order_one(void *ctx, struct slice state, struct slice text, uint64_t order)
{
    struct ordering *o = ctx;
    char all[128] = "";
    size_t len = strlen(o->prefix);
    if (text.len >= sizeof all || text.len <= len || memcmp(text.p, o->prefix, len) != 0) {
        return;
    }
    memcpy(all, text.p, text.len);
    unsigned i = (unsigned)atoi(all + len);
    ck_assert_uint_lt(i, o->n);
    ck_assert_msg(o->orders[i] == 0, "'%s' is there twice", all);
    ck_assert(slice_equal(state, unit_str("received")));
    o->orders[i] = order;
}

void people_in_order(struct people *p, struct person *who, struct person *of, const char *prefix,
                     unsigned n)
{
    struct ordering o = {.prefix = prefix, .n = n, .orders = calloc(n + 1, sizeof(uint64_t))};
    ck_assert_ptr_nonnull(o.orders);
    history(p, who, of, order_one, &o);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(o.orders[i] != 0, "'%s %u' never came", prefix, i);
        ck_assert_msg(i == 0 || o.orders[i] > o.orders[i - 1], "'%s %u' is out of order", prefix,
                      i);
    }
    free(o.orders);
}

/* --- doing --- */

static bool both_accepted(struct people *p, void *ctx)
{
    struct person **two = ctx;
    return strcmp(people_state(p, two[0], two[1]), "accepted") == 0 &&
           strcmp(people_state(p, two[1], two[0]), "accepted") == 0;
}

void people_meet(struct people *p, struct person *a, struct person *b)
{
    char link[INVITE_TEXT];
    struct person *two[] = {a, b};
    ck_assert_ok(people_call(p, a->n, "invite.create", NULL));
    ck_assert(sim_result_str(a->n, "link", link, sizeof link));
    ck_assert_ok(people_call(p, b->n, "contact.add", "link", link, NULL));
    ck_assert(people_until(p, both_accepted, two, LIMIT_HOUR_MS));
    ck_assert(people_until(p, people_all_quiet, NULL, LIMIT_HOUR_MS));
}

struct minting {
    struct person *from;
    struct person *to;
    unsigned n;
    uint32_t number; /* of from at to, then of to at from */
    struct slice tokens;
};

static void mint(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct node *node = m->to->n->node;
    struct sign_pk from;
    struct contact_row row;
    struct relay_row relay;
    struct token_key k;
    struct token_siv_key siv;
    struct sign_pk queue;
    ck_assert_ok(id_parse(unit_str(m->from->id), &from));
    ck_assert_ok(contact_row_find(&step, node->accounts->keys, &from, &m->number));
    ck_assert_ok(contact_row_get(&step, node->accounts->keys, m->number, &row));
    ck_assert_ok(relay_row_get(&step, node->accounts->keys, 0, &relay));
    home_queue(&relay, &queue);
    home_token_keys(&relay, &queue, &k, &siv);
    uint8_t *bytes = malloc((size_t)m->n * ROW_TOKEN);
    ck_assert_ptr_nonnull(bytes);
    for (unsigned i = 0; i < m->n; i++) {
        struct token token;
        token_mint(&k, &siv, &queue, m->number, row.minted + 1 + i, token_epoch(turn->env->now_ms),
                   &token);
        memcpy(bytes + (size_t)i * ROW_TOKEN, token.b, ROW_TOKEN);
    }
    ck_assert_ok(stock_made(turn->arena, &row, m->n));
    ck_assert_ok(contact_row_put(&step, node->accounts->keys, &row));
    m->tokens = slice_of(bytes, (size_t)m->n * ROW_TOKEN);
}

static void take(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct sign_pk to;
    ck_assert_ok(id_parse(unit_str(m->to->id), &to));
    ck_assert_ok(contact_row_find(&step, m->from->n->node->accounts->keys, &to, &m->number));
    ck_assert_ok(token_row_add(&step, m->from->n->node->accounts->keys, m->number, m->tokens));
}

void people_tokens(struct people *p, struct person *from, struct person *to, unsigned n)
{
    struct minting m = {.from = from, .to = to, .n = n};
    sim_turn(&p->sim, to->n, mint, &m);
    sim_turn(&p->sim, from->n, take, &m);
    free((void *)(uintptr_t)m.tokens.p);
}
