/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_crowd: three persons and two relays (fuzz/parts/stage.h) who do what a program says
 * (fuzz/parts/ops.h), and among whom some say something else than what is (fuzz/parts/lies.h).
 *
 * The first byte of an input says who may lie. Wild: everybody does, and homes go back. Else only
 * the node that is a relay and a person; then the two others are friends, and all that they tell
 * each other arrives, once and in order, whatever the third one does.
 *
 * Always: no turn fails by itself and no query as of a broken store; no key is used twice, nothing
 * that was said is in a frame (sim/watch.h); a relay has each nonce once and no more than a queue
 * may hold, and what counts as stored has its receipt (sim/check.h); memory stays in bounds.
 * decodes: proto/node/node.c proto/node/home.c proto/node/inbox.c proto/node/outbox.c
 * decodes: proto/node/taking.c proto/node/first.c proto/node/contact.c proto/node/devices.c
 * decodes: proto/pair/session_talk.c proto/pair/body.c proto/relay/wire.c proto/relay/host_queue.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/parts/lies.h"
#include "fuzz/parts/ops.h"
#include "fuzz/parts/stage.h"
#include "node/core.h"
#include "node/params.h"
#include "sim/check.h"
#include "sim/inside.h"

enum {
    WILD = 1,  /* bits of the first byte */
    FORGE = 2, /* a liar's signatures are good whatever they are of */
    MEMORY_MOST = 64 << 20,
    TEXT = 4096,
    SKIPS = 8,            /* chances that a lie may leave out, and one */
    AFTER_STEP_MS = 1200, /* an acknowledgement is due by then */
    TIME_MOST_MS = 2 * 86400000,
    HONEST_END_MS = 9000000,
    WILD_END_MS = 120000,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max, unsigned seed);

/* What a friend has told the other one. */
struct lane {
    uint32_t said;
    uint32_t came;
};

struct play {
    struct stage *s;
    struct lies lies;
    struct lane lanes[2]; /* by who speaks */
    bool wild;
    bool faults;        /* a disk may have refused something */
    uint64_t time_left; /* for OP_TIME, ms */
    size_t memory;
};

static struct play PLAY;

static struct sim *sim_of(struct play *p)
{
    return &p->s->crowd.sim;
}

static bool is_friend(const struct crowd_person *who)
{
    return who->n->index == STAGE_FRIENDS || who->n->index == STAGE_FRIENDS + 1;
}

static bool may_lie(const struct play *p, uint32_t node)
{
    return (p->lies.liars >> node & 1) != 0;
}

/* --- calls --- */

/* Fails where the store is broken, and when the core says that it has a bug. */
static bool went_well(struct play *p, const char *method, enum err err)
{
    bool ours = err_class(err) == ERR_CLASS_LOCAL || err == ERR_BUG;
    sim_check(sim_of(p), !ours || (p->faults && (err == ERR_IO || err == ERR_DISK_FULL)), "%s: %s",
              method, err_name(err));
    return err == ERR_OK;
}

static bool call(struct play *p, struct sim_node *n, const char *method, uint32_t pairs,
                 const struct writer *w)
{
    return !n->asleep &&
           went_well(p, method, sim_call(sim_of(p), n, method, pairs, writer_done(w)));
}

static bool query(struct play *p, struct sim_node *n, const char *method, uint32_t pairs,
                  const struct writer *w)
{
    return went_well(p, method, sim_query(sim_of(p), n, method, pairs, writer_done(w)));
}

static struct crowd_person *person(struct play *p, uint8_t who)
{
    return &p->s->crowd.people[who % STAGE_PERSONS];
}

/* Another one. */
static struct crowd_person *contact_of(struct play *p, const struct crowd_person *who,
                                       uint8_t which)
{
    return person(p, (uint8_t)(who->index + 1 + which % (STAGE_PERSONS - 1)));
}

static bool are_friends(const struct play *p, const struct crowd_person *a,
                        const struct crowd_person *b)
{
    return !p->wild && is_friend(a) && is_friend(b);
}

/* --- what friends hear --- */

static struct lane *lane_of(struct play *p, const struct crowd_person *from)
{
    return &p->lanes[from->n->index - STAGE_FRIENDS];
}

