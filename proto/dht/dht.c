/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/dht.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dht/core.h"

static const struct dht_address NOWHERE = {.port = 0};

/* --- outputs --- */

void dht_out_append(struct dht *dht, struct dht_pending *p)
{
    *dht->out_last = p;
    dht->out_last = &p->next;
    dht->out_count++;
}

struct dht_output *dht_out(struct dht *dht, enum dht_output_kind kind)
{
    /* The network loses datagrams, too; a result must not get lost. */
    if (kind == DHT_OUT_DATAGRAM && dht->out_count >= DHT_OUT) {
        return NULL;
    }
    struct dht_pending *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->out.kind = kind;
    dht_out_append(dht, p);
    return &p->out;
}

bool dht_next_output(struct dht *dht, struct dht_output *out)
{
    struct dht_pending *p = dht->out_first;
    if (p == NULL) {
        return false;
    }
    dht->out_first = p->next;
    if (dht->out_first == NULL) {
        dht->out_last = &dht->out_first;
    }
    dht->out_count--;
    *out = p->out;
    free(p);
    return true;
}

bool dht_send(struct dht *dht, const struct dht_address *to, const struct krpc *m)
{
    struct dht_output *out = dht_out(dht, DHT_OUT_DATAGRAM);
    if (out == NULL) {
        return false;
    }
    struct writer w = writer_of(out->bytes, sizeof out->bytes);
    krpc_write(&w, m);
    assert(w.err == ERR_OK); /* who asks for more looked before */
    out->to = *to;
    out->len = w.len;
    return true;
}

/* --- queries --- */

bool dht_ask(struct dht *dht, const struct env *env, const struct dht_contact *to, bool has_id,
             const struct krpc *about, enum dht_query_for what, uint64_t operation)
{
    struct krpc m = *about;
    struct dht_query *q = NULL;
    for (unsigned i = 0; i < DHT_QUERIES && dht->query_count < DHT_QUERIES && q == NULL; i++) {
        q = dht->queries[i].transaction == 0 ? &dht->queries[i] : NULL;
    }
    if (q == NULL || dht->out_count >= DHT_OUT) {
        dht->again_ms = env->now_ms + DHT_AGAIN_MS;
        return false;
    }
    uint32_t transaction;
    env_random(env, &transaction, sizeof transaction); /* who cannot see the query cannot answer */
    transaction += transaction == 0;
    m.kind = KRPC_QUERY;
    m.transaction = slice_of(&transaction, sizeof transaction);
    m.id = dht->id[dht_family(&to->address)];
    m.has_id = true;
    m.read_only = dht->config.read_only;
    if (!dht_send(dht, &to->address, &m)) {
        return false;
    }
    *q = (struct dht_query){.transaction = transaction,
                            .what = what,
                            .operation = operation,
                            .sent_ms = env->now_ms,
                            .has_id = has_id,
                            .to = *to};
    dht->query_count++;
    return true;
}

static struct dht_query *query_find(struct dht *dht, const struct dht_address *from,
                                    struct slice transaction)
{
    for (unsigned i = 0; i < DHT_QUERIES; i++) {
        struct dht_query *q = &dht->queries[i];
        if (q->transaction != 0 && transaction.len == sizeof q->transaction &&
            memcmp(transaction.p, &q->transaction, sizeof q->transaction) == 0 &&
            dht_address_equal(&q->to.address, from)) {
            return q;
        }
    }
    return NULL;
}

static void query_over(struct dht *dht, struct dht_query *q)
{
    q->transaction = 0;
    dht->query_count--;
}

void dht_want_both(const struct dht *dht, struct krpc *m)
{
    m->want4 = dht->config.families[0] && dht->config.families[1] &&
               (dht->tables[0].alone || dht->tables[1].alone);
    m->want6 = m->want4;
}

