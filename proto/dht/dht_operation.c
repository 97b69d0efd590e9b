/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_operation: lookups, gets and puts of a node of the DHT, from their begin to their end.
 * docs/protocol/11-dht.md, section 5.
 */
#include <stdlib.h>
#include <string.h>

#include "dht/core.h"
#include "dht/dht.h"

static struct dht_operation *operation_find(const struct dht *dht, uint64_t number)
{
    struct dht_operation *op = dht->operations;
    while (op != NULL && op->number != number) {
        op = op->next;
    }
    return op;
}

static void operation_free(struct dht_operation *op)
{
    free(op->legs[0]);
    free(op->legs[1]);
    free(op->done);
    free(op);
}

static void operation_drop(struct dht *dht, struct dht_operation *op)
{
    struct dht_operation **at = &dht->operations;
    while (*at != op) {
        at = &(*at)->next;
    }
    *at = op->next;
    dht->operation_count--;
    operation_free(op);
}

/* A lookup in each family of which somebody is known, and that has none. */
static enum err operation_start(struct dht *dht, const struct env *env, struct dht_operation *op)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct dht_contact near[DHT_SEEDS];
        /* There may be a socket, and no way to anybody: that is not waited for. */
        bool dead = dht->tables[f].alone && !dht->tables[1 - f].alone;
        unsigned n = dht->config.families[f] && op->legs[f] == NULL && !dead
                         ? dht_table_nearest(&dht->tables[f], &op->target, true, env->now_ms, near,
                                             DHT_SEEDS)
                         : 0;
        if (n == 0) {
            continue;
        }
        op->legs[f] = calloc(1, sizeof *op->legs[f]);
        if (op->legs[f] == NULL) {
            return ERR_NO_MEMORY;
        }
        dht_search_init(op->legs[f], &op->target, &dht->id[f]);
        for (unsigned i = 0; i < n; i++) {
            dht_search_seed(op->legs[f], &near[i]);
        }
    }
    return ERR_OK;
}

/* NULL: too many, or out of memory. */
static struct dht_operation *operation_new(struct dht *dht, const struct env *env,
                                           enum dht_operation_kind kind,
                                           const struct dht_id *target)
{
    struct dht_operation *op = dht->operation_count < DHT_OPERATIONS ? calloc(1, sizeof *op) : NULL;
    if (op == NULL) {
        return NULL;
    }
    op->done = kind != DHT_OP_NODES ? calloc(1, sizeof *op->done) : NULL;
    op->kind = kind;
    op->target = *target;
    op->begun_ms = env->now_ms;
    if ((op->done == NULL && kind != DHT_OP_NODES) || operation_start(dht, env, op) != ERR_OK) {
        operation_free(op);
        return NULL;
    }
    op->number = ++dht->next_operation;
    op->next = dht->operations;
    dht->operations = op;
    dht->operation_count++;
    return op;
}

/* Whether it waits for somebody to be known: those that we begin with are asked. */
static bool operation_waits(const struct dht_operation *op)
{
    return op->legs[0] == NULL && op->legs[1] == NULL && !op->over;
}

/* Asks whom its lookups want to be asked now. */
static void operation_ask(struct dht *dht, const struct env *env, struct dht_operation *op)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct dht_search *s = op->legs[f];
        struct dht_candidate *c;
        while (s != NULL && !op->putting && (c = dht_search_next(s)) != NULL) {
            struct krpc m = {.method = op->kind == DHT_OP_NODES ? KRPC_FIND_NODE : KRPC_GET,
                             .has_target = true,
                             .target = s->target};
            dht_want_both(dht, &m);
            if (!dht_ask(dht, env, &c->contact, true, &m, DHT_FOR_LOOKUP, op->number)) {
                return; /* when there is room again: the next tick */
            }
            dht_search_sent(s, c, env->now_ms);
            op->report.queries++;
        }
    }
}