static void heard(struct play *p, struct crowd_person *who, struct slice data)
{
    struct slice from;
    struct slice text;
    const struct crowd_person *other = person(p, (uint8_t)(who->index == 1 ? 2 : 1));
    char expected[CROWD_TEXT];
    if (!params_str(data, "contact", &from) || !params_str(data, "text", &text) ||
        !slice_equal(from, slice_of(other->id, strlen(other->id)))) {
        return;
    }
    struct lane *lane = lane_of(p, other);
    int n = snprintf(expected, sizeof expected, "%s %u ", CROWD_MARK, (unsigned)lane->came);
    sim_check(sim_of(p),
              lane->came < lane->said && text.len >= (size_t)n &&
                  memcmp(text.p, expected, (size_t)n) == 0,
              "delivery: not '%s' of %u but '%.*s'", expected, (unsigned)lane->said,
              (int)(text.len < CROWD_TEXT ? text.len : CROWD_TEXT), (const char *)text.p);
    lane->came++;
}

static void take_event(struct play *p, struct crowd_person *who, struct slice event)
{
    struct slice type = slice_of(NULL, 0);
    struct slice data = slice_of(NULL, 0);
    struct reader r = reader_of(event);
    uint32_t pairs = pack_read_map(&r, 16);
    (void)params_uint(event, "cursor", &who->cursor);
    (void)params_str(event, "type", &type);
    for (uint32_t i = 0; i < pairs && r.err == ERR_OK; i++) {
        struct slice key = pack_read_str(&r, 32);
        size_t start = r.pos;
        pack_skip(&r, 5);
        if (slice_equal(key, slice_of("data", 4))) {
            data = slice_of(r.p + start, r.pos - start);
        }
    }
    sim_check(sim_of(p), r.err == ERR_OK, "an event that cannot be read");
    if (!p->wild && is_friend(who) && slice_equal(type, slice_of("message.received", 16))) {
        heard(p, who, data);
    }
}

static void look(struct play *p, struct crowd_person *who)
{
    uint32_t count;
    do {
        uint8_t bytes[64];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_uint(&w, "since", who->cursor);
        if (!query(p, who->n, "event.read", 1, &w)) {
            return;
        }
        struct reader r = reader_of(slice_of(who->n->reply, who->n->reply_len));
        (void)pack_read_map(&r, 4);
        (void)pack_read_str(&r, 32);
        count = pack_read_array(&r, 100000);
        for (uint32_t i = 0; i < count; i++) {
            size_t start = r.pos;
            pack_skip(&r, 6);
            take_event(p, who, slice_of(r.p + start, r.pos - start));
        }
        sim_check(sim_of(p), r.err == ERR_OK, "events that cannot be read");
    } while (count > 0);
}

/* --- steps --- */

static void say(struct play *p, const struct op *op)
{
    static const uint16_t fill[] = {0, 1, 200, 1000, TEXT - CROWD_TEXT - 1};
    struct crowd_person *who = person(p, op->who);
    struct crowd_person *to = contact_of(p, who, op->a);
    static uint8_t bytes[2 * TEXT];
    char text[TEXT];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct lane *lane = are_friends(p, who, to) ? lane_of(p, who) : NULL;
    int n = snprintf(text, sizeof text, "%s %u ", CROWD_MARK,
                     lane != NULL ? (unsigned)lane->said : (unsigned)op->c);
    size_t more = fill[op->b % (sizeof fill / sizeof fill[0])];
    memset(text + n, 'x', more);
    text[(size_t)n + more] = '\0';
    sim_pair_str(&w, "contact", to->id);
    sim_pair_str(&w, "text", text);
    if (call(p, who->n, "message.send", 2, &w) && lane != NULL) {
        lane->said++;
    }
}