/* Pings by asking for our neighbours. */
static void ping(struct dht *dht, const struct env *env, const struct dht_contact *to,
                 enum dht_query_for what)
{
    struct krpc m = {.method = KRPC_FIND_NODE, .has_target = true};
    m.target = dht->id[dht_family(&to->address)];
    dht_want_both(dht, &m);
    (void)dht_ask(dht, env, to, what != DHT_FOR_BOOT, &m, what, 0);
}

/* While we are alone, whom an answer names is asked in turn: the one that gave it may be nobody for
 * a table, as its ID does not fit its address, or know only of the other family. */
static void take_named(struct dht *dht, const struct env *env, const struct dht_address *from,
                       const struct krpc *m)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        struct reader r = reader_of(f == 0 ? m->nodes : m->nodes6);
        for (unsigned i = 0; i < DHT_SEEDS && reader_left(&r) > 0; i++) {
            struct dht_contact c = dht_contact_read(&r, f == 1);
            bool may = dht_address_local(from) || !dht_address_local(&c.address);
            if (r.err == ERR_OK && may && dht->config.families[f] && dht->tables[f].alone) {
                dht_table_heard(&dht->tables[f], &c, false, env->now_ms);
            }
        }
    }
}

/* --- our own address (BEP 42) --- */

/* These find a place in the new table, or wait there. */
static void carry_over(struct dht_table *t, const struct dht_node *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bool good = nodes[i].answered_ms != 0 && nodes[i].failures == 0;
        dht_table_heard(t, &nodes[i].contact, good, nodes[i].heard_ms);
    }
}

/* Another address: another ID, and all who are known find their places anew, those who wait behind
 * the others. */
static void moved(struct dht *dht, const struct env *env, unsigned f)
{
    struct dht_table old = dht->tables[f];
    struct dht_id id = dht_id_for(env, &dht->external[f]);
    if (dht_id_fits(&dht->id[f], &dht->external[f]) ||
        dht_table_init(&dht->tables[f], &id, f == 1, env->now_ms) != ERR_OK) {
        dht->tables[f] = old;
        return;
    }
    dht->id[f] = id;
    dht->tables[f].alone = old.alone;
    dht->join_wait[f] = dht->join_ms[f] = 0;
    for (unsigned b = 0; b < old.count; b++) {
        carry_over(&dht->tables[f], old.buckets[b].nodes, old.buckets[b].count);
    }
    for (unsigned b = 0; b < old.count; b++) {
        carry_over(&dht->tables[f], old.buckets[b].reserve, old.buckets[b].waiting);
    }
    dht_table_fini(&old);
}

/* One node more says what our address is. The first is believed; another address counts when most
 * of those say so who were asked last, each of which has one word. Only nodes of our table have
 * one then, of which there is one for each host. */
static void vote(struct dht *dht, const struct env *env, const struct dht_contact *who,
                 struct slice said)
{
    const struct dht_address *by = &who->address;
    unsigned f = dht_family(by);
    struct dht_vote *votes = dht->votes[f];
    unsigned *count = &dht->vote_count[f];
    bool known = dht->external[f].port != 0;
    struct reader r = reader_of(said);
    if (said.len != (by->v6 ? DHT_COMPACT6 : DHT_COMPACT4) ||
        (known && !dht_table_is_good(&dht->tables[f], who, env->now_ms))) {
        return;
    }
    struct dht_vote v = {.by = *by, .ours = dht_address_read(&r, by->v6)};
    if (!dht_address_valid(&v.ours) || (dht_address_local(&v.ours) && !dht_address_local(by))) {
        return;
    }
    unsigned at = 0;
    while (at < *count && !(dht_address_local(by) ? dht_address_equal(&votes[at].by, by)
                                                  : dht_address_same_host(&votes[at].by, by))) {
        at++;
    }
    if (at == DHT_VOTES) { /* the oldest goes */
        at = DHT_VOTES - 1;
        memmove(votes, votes + 1, at * sizeof votes[0]);
    } else if (at == *count) {
        ++*count;
    }
    votes[at] = v;
    unsigned same = 0;
    for (unsigned i = 0; i < *count; i++) {
        same += dht_address_same_host(&votes[i].ours, &v.ours);
    }
    bool another = !dht_address_same_host(&dht->external[f], &v.ours);
    bool lately = dht->moved_ms[f] != 0 && env->now_ms - dht->moved_ms[f] < DHT_MOVED_MS;
    if (known && (same < 3 || 2 * same <= *count || (another && lately))) {
        return;
    }
    dht->external[f] = v.ours;
    if (another) {
        dht->moved_ms[f] = known ? env->now_ms : 0;
        *count = 0; /* what they said before is over */
        moved(dht, env, f);
    }
}

