/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/people.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "node/home_keys.h"
#include "node/prekeys.h"
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

struct sim_node *people_as(struct person *who)
{
    who->n->account = who->account;
    return who->n;
}

struct person *people_beside(struct people *p, struct person *beside, struct sim_node *relay)
{
    uint8_t bytes[32];
    uint64_t account = 0;
    struct writer w = writer_of(bytes, sizeof bytes);
    struct person *who = &p->person[p->count];
    ck_assert_uint_lt(p->count, PEOPLE_MAX);
    who->n = beside->n;
    who->relay = relay;
    who->n->account = 0;
    sim_pair_true(&w, "another");
    ck_assert_ok(sim_call(&p->sim, who->n, "account.create", 1, writer_done(&w)));
    ck_assert(sim_result_str(who->n, "id", who->id, sizeof who->id));
    ck_assert(sim_result_uint(who->n, "account", &account));
    who->account = (uint32_t)account;
    p->count++;
    people_use_relay(p, relay, who);
    return who;
}

static void use_relay(struct people *p, struct sim_node *relay, struct person *who, bool second)
{
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    char code[80];
    char address[256];
    ck_assert_ok(people_call(p, relay, "relay.invite", NULL));
    ck_assert(sim_result_str(relay, "code", code, sizeof code));
    ck_assert_ok(people_call(p, relay, "daemon.status", NULL));
    ck_assert(sim_result_str(relay, "node", address, sizeof address));
    sim_pair_str(&w, "address", address);
    sim_pair_str(&w, "code", code);
    if (second) {
        sim_pair_true(&w, "second");
    }
    ck_assert_ok(sim_call(&p->sim, people_as(who), "relay.use", second ? 3 : 2, writer_done(&w)));
}

void people_use_relay(struct people *p, struct sim_node *relay, struct person *who)
{
    use_relay(p, relay, who, false);
}

static bool has_second(struct people *p, void *ctx)
{
    struct person *who = ctx;
    const struct node *node = who->n->node;
    const struct account *me =
        who->account != 0 ? account_find(node, who->account) : node->accounts;
    const struct home *second = &me->homes[1];
    return people_ready(p, who) && second->state == HOME_READY && second->role == HOME_SECOND;
}

void people_use_second(struct people *p, struct sim_node *relay, struct person *who)
{
    use_relay(p, relay, who, true);
    ck_assert(people_until(p, has_second, who, LIMIT_HOUR_MS));
}

void people_remove_member(struct people *p, struct sim_node *relay)
{
    static const char key[] = "\xa6member\xb0"; /* and 16 hex digits */
    char name[17] = "";
    ck_assert_ok(people_call(p, relay, "relay.members", NULL));
    const char *at = memmem(relay->reply, relay->reply_len, key, sizeof key - 1);
    ck_assert_ptr_nonnull(at);
    memcpy(name, at + sizeof key - 1, sizeof name - 1);
    ck_assert_ok(people_call(p, relay, "relay.remove", "member", name, NULL));
}

void people_words(struct people *p, struct person *who, char words[PEOPLE_WORDS])
{
    ck_assert_ok(people_query(p, people_as(who), "account.words", NULL));
    ck_assert(sim_result_str(who->n, "words", words, PEOPLE_WORDS));
}

struct person *people_anew(struct people *p, const struct person *who, const char *words,
                           struct sim_node *relay)
{
    ck_assert_uint_lt(p->count, PEOPLE_MAX);
    struct person *anew = &p->person[p->count++];
    *anew = (struct person){.n = sim_add(&p->sim, false), .relay = relay};
    memcpy(anew->id, who->id, sizeof anew->id);
    ck_assert_ok(people_call(p, anew->n, "account.create", "words", words, NULL));
    people_use_relay(p, relay, anew);
    return anew;
}

bool people_ready(struct people *p, struct person *who)
{
    char state[32];
    return people_call(p, people_as(who), "relay.status", NULL) == ERR_OK &&
           sim_result_str(who->n, "state", state, sizeof state) && strcmp(state, "ready") == 0;
}