static void move(struct play *p, const struct op *op)
{
    struct crowd_person *who = person(p, op->who);
    struct sim_node *relay = p->s->crowd.relays[op->a % p->s->crowd.relay_count];
    uint8_t bytes[512];
    char code[80];
    char address[256];
    struct writer none = writer_of(NULL, 0);
    struct writer w = writer_of(bytes, sizeof bytes);
    if (!may_lie(p, who->n->index) || who->n->asleep || !call(p, relay, "relay.invite", 0, &none) ||
        !sim_result_str(relay, "code", code, sizeof code) ||
        !call(p, relay, "daemon.status", 0, &none) ||
        !sim_result_str(relay, "node", address, sizeof address)) {
        return;
    }
    sim_pair_str(&w, "address", address);
    sim_pair_str(&w, "code", code);
    if (op->b % 2 != 0) {
        sim_pair_true(&w, "second");
    }
    (void)call(p, who->n, "relay.use", 2 + op->b % 2U, &w);
}

static void meet(struct play *p, const struct op *op)
{
    struct crowd_person *who = person(p, op->who);
    struct crowd_person *to = contact_of(p, who, op->a);
    static char link[2048];
    static uint8_t bytes[4096];
    struct writer none = writer_of(NULL, 0);
    struct writer w = writer_of(bytes, sizeof bytes);
    if (are_friends(p, who, to)) {
        return;
    }
    snprintf(link, sizeof link, "%s", to->id);
    if (op->b % 2 == 0 && (!call(p, to->n, "invite.create", 0, &none) ||
                           !sim_result_str(to->n, "link", link, sizeof link))) {
        return;
    }
    sim_pair_str(&w, "link", link);
    if (op->b / 2 % 2 != 0) {
        sim_pair_str(&w, "text", "may I");
    }
    (void)call(p, who->n, "contact.add", 1 + op->b / 2U % 2U, &w);
}

static void any_call(struct play *p, const struct op *op)
{
    static const struct {
        const char *name;
        bool contact; /* parameters */
        bool order;
        bool harms; /* a friendship, if it is with the friend; an account */
    } methods[] = {{"message.read", true, true, false},    {"message.delete", true, true, true},
                   {"contact.block", true, false, true},   {"contact.verify", true, false, false},
                   {"request.accept", true, false, false}, {"account.rekey", false, false, false},
                   {"device.invite", false, false, false}, {"account.remove", false, false, true},
                   {"message.read", true, false, false}};
    unsigned which = op->a % (sizeof methods / sizeof methods[0]);
    struct crowd_person *who = person(p, op->who);
    struct crowd_person *of = contact_of(p, who, op->b);
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (methods[which].harms && !may_lie(p, who->n->index) &&
        (!methods[which].contact || are_friends(p, who, of))) {
        return;
    }
    if (methods[which].contact) {
        sim_pair_str(&w, "contact", of->id);
    }
    if (methods[which].order) {
        sim_pair_uint(&w, "order", op->c);
    }
    (void)call(p, who->n, methods[which].name,
               (uint32_t)methods[which].contact + methods[which].order, &w);
}

static void nap(struct play *p, struct sim_node *n)
{
    if (n->asleep) {
        sim_wake(sim_of(p), n);
    } else {
        sim_sleep(sim_of(p), n);
    }
}

static void lie(struct play *p, const struct op *op)
{
    struct lie lie = {
        .place = (enum lie_place)(op->a % LIE_PLACE_COUNT),
        .node = p->wild ? op->who % STAGE_NODES : STAGE_HYBRID,
        .skip = op->a / LIE_PLACE_COUNT % SKIPS,
        .again = op->a / LIE_PLACE_COUNT / SKIPS,
        .alter = {.how = (enum alter_how)(op->b % ALTER_HOW_COUNT), .where = op->c, .with = op->d}};
    lies_arm(&p->lies, &lie);
}

static void time_on(struct play *p, const struct op *op)
{
    static const uint32_t lengths[] = {1, 2, 10, 20, 60, 600, 3700, 21600};
    uint64_t ms = 1000U * lengths[op->a % (sizeof lengths / sizeof lengths[0])];
    if (ms <= p->time_left) {
        p->time_left -= ms;
        sim_settle(sim_of(p), ms);
    }
}