/* --- datagrams --- */

static void answered(struct dht *dht, const struct env *env, const struct dht_address *from,
                     const struct krpc *m)
{
    struct dht_query *q = query_find(dht, from, m->transaction);
    if (q == NULL) {
        return; /* not asked, or too late */
    }
    struct dht_query was = *q;
    struct dht_table *t = &dht->tables[dht_family(from)];
    struct dht_contact c = {.id = m->id, .address = *from};
    query_over(dht, q);
    if (was.has_id &&
        (m->kind == KRPC_REPLY ? !dht_id_equal(&was.to.id, &m->id) : was.what == DHT_FOR_PING)) {
        dht_table_failed(t, &was.to); /* another one, or one that is of no use */
    }
    dht_guard_reached(&dht->guard, from, env->now_ms);
    if (m->kind == KRPC_REPLY) {
        dht_table_heard(t, &c, true, env->now_ms);
        vote(dht, env, &c, m->ip);
        if (was.what == DHT_FOR_PING || was.what == DHT_FOR_BOOT) {
            take_named(dht, env, from, m);
        }
        if (t->alone && dht_table_is_good(t, &c, env->now_ms)) { /* again, or at last */
            t->alone = false;
            dht->join_wait[dht_family(from)] = dht->join_ms[dht_family(from)] = 0;
            dht_operations_start(dht, env);
        }
    }
    dht_operation_heard(dht, env, &was, m);
}

void dht_datagram(struct dht *dht, const struct env *env, const struct dht_address *from,
                  struct slice bytes)
{
    struct krpc m;
    if (!krpc_looks(bytes) || !dht_address_valid(from) || !dht->config.families[dht_family(from)]) {
        return;
    }
    enum err err = krpc_read(bytes, &m);
    if (err != ERR_OK) {
        dht_serve_malformed(dht, env, from, &m, bytes.len);
        return;
    }
    if (m.kind != KRPC_QUERY) {
        answered(dht, env, from, &m);
        return;
    }
    if (!m.read_only) {
        struct dht_contact c = {.id = m.id, .address = *from};
        dht_table_heard(&dht->tables[dht_family(from)], &c, false, env->now_ms);
    }
    dht_serve(dht, env, from, &m, bytes.len);
}

/* --- time --- */

/* What was not answered in time. */
static void give_up(struct dht *dht, const struct env *env)
{
    for (unsigned i = 0; i < DHT_QUERIES && dht->query_count > 0; i++) {
        struct dht_query *q = &dht->queries[i];
        if (q->transaction == 0 || env->now_ms < q->sent_ms ||
            env->now_ms - q->sent_ms < DHT_TIMEOUT_MS) {
            continue;
        }
        struct dht_query was = *q;
        query_over(dht, q);
        if (was.has_id) {
            dht_table_failed(&dht->tables[dht_family(&was.to.address)], &was.to);
        }
        dht_operation_heard(dht, env, &was, NULL);
    }
}