static void operation_over(struct dht *dht, const struct env *env, struct dht_operation *op)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        if (op->legs[f] != NULL) {
            unsigned hops = dht_search_hops(op->legs[f]);
            op->report.hops = hops > op->report.hops ? hops : op->report.hops;
            op->report.answers += op->legs[f]->answers;
        }
    }
    op->report.took_ms = env->now_ms > op->begun_ms ? env->now_ms - op->begun_ms : 0;
    if (op->done != NULL) {
        op->done->out.kind = DHT_OUT_DONE;
        op->done->out.operation = op->number;
        op->done->out.report = op->report;
        dht_out_append(dht, op->done);
        op->done = NULL;
    }
    operation_drop(dht, op);
}

/* The lookup is at its end: stores at the nearest. false: there is no room for all of it now. */
static bool operation_put(struct dht *dht, const struct env *env, struct dht_operation *op)
{
    op->putting = true;
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct dht_candidate *near[DHT_HOLDERS];
        unsigned n = op->legs[f] != NULL ? dht_search_holders(op->legs[f], near) : 0;
        for (unsigned i = 0; i < n; i++) {
            struct krpc m = {.method = KRPC_PUT,
                             .token = slice_of(near[i]->token, near[i]->token_len),
                             .has_cas = op->has_cas,
                             .cas = op->cas};
            dht_item_write(&m, &op->item, true);
            if (near[i]->put) {
                continue;
            }
            if (!dht_ask(dht, env, &near[i]->contact, true, &m, DHT_FOR_PUT, op->number)) {
                return false;
            }
            near[i]->put = true;
            op->puts++;
            op->report.queries++;
        }
    }
    return true;
}

/* Does what is to be done next. */
static void operation_go_on(struct dht *dht, const struct env *env, struct dht_operation *op)
{
    operation_ask(dht, env, op);
    if (operation_waits(op)) {
        return;
    }
    for (unsigned f = 0; f < DHT_FAMILIES && !op->putting; f++) {
        if (op->legs[f] != NULL && !dht_search_done(op->legs[f])) {
            return;
        }
    }
    bool all = op->kind != DHT_OP_PUT || operation_put(dht, env, op);
    if (all && op->puts == 0) {
        operation_over(dht, env, op);
    }
}

void dht_operations_start(struct dht *dht, const struct env *env)
{
    struct dht_operation *next;
    for (struct dht_operation *op = dht->operations; op != NULL; op = next) {
        next = op->next;
        if (operation_waits(op) && operation_start(dht, env, op) == ERR_OK) {
            operation_go_on(dht, env, op);
        }
    }
}

/* --- what comes back --- */

/* A value in the reply to a get. */
static void operation_value(struct dht *dht, struct dht_operation *op, const struct krpc *m,
                            const struct dht_search *s)
{
    struct dht_item item;
    if (op->kind != DHT_OP_GET || m->value.len == 0 ||
        dht_item_read(m, slice_of(op->salt, op->salt_len), &s->target, &item) != 0 ||
        item.is_mutable != op->wants_mutable ||
        (op->found && (!item.is_mutable || item.seq <= op->item.seq))) {
        return;
    }
    op->found = true;
    op->item = item;
    struct dht_output *out = dht_out(dht, DHT_OUT_ITEM);
    if (out != NULL) {
        out->operation = op->number;
        out->item = item;
    }
}

static void looked_up(struct dht *dht, const struct env *env, struct dht_operation *op,
                      const struct dht_contact *asked, const struct krpc *m)
{
    struct dht_search *s = op->legs[dht_family(&asked->address)];
    struct dht_candidate *c = s != NULL ? dht_search_find(s, asked) : NULL;
    if (c == NULL) {
        return;
    }
    if (m->kind == KRPC_ERROR) {
        dht_search_fail(c);
    } else {
        operation_value(dht, op, m, s); /* whoever it comes from: it is signed */
        c = dht_search_answer(s, c, &m->id, m->token);
        struct dht_candidate who = c != NULL ? *c : (struct dht_candidate){.path = 0};
        for (unsigned f = 0; f < DHT_FAMILIES && c != NULL; f++) {
            if (op->legs[f] != NULL) {
                dht_search_learn(op->legs[f], &who, f == 0 ? m->nodes : m->nodes6, f == 1);
            }
        }
    }
    operation_go_on(dht, env, op);
}

