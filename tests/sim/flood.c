/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/flood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/stamp.h"
#include "lib/stranger.h"
#include "link/frame.h"
#include "node/core.h"
#include "node/home_keys.h"
#include "relay/host_record.h"
#include "relay/queue.h"
#include "sim/inside.h"
#include "sim/invite_thief.h"

enum {
    PRICES = 4,        /* that are paid at most for one thing: it may rise meanwhile */
    SCRATCH = 1 << 20, /* for one stranger */
    CLASSES = 3,       /* of noise: the largest one would fill a queue of bytes, not of envelopes */
    STAMP_TRIES = 1 << 20, /* at once */
};

/* The strangers of one crowd, who are one program: lib/hostile.h plays them. */
struct crowd_flood {
    struct hostile h;
    uint8_t reply[LIMIT_FRAME];
};

static const char *const NAMES[FLOOD_WAY_COUNT] = {
#define FLOOD_NAME(constant, name) [FLOOD_##constant] = (name),
    FLOOD_WAYS(FLOOD_NAME)
#undef FLOOD_NAME
};

const char *flood_way_name(enum flood_way way)
{
    return NAMES[way];
}

/* --- where somebody is --- */

struct place {
    struct crowd_person *who;
    struct sign_pk queue;
    struct sign_pk record;
};

static void read_place(void *ctx, struct turn *turn)
{
    struct place *p = ctx;
    struct step step = {.turn = turn};
    struct relay_row row;
    if (relay_row_get(&step, p->who->n->node->accounts->keys, 0, &row) == ERR_OK) {
        home_queue(&row, &p->queue);
        home_record(&row, &p->record);
        p->who->placed = p->who->relay + 1;
        p->who->queue = p->queue;
        p->who->record = p->record;
    }
}

/* The relay of who, when it can be asked, and their place there is known. */
static struct sim_node *relay_of(struct crowd *c, struct crowd_person *who)
{
    struct sim_node *relay = c->relays[who->relay];
    if (!who->n->asleep) {
        struct place p = {.who = who};
        sim_turn(&c->sim, who->n, read_place, &p);
    }
    return !relay->asleep && !relay->full && who->placed == who->relay + 1 ? relay : NULL;
}

/* --- asking --- */

struct asking {
    struct crowd *c;
    struct sim_node *relay;
    uint8_t kind;
    struct slice body;
    struct slice reply; /* lies in the flood's room */
};

static void ask_relay(void *ctx, struct turn *turn)
{
    struct asking *a = ctx;
    struct crowd_flood *f = a->c->flood;
    struct relay_host *host = a->relay->node->relay;
    struct relay_peer peer = {.link = UINT64_MAX, .kind = a->kind};
    struct relay_answer to;
    struct writer w = writer_of(f->reply, sizeof f->reply);
    enum err err = relay_host_request(host, turn, &peer, a->kind, a->body, &w);
    if (err == ERR_OK && w.len == 0) {
        err = relay_host_next_answer(host, turn, &to, &w);
    }
    sim_check(&a->c->sim, err == ERR_OK && w.err == ERR_OK, "a relay does not answer strangers: %s",
              err_name(err));
    a->reply = writer_done(&w);
}

static struct slice ask(struct crowd *c, struct sim_node *relay, uint8_t kind, struct slice body)
{
    struct asking a = {.c = c, .relay = relay, .kind = kind, .body = body};
    sim_turn(&c->sim, relay, ask_relay, &a);
    return a.reply;
}

/* A stamp for this target and what it is for. */
static struct relay_admission pay(struct crowd *c, const struct sim_node *relay,
                                  const struct sign_pk *target, struct slice what, unsigned bits)
{
    struct stamp_goal goal = {.minute =
                                  (uint32_t)(sim_clock_now(&c->sim, relay) / LIMIT_MINUTE_MS)};
    struct relay_admission admission = {.stamp = true, .stamp_minute = goal.minute};
    struct sign_sk unused;
    node_identity(relay->node, &goal.relay, &unused);
    memcpy(goal.target, target->b, sizeof goal.target);
    prim_blake2b(goal.payload, sizeof goal.payload, slice_of(NULL, 0), "", &what, 1);
    while (!stamp_mine(&goal, bits, STAMP_TRIES, &admission.stamp_nonce)) {
    }
    c->did.paid += UINT64_C(1) << bits;
    return admission;
}

/* --- one-time parts --- */

/* No part is given out twice, unless the relay's own home went back. */
static void note_part(struct crowd *c, struct crowd_person *who, const struct sim_node *relay,
                      uint32_t id)
{
    if (memcmp(who->popped_of.b, who->record.b, sizeof who->record.b) != 0 ||
        who->popped_backs != relay->backs) {
        memset(who->popped, 0, sizeof who->popped);
        who->popped_of = who->record;
        who->popped_backs = relay->backs;
    }
    uint8_t *byte = &who->popped[id / 8 % sizeof who->popped];
    bool twice = id < 8 * sizeof who->popped && (*byte >> id % 8 & 1) != 0;
    sim_check(&c->sim, !twice, "parts: node %u gave part %u of person %u to two strangers",
              (unsigned)relay->index, (unsigned)id, (unsigned)who->index);
    *byte |= (uint8_t)(1U << id % 8);
    c->did.parts++;
}