static void step(struct play *p, const struct op *op)
{
    struct sim *sim = sim_of(p);
    struct sim_node *n = sim->nodes[op->who % STAGE_NODES];
    switch (op->kind) {
    case OP_LIE:
        lie(p, op);
        return;
    case OP_SAY:
        say(p, op);
        break;
    case OP_TIME:
        time_on(p, op);
        break;
    case OP_NAP:
        nap(p, n);
        break;
    case OP_CUT:
        sim_cut(sim, n);
        break;
    case OP_BREAK:
        p->faults = true;
        sim_arm(n, (enum sim_point)(op->a % SIM_POINTS), 1 + op->b % 32U);
        break;
    case OP_RESTART:
        sim_restart(sim, n);
        break;
    case OP_MOVE:
        move(p, op);
        break;
    case OP_BACK:
        if (may_lie(p, n->index)) {
            sim_roll_back(sim, n, &p->s->home[n->index]);
        }
        break;
    case OP_MEET:
        meet(p, op);
        break;
    case OP_CALL:
        any_call(p, op);
        break;
    case OP_KIND_COUNT:
        break;
    }
    sim_settle(sim, AFTER_STEP_MS);
}

/* --- what must hold --- */

static void check_memory(struct play *p)
{
    size_t now = stage_memory();
    sim_check(sim_of(p), now < p->memory + MEMORY_MOST, "memory: %zu bytes more than at the start",
              now - p->memory);
}

/* All that a client can ask for can be answered. */
static void ask(struct play *p, struct crowd_person *who)
{
    static const char *const plain[] = {"contact.list", "request.list", "device.list",
                                        "account.show", "relay.audit"};
    struct writer none = writer_of(NULL, 0);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        (void)query(p, who->n, plain[i], 0, &none);
    }
    for (uint8_t i = 0; i < STAGE_PERSONS - 1; i++) {
        uint8_t bytes[256];
        struct writer w = writer_of(bytes, sizeof bytes);
        sim_pair_str(&w, "contact", contact_of(p, who, i)->id);
        (void)query(p, who->n, "message.history", 1, &w);
    }
    look(p, who);
}

static bool all_have_accounts(struct play *p)
{
    for (uint8_t i = 0; i < STAGE_PERSONS; i++) {
        if (person(p, i)->n->node->accounts == NULL) {
            return false;
        }
    }
    return true;
}

static void finish(struct play *p)
{
    struct sim *sim = sim_of(p);
    lies_stop(&p->lies);
    for (size_t i = 0; i < STAGE_NODES; i++) {
        sim_arm(sim->nodes[i], SIM_POINTS, 0);
        if (sim->nodes[i]->asleep) {
            sim_wake(sim, sim->nodes[i]);
        }
    }
    sim_settle(sim, p->wild ? WILD_END_MS : HONEST_END_MS);
    for (size_t i = 0; i < STAGE_PERSONS; i++) {
        ask(p, &p->s->crowd.people[i]);
    }
    check_relays(&p->s->crowd, false);
    if (all_have_accounts(p)) {
        check_receipts(&p->s->crowd);
    }
    for (size_t i = 0; i < 2; i++) {
        sim_check(sim, p->lanes[i].came == p->lanes[i].said,
                  "delivery: %u of %u that friend %zu said came", (unsigned)p->lanes[i].came,
                  (unsigned)p->lanes[i].said, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play *p = &PLAY;
    if (len < OPS_HEAD) {
        return 0;
    }
    p->s = stage_get();
    p->memory = stage_memory();
    p->wild = (data[0] & WILD) != 0;
    p->faults = false;
    p->time_left = TIME_MOST_MS;
    memset(p->lanes, 0, sizeof p->lanes);
    stage_begin(p->s);
    lies_begin(&p->lies, sim_of(p),
               p->wild ? (1U << STAGE_NODES) - 1 : 1U << STAGE_HYBRID | 1U << STAGE_DEVICE,
               (data[0] & FORGE) != 0);
    for (size_t i = 0; i < ops_count(len); i++) {
        struct op op = ops_at(data, i);
        step(p, &op);
        check_memory(p);
    }
    finish(p);
    lies_end(&p->lies);
    stage_end(p->s);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return ops_mutate(data, size, max, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max, unsigned seed)
{
    return ops_cross(a, a_len, b, b_len, out, max, seed);
}