/* Keeps a table fresh; joins when somebody is known. */
static void tend(struct dht *dht, const struct env *env, unsigned f)
{
    struct dht_contact who;
    struct dht_id target;
    unsigned good;
    if (dht_table_ping(&dht->tables[f], env->now_ms, &who)) {
        ping(dht, env, &who, DHT_FOR_PING);
    }
    (void)dht_table_size(&dht->tables[f], env->now_ms, &good);
    if (good == 0 || dht_looks_around(dht) >= DHT_LOOKS) {
        return;
    }
    if (dht->join_ms[f] <= env->now_ms) {
        uint64_t wait = dht->join_wait[f] == 0 ? (uint64_t)DHT_JOIN_MS : 2 * dht->join_wait[f];
        dht->join_wait[f] = wait < DHT_GOOD_MS ? wait : (uint64_t)DHT_GOOD_MS;
        dht->join_ms[f] = env->now_ms + dht->join_wait[f];
        dht_look_around(dht, env, &dht->id[f]);
    } else if (dht_table_refresh(&dht->tables[f], env, &target)) {
        dht_look_around(dht, env, &target);
    }
}

/* In how many of the families that there are nobody good is known; notes it for each. */
static unsigned count_alone(struct dht *dht, const struct env *env)
{
    unsigned count = 0;
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        unsigned good;
        (void)dht_table_size(&dht->tables[f], env->now_ms, &good);
        dht->tables[f].alone = good == 0;
        count += dht->config.families[f] && good == 0;
    }
    return count;
}

static unsigned families(const struct dht *dht)
{
    return (dht->config.families[0] ? 1U : 0U) + (dht->config.families[1] ? 1U : 0U);
}

/* Asks those that we begin with. There may be a socket for a family, and no way to anybody. */
static void begin_again(struct dht *dht, const struct env *env, bool all)
{
    uint64_t most = all ? (uint64_t)DHT_BOOT_MAX_MS : (uint64_t)DHT_GOOD_MS;
    dht->boot_wait = 2 * dht->boot_wait < most ? 2 * dht->boot_wait : most;
    dht->boot_ms = env->now_ms + dht->boot_wait;
    for (unsigned i = 0; i < dht->boot_count; i++) {
        struct dht_contact c = {.address = dht->boot[i]};
        ping(dht, env, &c, DHT_FOR_BOOT);
    }
}

void dht_tick(struct dht *dht, const struct env *env)
{
    dht->again_ms = UINT64_MAX;
    give_up(dht, env);
    dht_operations_tick(dht, env);
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        if (dht->config.families[f]) {
            tend(dht, env, f);
        }
    }
    unsigned alone = count_alone(dht, env);
    if (dht->boot_count > 0 && dht->boot_ms <= env->now_ms && alone > 0) {
        begin_again(dht, env, alone == families(dht));
    }
    if (dht->expire_ms <= env->now_ms) {
        dht->expire_ms = dht_items_expire(dht->items, env->now_ms);
    }
}

uint64_t dht_deadline(const struct dht *dht)
{
    uint64_t first = dht->expire_ms < dht->again_ms ? dht->expire_ms : dht->again_ms;
    bool alone = false;
    bool looks = dht_looks_around(dht) < DHT_LOOKS;
    for (unsigned i = 0, n = dht->query_count; i < DHT_QUERIES && n > 0; i++) {
        const struct dht_query *q = &dht->queries[i];
        if (q->transaction != 0) {
            n--;
            first = q->sent_ms + DHT_TIMEOUT_MS < first ? q->sent_ms + DHT_TIMEOUT_MS : first;
        }
    }
    uint64_t due = dht_operations_deadline(dht);
    first = due < first ? due : first;
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        if (!dht->config.families[f]) {
            continue;
        }
        /* Who knows nobody looks nobody up. */
        due = dht_table_deadline(&dht->tables[f], looks && !dht->tables[f].alone);
        first = due < first ? due : first;
        if (looks && !dht->tables[f].alone && dht->join_ms[f] < first) {
            first = dht->join_ms[f];
        }
        alone = alone || dht->tables[f].alone;
    }
    return dht->boot_count > 0 && alone && dht->boot_ms < first ? dht->boot_ms : first;
}

/* --- from outside --- */