static void stored(struct dht *dht, const struct env *env, struct dht_operation *op,
                   const struct krpc *m)
{
    op->puts--;
    if (m != NULL && m->kind == KRPC_REPLY) {
        op->report.stored++;
    } else {
        op->report.refused++;
        op->report.code = m != NULL ? (int32_t)m->code : op->report.code;
    }
    operation_go_on(dht, env, op);
}

void dht_operation_heard(struct dht *dht, const struct env *env, const struct dht_query *was,
                         const struct krpc *m)
{
    struct dht_operation *op = was->operation != 0 ? operation_find(dht, was->operation) : NULL;
    if (op != NULL && was->what == DHT_FOR_LOOKUP && m != NULL) {
        looked_up(dht, env, op, &was->to, m);
    } else if (op != NULL && was->what == DHT_FOR_PUT) {
        stored(dht, env, op, m);
    }
}

/* --- time --- */

void dht_operations_tick(struct dht *dht, const struct env *env)
{
    struct dht_operation *next;
    for (struct dht_operation *op = dht->operations; op != NULL; op = next) {
        next = op->next;
        op->over = env->now_ms < op->begun_ms || env->now_ms - op->begun_ms >= DHT_JOIN_WAIT_MS;
        for (unsigned f = 0; f < DHT_FAMILIES; f++) {
            if (op->legs[f] != NULL) {
                dht_search_tick(op->legs[f], env->now_ms);
            }
        }
        operation_go_on(dht, env, op);
    }
}

uint64_t dht_operations_deadline(const struct dht *dht)
{
    uint64_t first = UINT64_MAX;
    for (const struct dht_operation *op = dht->operations; op != NULL; op = op->next) {
        if (operation_waits(op) && op->begun_ms + DHT_JOIN_WAIT_MS < first) {
            first = op->begun_ms + DHT_JOIN_WAIT_MS;
        }
        for (unsigned f = 0; f < DHT_FAMILIES; f++) {
            uint64_t due =
                op->legs[f] != NULL && !op->putting ? dht_search_deadline(op->legs[f]) : UINT64_MAX;
            first = due < first ? due : first;
        }
    }
    return first;
}

void dht_operations_free(struct dht *dht)
{
    while (dht->operations != NULL) {
        operation_drop(dht, dht->operations);
    }
}

/* --- from outside --- */

void dht_look_around(struct dht *dht, const struct env *env, const struct dht_id *target)
{
    struct dht_operation *op = operation_new(dht, env, DHT_OP_NODES, target);
    if (op != NULL) {
        operation_go_on(dht, env, op);
    }
}

unsigned dht_looks_around(const struct dht *dht)
{
    unsigned count = 0;
    for (const struct dht_operation *op = dht->operations; op != NULL; op = op->next) {
        count += op->kind == DHT_OP_NODES;
    }
    return count;
}

uint64_t dht_get_mutable(struct dht *dht, const struct env *env, const struct sign_pk *key,
                         struct slice salt)
{
    struct dht_id target = dht_target_mutable(key, salt);
    struct dht_operation *op =
        salt.len <= KRPC_SALT ? operation_new(dht, env, DHT_OP_GET, &target) : NULL;
    if (op == NULL) {
        return 0;
    }
    op->wants_mutable = true;
    op->salt_len = (uint8_t)salt.len;
    if (salt.len > 0) {
        memcpy(op->salt, salt.p, salt.len);
    }
    uint64_t number = op->number;
    operation_go_on(dht, env, op);
    return number;
}

uint64_t dht_get_immutable(struct dht *dht, const struct env *env, const struct dht_id *target)
{
    struct dht_operation *op = operation_new(dht, env, DHT_OP_GET, target);
    uint64_t number = op != NULL ? op->number : 0;
    if (op != NULL) {
        operation_go_on(dht, env, op);
    }
    return number;
}

uint64_t dht_put(struct dht *dht, const struct env *env, const struct dht_item *item, bool has_cas,
                 int64_t cas)
{
    struct dht_id target = dht_item_target(item);
    struct dht_operation *op = operation_new(dht, env, DHT_OP_PUT, &target);
    if (op == NULL) {
        return 0;
    }
    op->item = *item;
    op->has_cas = has_cas;
    op->cas = cas;
    uint64_t number = op->number;
    operation_go_on(dht, env, op);
    return number;
}