uint64_t people_members(struct people *p, struct sim_node *relay)
{
    uint64_t n = UINT64_MAX;
    ck_assert_ok(people_call(p, relay, "daemon.status", NULL));
    ck_assert(sim_result_uint(relay, "members", &n));
    return n;
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
        ck_assert_ok(people_call(p, people_as(who), "account.create", NULL));
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

void people_chat(struct people *p, struct person *a, struct person *b, unsigned n,
                 uint64_t pause_ms)
{
    for (unsigned i = 0; i < n; i++) {
        people_say(p, a, b, "a ", i);
        people_say(p, b, a, "b ", i);
        sim_settle(&p->sim, sim_random(&p->sim, pause_ms));
    }
}

enum err people_send(struct people *p, struct person *from, struct person *to, const char *text)
{
    return people_call(p, people_as(from), "message.send", "contact", to->id, "text", text, NULL);
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
        ck_assert_ok(
            people_query(p, people_as(who), requests ? "request.list" : "contact.list", NULL));
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

uint64_t people_number(struct people *p, struct person *who, struct person *of, const char *name)
{
    uint32_t count;
    ck_assert_ok(people_query(p, people_as(who), "contact.list", NULL));
    struct reader r = list_of(who->n, &count);
    for (uint32_t i = 0; i < count; i++) {
        bool its = false;
        uint64_t v = UINT64_MAX;
        uint32_t pairs = pack_read_map(&r, 16);
        for (uint32_t k = 0; k < pairs; k++) {
            struct slice key = pack_read_str(&r, 32);
            if (slice_equal(key, unit_str("id"))) {
                its = slice_equal(pack_read_str(&r, 128), unit_str(of->id));
            } else if (slice_equal(key, unit_str(name))) {
                v = pack_read_uint(&r, UINT64_MAX);
            } else {
                pack_skip(&r, 4);
            }
        }
        ck_assert_int_eq(r.err, ERR_OK);
        if (its) {
            return v;
        }
    }
    return UINT64_MAX;
}

uint64_t people_outbox(struct people *p, struct person *who)
{
    uint64_t n = UINT64_MAX;
    ck_assert_ok(people_call(p, people_as(who), "daemon.status", NULL));
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
        ck_assert_ok(sim_query(&p->sim, people_as(who), "event.read", 1, writer_done(&w)));
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

/* Calls each for every line of this type in the history with `of`, newest first within each answer.
 */
static void history(struct people *p, struct person *who, struct person *of,
                    void (*each)(void *ctx, struct slice state, struct slice text, uint64_t order),
                    void *ctx, const char *type)
{
    static const char *const names[] = {"state", "text", "type"};
    uint64_t before = UINT64_MAX;
    for (;;) {
        uint8_t bytes[512];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_str(&w, "contact", of->id);
        sim_pair_uint(&w, "before", before);
        sim_pair_uint(&w, "limit", 500);
        ck_assert_ok(sim_query(&p->sim, people_as(who), "message.history", 3, writer_done(&w)));
        uint32_t count;
        struct reader r = list_of(who->n, &count);
        if (count == 0) {
            return;
        }
        for (uint32_t i = 0; i < count; i++) {
            size_t start = r.pos;
            struct found f = map_find(&r, names, 3);
            uint64_t order = number_of(slice_of(r.p + start, r.pos - start), "order");
            before = order < before ? order : before;
            if (slice_equal(f.value[2], unit_str(type))) {
                each(ctx, f.value[0], f.value[1], order);
            }
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
    history(p, who, of, count_one, &c, "text");
    return c.count;
}

unsigned people_notes(struct people *p, struct person *who, struct person *of, const char *why)
{
    struct counting c = {.text = why};
    history(p, who, of, count_one, &c, "rekeyed");
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
    ck_assert(slice_equal(state, unit_str("received")) || slice_equal(state, unit_str("mirrored")));
    o->orders[i] = order;
}

void people_in_order(struct people *p, struct person *who, struct person *of, const char *prefix,
                     unsigned n)
{
    struct ordering o = {.prefix = prefix, .n = n, .orders = calloc(n + 1, sizeof(uint64_t))};
    ck_assert_ptr_nonnull(o.orders);
    history(p, who, of, order_one, &o, "text");
    for (unsigned i = 0; i < n; i++) {
        ck_assert_msg(o.orders[i] != 0, "'%s %u' never came", prefix, i);
        ck_assert_msg(i == 0 || o.orders[i] > o.orders[i - 1], "'%s %u' is out of order", prefix,
                      i);
    }
    free(o.orders);
}

/* --- doing --- */

void people_invite(struct people *p, struct person *who, char link[INVITE_TEXT])
{
    ck_assert_ok(people_call(p, people_as(who), "invite.create", NULL));
    ck_assert(sim_result_str(who->n, "link", link, INVITE_TEXT));
}

void people_add(struct people *p, struct person *who, const char *link)
{
    ck_assert_ok(
        people_call(p, people_as(who), "contact.add", "link", link, "text", "hello", NULL));
}

struct waiting {
    struct person *who;
    struct person *of;
    const char *state;
};

static bool in_state(struct people *p, void *ctx)
{
    struct waiting *w = ctx;
    return strcmp(people_state(p, w->who, w->of), w->state) == 0;
}

void people_wait_state(struct people *p, struct person *who, struct person *of, const char *state)
{
    struct waiting w = {who, of, state};
    ck_assert_msg(people_until(p, in_state, &w, 2 * LIMIT_HOUR_MS), "never %s, but '%s'", state,
                  people_state(p, who, of));
}

void people_link_code(struct people *p, struct person *who, char code[PEOPLE_CODE])
{
    ck_assert_ok(people_call(p, people_as(who), "device.invite", NULL));
    ck_assert(sim_result_str(who->n, "link", code, PEOPLE_CODE));
}

static bool is_linked(struct people *p, void *ctx)
{
    return people_events(p, ctx, "device.linked") > 0;
}

void people_device(struct people *p, struct person *who, unsigned i, char name[32])
{
    ck_assert_ok(people_query(p, people_as(who), "device.list", NULL));
    struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
    (void)pack_read_map(&r, 4);
    (void)pack_read_str(&r, 32);
    ck_assert_uint_gt(pack_read_array(&r, 8), i);
    for (unsigned k = 0; k <= i; k++) {
        uint32_t pairs = pack_read_map(&r, 16);
        for (uint32_t f = 0; f < pairs; f++) {
            if (slice_equal(pack_read_str(&r, 32), unit_str("device"))) {
                struct slice v = pack_read_str(&r, 31);
                memcpy(name, v.p, v.len);
                name[v.len] = '\0';
            } else {
                pack_skip(&r, 4);
            }
        }
    }
    ck_assert_int_eq(r.err, ERR_OK);
}

void people_link(struct people *p, struct person *who, struct person *device)
{
    char code[PEOPLE_CODE];
    people_link_code(p, who, code);
    ck_assert_ok(people_call(p, people_as(device), "device.link", "link", code, NULL));
    ck_assert(people_until(p, is_linked, device, LIMIT_HOUR_MS));
    snprintf(device->id, sizeof device->id, "%s", who->id);
    people_quiet(p, 4 * LIMIT_HOUR_MS);
}

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
    people_invite(p, a, link);
    ck_assert_ok(people_call(p, people_as(b), "contact.add", "link", link, NULL));
    ck_assert(people_until(p, both_accepted, two, LIMIT_HOUR_MS));
    ck_assert(people_until(p, people_all_quiet, NULL, LIMIT_HOUR_MS));
}

static uint32_t number_at(struct step *step, struct seal_keys *keys, const struct person *of)
{
    struct sign_pk id;
    uint32_t number;
    ck_assert_ok(id_parse(unit_str(of->id), &id));
    ck_assert_ok(contact_row_find(step, keys, &id, &number));
    return number;
}

/* Tokens on their way between two persons. */
struct minting {
    struct person *from;
    struct person *to;
    struct token *tokens;
    size_t n;
};

static void mint(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = m->to->n->node->accounts->keys;
    struct peer_row row;
    struct relay_row relay;
    struct token_key k;
    struct token_siv_key siv;
    struct sign_pk queue;
    uint32_t number = number_at(&step, keys, m->from);
    ck_assert_ok(peer_row_get(&step, keys, number, &row));
    ck_assert_ok(relay_row_get(&step, keys, 0, &relay));
    home_queue(&relay, &queue);
    home_token_keys(&relay, &queue, &k, &siv);
    for (size_t i = 0; i < m->n; i++) {
        token_mint(&k, &siv, &queue, number, row.minted + 1 + (uint32_t)i,
                   token_epoch(turn->env->now_ms), &m->tokens[i]);
    }
    ck_assert_ok(stock_made(turn->arena, &row, (uint32_t)m->n));
    ck_assert_ok(peer_row_put(&step, keys, &row));
}

static void give(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = m->from->n->node->accounts->keys;
    ck_assert_ok(token_row_add(&step, keys, number_at(&step, keys, m->to),
                               slice_of(m->tokens, m->n * sizeof *m->tokens)));
}

static void take(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = m->from->n->node->accounts->keys;
    uint32_t number = number_at(&step, keys, m->to);
    uint8_t token[ROW_TOKEN];
    size_t cap = m->n;
    for (m->n = 0; token_row_take(&step, keys, number, token) == ERR_OK; m->n++) {
        ck_assert_uint_lt(m->n, cap);
        memcpy(m->tokens[m->n].b, token, sizeof token);
    }
}

static void count(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = m->from->n->node->accounts->keys;
    uint64_t n;
    ck_assert_ok(token_row_count(&step, keys, number_at(&step, keys, m->to), &n));
    m->n = n;
}

uint64_t people_tokens_count(struct people *p, struct person *from, struct person *to)
{
    struct minting m = {.from = from, .to = to};
    sim_turn(&p->sim, from->n, count, &m);
    return m.n;
}

void people_tokens(struct people *p, struct person *from, struct person *to, unsigned n)
{
    struct minting m = {.from = from, .to = to, .tokens = calloc(n, sizeof(struct token)), .n = n};
    ck_assert_ptr_nonnull(m.tokens);
    sim_turn(&p->sim, to->n, mint, &m);
    sim_turn(&p->sim, from->n, give, &m);
    free(m.tokens);
}

size_t people_tokens_take(struct people *p, struct person *from, struct person *to,
                          struct token *out, size_t cap)
{
    struct minting m = {.from = from, .to = to, .tokens = out, .n = cap};
    sim_turn(&p->sim, from->n, take, &m);
    return m.n;
}

void people_tokens_put(struct people *p, struct person *from, struct person *to,
                       const struct token *tokens, size_t n)
{
    struct minting m = {
        .from = from, .to = to, .tokens = (struct token *)(uintptr_t)tokens, .n = n};
    sim_turn(&p->sim, from->n, give, &m);
}

/* --- the key bundle and the names at the relay --- */

struct naming {
    struct person *who;
    struct sign_pk queue;
    struct sign_pk record;
};

static void names_of(void *ctx, struct turn *turn)
{
    struct naming *n = ctx;
    struct step step = {.turn = turn};
    struct relay_row row;
    ck_assert_ok(relay_row_get(&step, n->who->n->node->accounts->keys, 0, &row));
    home_queue(&row, &n->queue);
    home_record(&row, &n->record);
}

void people_names(struct people *p, struct person *who, struct sign_pk *queue,
                  struct sign_pk *record)
{
    struct naming n = {.who = who};
    sim_turn(&p->sim, who->n, names_of, &n);
    *queue = n.queue;
    *record = n.record;
}

static void mint_pops(void *ctx, struct turn *turn)
{
    struct minting *m = ctx;
    struct step step = {.turn = turn};
    struct relay_row relay;
    struct sign_pk record;
    struct token_key k;
    struct token_siv_key siv;
    ck_assert_ok(relay_row_get(&step, m->to->n->node->accounts->keys, 0, &relay));
    home_record(&relay, &record);
    home_token_keys(&relay, &record, &k, &siv);
    for (uint32_t i = 0; i < m->n; i++) {
        token_mint(&k, &siv, &record, 1, i + 1, token_epoch(turn->env->now_ms), &m->tokens[i]);
    }
}

void people_pop_tokens(struct people *p, struct person *who, struct token *out, size_t n)
{
    struct minting m = {.to = who, .tokens = out, .n = n};
    sim_turn(&p->sim, who->n, mint_pops, &m);
}

static void lose_parts(void *ctx, struct turn *turn)
{
    struct person *who = ctx;
    struct step step = {.turn = turn};
    struct relay_row row;
    ck_assert_ok(relay_row_get(&step, who->n->node->accounts->keys, 0, &row));
    for (uint32_t id = 1; id <= row.last_part; id++) {
        ck_assert_ok(prekeys_del(&step, who->n->node->accounts->keys, PREKEY_ONE_TIME, id));
    }
}

void people_lose_parts(struct people *p, struct person *who)
{
    sim_turn(&p->sim, who->n, lose_parts, who);
}