/* One pop, with what it costs; reply's slices lie in the flood's room. */
static bool pop(struct crowd *c, struct crowd_person *who, struct sim_node *relay,
                struct record_pop_reply *reply)
{
    struct record_pop request = {.record = who->record};
    struct slice nonce = slice_of(request.pop_nonce, sizeof request.pop_nonce);
    unsigned bits = LIMIT_STAMP_POP_BITS;
    env_random(&c->flood->h.unit.env, request.pop_nonce, sizeof request.pop_nonce);
    for (unsigned i = 0; i < PRICES; i++) {
        uint8_t bytes[256];
        struct writer w = writer_of(bytes, sizeof bytes);
        request.admission = pay(c, relay, &who->record, nonce, bits);
        record_pop_write(&w, &request);
        enum err err =
            record_pop_reply_read(ask(c, relay, FRAME_RECORD_POP, writer_done(&w)), reply);
        sim_check(&c->sim, err == ERR_OK, "an answer to a pop: %s", err_name(err));
        if (reply->head.err != ERR_STAMP_TOO_CHEAP) {
            break;
        }
        bits = reply->stamp_bits;
    }
    if (reply->head.err != ERR_OK) {
        return false; /* the bundle is not there yet, or the relay has no room */
    }
    c->did.popped++;
    if (reply->has_part) {
        note_part(c, who, relay, reply->part.id);
    }
    return true;
}

/* --- strangers --- */

static void flood_ready(struct crowd *c, struct crowd_person *who)
{
    if (c->flood == NULL) {
        c->flood = calloc(1, sizeof *c->flood);
        sim_check(&c->sim, c->flood != NULL, "out of memory");
        unit_env_init(&c->flood->h.unit, c->sim.seed ^ UINT64_C(0x666c6f6f64), 0);
        arena_init(&c->flood->h.scratch, SCRATCH);
    }
    struct hostile *h = &c->flood->h;
    h->unit.env.now_ms = sim_now(&c->sim);
    h->queue = who->queue;
    h->record = who->record;
    sim_check(&c->sim, id_parse(slice_of(who->id, strlen(who->id)), &h->id) == ERR_OK, "no ID: %s",
              who->id);
}

void flood_pop(struct crowd *c, struct crowd_person *who, uint32_t count)
{
    struct sim_node *relay = relay_of(c, who);
    struct record_pop_reply reply;
    if (relay == NULL) {
        return;
    }
    flood_ready(c, who);
    while (count-- > 0 && pop(c, who, relay, &reply)) {
        c->did.drained += !reply.has_part;
        if (!reply.has_part) {
            return;
        }
    }
}

/* The key bundle, for strangers to begin sessions with. */
static bool learn(struct crowd *c, struct crowd_person *who, struct sim_node *relay)
{
    struct hostile *h = &c->flood->h;
    struct record_pop_reply reply;
    if (!pop(c, who, relay, &reply) || reply.body.len > sizeof h->body) {
        return false;
    }
    memcpy(h->body, reply.body.p, reply.body.len);
    h->body_len = reply.body.len;
    return true;
}

static enum err deposit(struct crowd *c, struct crowd_person *who, struct sim_node *relay,
                        struct slice envelope)
{
    static uint8_t bytes[LIMIT_FRAME];
    struct queue_deposit request = {
        .queue = who->queue, .lifetime = QUEUE_LIFETIMES - 1, .envelope = envelope};
    struct queue_deposit_reply reply = {.head = {.err = ERR_OK}};
    unsigned bits = LIMIT_STAMP_DEPOSIT_BITS;
    for (unsigned i = 0; i < PRICES; i++) {
        struct writer w = writer_of(bytes, sizeof bytes);
        request.admission = pay(c, relay, &who->queue, envelope, bits);
        queue_deposit_write(&w, &request);
        enum err err =
            queue_deposit_reply_read(ask(c, relay, FRAME_QUEUE_DEPOSIT, writer_done(&w)), &reply);
        sim_check(&c->sim, w.err == ERR_OK && err == ERR_OK, "an answer to a deposit: %s",
                  err_name(err));
        if (reply.head.err != ERR_STAMP_TOO_CHEAP) {
            break;
        }
        bits = reply.stamp_bits;
    }
    c->did.flooded += reply.head.err == ERR_OK;
    c->did.turned_away += reply.head.err == ERR_QUEUE_FULL;
    return reply.head.err;
}