struct dht *dht_new(const struct dht_config *config, const struct env *env)
{
    struct dht *dht = calloc(1, sizeof *dht);
    if (dht == NULL) {
        return NULL;
    }
    dht->config = *config;
    dht->out_last = &dht->out_first;
    dht->expire_ms = dht->again_ms = UINT64_MAX;
    dht_guard_init(&dht->guard, env);
    dht->items = dht_items_new(env);
    bool good = dht->items != NULL;
    for (unsigned f = 0; f < DHT_FAMILIES && good; f++) {
        dht->external[f] = NOWHERE;
        dht->external[f].v6 = f == 1;
        env_random(env, dht->id[f].b, DHT_ID);
        good = dht_table_init(&dht->tables[f], &dht->id[f], f == 1, env->now_ms) == ERR_OK;
        dht->tables[f].alone = true;
    }
    if (!good) {
        dht_free(dht);
        return NULL;
    }
    return dht;
}

void dht_free(struct dht *dht)
{
    struct dht_output out;
    if (dht == NULL) {
        return;
    }
    dht_operations_free(dht);
    while (dht_next_output(dht, &out)) {
        /* nobody wants it any more */
    }
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        dht_table_fini(&dht->tables[f]);
    }
    dht_items_free(dht->items);
    dht_guard_fini(&dht->guard);
    free(dht);
}

void dht_bootstrap(struct dht *dht, const struct env *env, const struct dht_address *node)
{
    struct dht_contact c = {.address = *node};
    if (!dht_address_valid(node) || !dht->config.families[dht_family(node)]) {
        return;
    }
    bool known = false; /* its name may be looked up again and again */
    for (unsigned i = 0; i < dht->boot_count; i++) {
        known = known || dht_address_equal(&dht->boot[i], node);
    }
    if (!known && dht->boot_count < DHT_BOOT) {
        dht->boot[dht->boot_count++] = *node;
    }
    dht->boot_wait = DHT_BOOT_MS;
    dht->boot_ms = env->now_ms + DHT_BOOT_MS;
    ping(dht, env, &c, DHT_FOR_BOOT);
}

void dht_status(const struct dht *dht, const struct env *env, struct dht_status *out)
{
    *out = (struct dht_status){.items = dht_items_count(dht->items),
                               .operations = dht->operation_count};
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        out->nodes[f] = dht_table_size(&dht->tables[f], env->now_ms, &out->good[f]);
        out->external[f] = dht->external[f];
        out->id[f] = dht->id[f];
    }
}

_Static_assert(LIMIT_DHT_SAVED == 2 * 2 + DHT_SAVE * (DHT_NODE4 + DHT_NODE6), "room for a table");

void dht_save(const struct dht *dht, struct writer *w)
{
    for (unsigned f = 0; f < DHT_FAMILIES; f++) {
        uint8_t *count = writer_reserve(w, sizeof(uint16_t));
        size_t begun = w->len;
        dht_table_save(&dht->tables[f], w);
        if (w->err == ERR_OK && count != NULL) {
            size_t n = (w->len - begun) / (f == 1 ? (size_t)DHT_NODE6 : (size_t)DHT_NODE4);
            count[0] = (uint8_t)(n >> 8);
            count[1] = (uint8_t)n;
        }
    }
}

enum err dht_restore(struct dht *dht, const struct env *env, struct slice saved)
{
    for (unsigned pass = 0; pass < 2; pass++) { /* first it is only looked at */
        struct reader r = reader_of(saved);
        for (unsigned f = 0; f < DHT_FAMILIES; f++) {
            uint16_t n = reader_u16(&r);
            for (uint16_t i = 0; i < n && r.err == ERR_OK; i++) {
                struct dht_contact c = dht_contact_read(&r, f == 1);
                if (pass == 1 && dht->config.families[f]) {
                    dht_table_heard(&dht->tables[f], &c, false, env->now_ms);
                }
            }
        }
        enum err err = reader_end(&r);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}