static struct slice noise(struct crowd *c)
{
    struct hostile *h = &c->flood->h;
    size_t len = queue_envelope_size((unsigned)sim_random(&c->sim, CLASSES));
    uint8_t *p = arena_alloc(&h->scratch, len);
    sim_check(&c->sim, p != NULL, "out of memory");
    env_random(&h->unit.env, p, len);
    return slice_of(p, len);
}

static struct slice words(struct crowd *c, const struct crowd_person *who, struct stranger *s,
                          bool first)
{
    char text[CROWD_TEXT];
    snprintf(text, sizeof text, "%s %u %u 0", CROWD_MARK, (unsigned)((who->index + 1) % c->count),
             (unsigned)who->index);
    return stranger_seal(&c->flood->h, s, first ? CONTENT_REQUEST : CONTENT_TEXT, text);
}

/* One envelope of a flood, the i-th. */
static struct slice envelope(struct crowd *c, const struct crowd_person *who, enum flood_way way,
                             struct stranger *s, uint32_t i)
{
    if (way == FLOOD_NOISE) {
        return noise(c);
    }
    if (i == 0 || way == FLOOD_ASK) {
        stranger_fini(s);
        stranger_init(&c->flood->h, s);
        stranger_begin(&c->flood->h, s, NULL);
    }
    return words(c, who, s, i == 0 || way == FLOOD_ASK);
}

void flood_deposit(struct crowd *c, struct crowd_person *who, enum flood_way way, uint32_t count)
{
    struct sim_node *relay = relay_of(c, who);
    struct stranger s = {.session = NULL};
    struct node_input tick = {.kind = NODE_TICK};
    if (relay == NULL) {
        return;
    }
    flood_ready(c, who);
    bool ready = way == FLOOD_NOISE || learn(c, who, relay);
    for (uint32_t i = 0; ready && i < count; i++) {
        ready = deposit(c, who, relay, envelope(c, who, way, &s, i)) == ERR_OK;
        c->did.floods[way] += ready;
        arena_reset(&c->flood->h.scratch);
    }
    stranger_fini(&s);
    (void)input_send(&c->sim, relay, 0, &tick, slice_of(NULL, 0)); /* it pushes what came */
}

void flood_fini(struct crowd *c)
{
    if (c->flood != NULL) {
        arena_fini(&c->flood->h.scratch);
        free(c->flood);
    }
}

/* --- what must hold --- */

struct room {
    struct crowd_person *who;
    uint64_t contacts;
    uint64_t requests;
    uint64_t peers;
};

static void count_contacts(void *ctx, struct turn *turn)
{
    struct room *r = ctx;
    struct step step = {.turn = turn};
    struct account *me = r->who->n->node->accounts;
    struct contact_row row = {.number = 0};
    while (contact_row_next(&step, me->keys, row.number, &row) == ERR_OK) {
        r->contacts++;
        r->requests += row.state == CONTACT_INCOMING;
        arena_reset(turn->arena);
    }
}

void flood_check(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        struct room r = {.who = who};
        if (who->n->asleep) {
            continue;
        }
        sim_turn(&c->sim, who->n, count_contacts, &r);
        uint64_t others = r.contacts - r.requests;
        uint64_t sessions = store_mem_count(who->n->mem, STORE_SESSION);
        uint64_t known = who->contacts + (uint64_t)theft_contacts(c, who);
        c->asking = r.requests > c->asking ? r.requests : c->asking;
        sim_check(&c->sim,
                  r.requests <= LIMIT_REQUESTS && others <= known &&
                      sessions <= LIMIT_SESSIONS_PER_PAIR * r.contacts,
                  "strangers: %llu wait at person %u, who has %llu contacts of %llu that they met, "
                  "and %llu sessions",
                  (unsigned long long)r.requests, (unsigned)who->index, (unsigned long long)others,
                  (unsigned long long)known, (unsigned long long)sessions);
    }
}

struct stock {
    struct sim_node *relay;
    const struct sign_pk *record;
    size_t parts;
};

static void count_parts(void *ctx, struct turn *turn)
{
    struct stock *s = ctx;
    struct relay_record_row row;
    if (relay_record_get(s->relay->node->relay, turn, s->record, &row) == ERR_OK) {
        uint32_t id = 0;
        while (relay_record_part_next(turn, row.name, id, &id) == ERR_OK) {
            s->parts++;
            id++;
        }
    }
}

void flood_check_stock(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        struct sim_node *relay = relay_of(c, who);
        struct stock s = {.relay = relay, .record = &who->record};
        sim_check(&c->sim, relay != NULL, "person %zu has no relay", i);
        sim_turn(&c->sim, relay, count_parts, &s);
        sim_check(&c->sim, s.parts > LIMIT_ONE_TIME_REFILL,
                  "stock: person %zu has %zu one-time parts at its relay", i, s.parts);
    }
}
