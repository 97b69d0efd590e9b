/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum err dht_table_init(struct dht_table *t, const struct dht_id *own, bool v6, uint64_t now)
{
    *t = (struct dht_table){.own = *own, .v6 = v6, .count = 1};
    t->buckets = calloc(1, sizeof *t->buckets);
    if (t->buckets == NULL) {
        t->count = 0;
        return ERR_NO_MEMORY;
    }
    t->buckets[0].changed_ms = now;
    return ERR_OK;
}

void dht_table_fini(struct dht_table *t)
{
    free(t->buckets);
    t->buckets = NULL;
    t->count = 0;
}

static unsigned index_of(const struct dht_table *t, const struct dht_id *id)
{
    unsigned common = dht_id_common(&t->own, id);
    return common < t->count ? common : t->count - 1;
}

/* --- what a node is --- */

static uint64_t since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

static bool is_proven(const struct dht_node *n)
{
    return n->answered_ms != 0;
}

static bool is_good(const struct dht_node *n, uint64_t now)
{
    return is_proven(n) && n->failures == 0 && since(n->heard_ms, now) < DHT_GOOD_MS;
}

static bool is_bad(const struct dht_node *n)
{
    return n->failures >= DHT_FAILURES;
}

static struct dht_node *find(struct dht_node *nodes, unsigned count, const struct dht_contact *c)
{
    for (unsigned i = 0; i < count; i++) {
        if (dht_id_equal(&nodes[i].contact.id, &c->id)) {
            return &nodes[i];
        }
    }
    return NULL;
}

/* Whether it is another node of the same host. One host that speaks as many nodes is no better than
 * one: it would own the neighbourhood. */
static bool same_host(const struct dht_node *n, const struct dht_contact *c)
{
    return !dht_address_local(&c->address) && !dht_id_equal(&n->contact.id, &c->id) &&
           dht_address_same_host(&n->contact.address, &c->address);
}

/* --- taking in --- */

static void renew(struct dht_node *n, bool answered, uint64_t now)
{
    n->heard_ms = now;
    if (answered) {
        n->answered_ms = now;
        n->failures = 0;
    }
}

/* Moves what belongs to the other half of the last bucket into a new one. */
static enum err split(struct dht_table *t)
{
    struct dht_bucket *grown = realloc(t->buckets, (t->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return ERR_NO_MEMORY;
    }
    t->buckets = grown;
    struct dht_bucket *from = &t->buckets[t->count - 1];
    struct dht_bucket *to = &t->buckets[t->count];
    *to = (struct dht_bucket){.changed_ms = from->changed_ms};
    t->count++;
    struct dht_bucket old = *from;
    from->count = from->waiting = 0;
    for (unsigned i = 0; i < old.count; i++) {
        struct dht_bucket *b = &t->buckets[index_of(t, &old.nodes[i].contact.id)];
        b->nodes[b->count++] = old.nodes[i];
    }
    for (unsigned i = 0; i < old.waiting; i++) {
        struct dht_bucket *b = &t->buckets[index_of(t, &old.reserve[i].contact.id)];
        b->reserve[b->waiting++] = old.reserve[i];
    }
    return ERR_OK;
}

/* A place in a full bucket that is better filled with n: that of a bad one, or of one that never
 * answered. */
static struct dht_node *worst(struct dht_bucket *b, const struct dht_node *n)
{
    struct dht_node *found = NULL;
    for (unsigned i = 0; i < b->count; i++) {
        struct dht_node *there = &b->nodes[i];
        if (is_bad(there) && (found == NULL || there->failures > found->failures)) {
            found = there;
        }
    }
    for (unsigned i = 0; i < b->count && found == NULL && is_proven(n); i++) {
        found = is_proven(&b->nodes[i]) ? NULL : &b->nodes[i];
    }
    return found;
}

static void reserve_drop(struct dht_bucket *b, unsigned at)
{
    b->waiting--;
    memmove(&b->reserve[at], &b->reserve[at + 1], (b->waiting - at) * sizeof b->reserve[0]);
}

/* The oldest of the reserve that is proven, or not. */
static bool oldest(const struct dht_bucket *b, bool proven, unsigned *at)
{
    for (*at = 0; *at < b->waiting; ++*at) {
        if (is_proven(&b->reserve[*at]) == proven) {
            return true;
        }
    }
    return false;
}

static void wait_for_place(struct dht_bucket *b, const struct dht_node *n)
{
    unsigned at;
    struct dht_node *there = find(b->reserve, b->waiting, &n->contact);
    if (there != NULL) {
        bool moved = !dht_address_equal(&there->contact.address, &n->contact.address);
        if (!moved || is_proven(n) || !is_proven(there)) {
            *there = *n;
        }
        return;
    }
    if (b->waiting == DHT_RESERVE &&
        (oldest(b, false, &at) || (is_proven(n) && oldest(b, true, &at)))) {
        reserve_drop(b, at);
    }
    if (b->waiting < DHT_RESERVE) {
        b->reserve[b->waiting++] = *n;
    }
}

/* Takes the node in place i of a bucket out, for the newest that waits and is proven, else the
 * newest. */
static void replace(struct dht_bucket *b, unsigned i)
{
    unsigned at = b->waiting;
    while (at > 0 && !is_proven(&b->reserve[at - 1])) {
        at--;
    }
    at = at > 0 ? at : b->waiting;
    if (at > 0) {
        b->nodes[i] = b->reserve[at - 1];
        reserve_drop(b, at - 1);
    } else {
        b->nodes[i] = b->nodes[--b->count];
    }
}

/* Whether n is in the way of a node of the same host that answered: not when it never did, nor when
 * it is bad, nor at the same port, where there is one. */
static bool in_the_way(const struct dht_node *n, const struct dht_contact *c)
{
    return is_proven(n) && !is_bad(n) && !dht_address_equal(&n->contact.address, &c->address);
}

/* Whether there is no other node of its host, or one that makes way. */
static bool host_free(struct dht_table *t, const struct dht_contact *c, bool answered)
{
    for (unsigned k = 0; k < t->count; k++) {
        struct dht_bucket *b = &t->buckets[k];
        for (unsigned i = b->waiting; i-- > 0;) {
            bool same = same_host(&b->reserve[i], c);
            if (same && (!answered || in_the_way(&b->reserve[i], c))) {
                return false;
            }
            if (same) {
                reserve_drop(b, i);
            }
        }
        for (unsigned i = b->count; i-- > 0;) {
            bool same = same_host(&b->nodes[i], c);
            if (same && (!answered || in_the_way(&b->nodes[i], c))) {
                return false;
            }
            if (same) {
                replace(b, i);
            }
        }
    }
    return true;
}

void dht_table_heard(struct dht_table *t, const struct dht_contact *c, bool answered, uint64_t now)
{
    if (c->address.v6 != t->v6 || !dht_address_valid(&c->address) ||
        dht_id_equal(&c->id, &t->own) || !dht_id_fits(&c->id, &c->address)) {
        return;
    }
    struct dht_bucket *b = &t->buckets[index_of(t, &c->id)];
    struct dht_node *known = find(b->nodes, b->count, c);
    bool same = known != NULL && dht_address_equal(&known->contact.address, &c->address);
    if (known != NULL && !same && (!answered || is_proven(known)) && !is_bad(known)) {
        return; /* the same ID from elsewhere: it has moved only if the one that we know is gone */
    }
    if (known != NULL && same) {
        renew(known, answered, now);
        b->changed_ms = answered ? now : b->changed_ms;
        return;
    }
    if (!host_free(t, c, answered)) {
        return;
    }
    struct dht_node n = {.contact = *c};
    renew(&n, answered, now);
    while (b->count == DHT_BUCKET && b == &t->buckets[t->count - 1] && t->count < DHT_BUCKETS) {
        if (split(t) != ERR_OK) {
            return;
        }
        b = &t->buckets[index_of(t, &c->id)];
    }
    known = find(b->nodes, b->count, c);
    struct dht_node *place = known != NULL           ? known
                             : b->count < DHT_BUCKET ? &b->nodes[b->count]
                                                     : worst(b, &n);
    if (place == NULL) {
        wait_for_place(b, &n);
        return;
    }
    b->count = (uint8_t)(b->count + (place == &b->nodes[b->count]));
    *place = n;
    b->changed_ms = now;
}

void dht_table_failed(struct dht_table *t, const struct dht_contact *c)
{
    struct dht_bucket *b = &t->buckets[index_of(t, &c->id)];
    struct dht_node *n = find(b->nodes, b->count, c);
    if (n == NULL || !dht_address_equal(&n->contact.address, &c->address)) {
        return;
    }
    n->failures = (uint8_t)(n->failures + (n->failures < UINT8_MAX));
    if (is_bad(n) && (b->waiting > 0 || !is_proven(n))) {
        replace(b, (unsigned)(n - b->nodes));
    }
}

/* --- asking --- */

/* How much it is worth to ask it: 0 good, 1 questionable, 2 unproven, 3 failed. */
static unsigned rank(const struct dht_node *n, uint64_t now)
{
    return is_good(n, now) ? 0 : n->failures > 0 ? 3 : is_proven(n) ? 1 : 2;
}

unsigned dht_table_nearest(const struct dht_table *t, const struct dht_id *target, bool any,
                           uint64_t now, struct dht_contact *out, unsigned max)
{
    unsigned count = 0;
    unsigned last = any ? (t->alone ? 3 : 2) : 0;
    for (unsigned r = 0; r <= last; r++) {
        unsigned first = count; /* of this rank */
        for (unsigned k = 0; k < t->count * DHT_BUCKET; k++) {
            const struct dht_bucket *b = &t->buckets[k / DHT_BUCKET];
            const struct dht_node *n = &b->nodes[k % DHT_BUCKET];
            if (k % DHT_BUCKET >= b->count || rank(n, now) != r) {
                continue;
            }
            unsigned at = count;
            while (at > first && dht_id_nearer(target, &n->contact.id, &out[at - 1].id) < 0) {
                at--;
            }
            if (at == max) {
                continue;
            }
            count += count < max;
            memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof out[0]);
            out[at] = n->contact;
        }
    }
    return count;
}

bool dht_table_is_good(const struct dht_table *t, const struct dht_contact *c, uint64_t now)
{
    struct dht_bucket *b = &t->buckets[index_of(t, &c->id)];
    const struct dht_node *n = find(b->nodes, b->count, c);
    return n != NULL && dht_address_equal(&n->contact.address, &c->address) && is_good(n, now);
}

unsigned dht_table_size(const struct dht_table *t, uint64_t now, unsigned *good)
{
    unsigned all = 0;
    *good = 0;
    for (unsigned b = 0; b < t->count; b++) {
        all += t->buckets[b].count;
        for (unsigned i = 0; i < t->buckets[b].count; i++) {
            *good += is_good(&t->buckets[b].nodes[i], now);
        }
    }
    return all;
}

/* When this node is to be pinged; UINT64_MAX: there is no need. */
static uint64_t ping_due(const struct dht_table *t, const struct dht_bucket *b,
                         const struct dht_node *n)
{
    uint64_t due = UINT64_MAX;
    uint64_t wait = DHT_PING_AGAIN_MS;
    if (!is_proven(n) || n->failures > 0) {
        due = 0;
    } else if (b->waiting > 0 || t->alone) {
        due = n->heard_ms + DHT_GOOD_MS;
    }
    for (unsigned i = 1; i < n->failures && wait < DHT_GOOD_MS; i++) {
        wait *= 2;
    }
    wait = wait < DHT_GOOD_MS ? wait : (uint64_t)DHT_GOOD_MS;
    uint64_t again = n->pinged_ms == 0 ? 0 : n->pinged_ms + wait;
    return due > again ? due : again;
}

bool dht_table_ping(struct dht_table *t, uint64_t now, struct dht_contact *out)
{
    for (unsigned b = t->count; b-- > 0;) { /* our neighbours first */
        for (unsigned i = 0; i < t->buckets[b].count; i++) {
            struct dht_node *n = &t->buckets[b].nodes[i];
            if (ping_due(t, &t->buckets[b], n) <= now) {
                n->pinged_ms = now;
                *out = n->contact;
                return true;
            }
        }
    }
    return false;
}

bool dht_table_refresh(struct dht_table *t, const struct env *env, struct dht_id *target)
{
    for (unsigned b = 0; b < t->count; b++) {
        struct dht_bucket *bucket = &t->buckets[b];
        if (since(bucket->changed_ms, env->now_ms) < DHT_GOOD_MS) {
            continue;
        }
        bucket->changed_ms = env->now_ms;
        env_random(env, target->b, DHT_ID);
        for (unsigned bit = 0; bit <= b; bit++) {
            /* b bits as ours, and then, but in the last bucket, one that is not. */
            bool other = bit == b && b + 1 < t->count;
            uint8_t mask = (uint8_t)(0x80U >> bit % 8);
            uint8_t own = (uint8_t)((t->own.b[bit / 8] & mask) ^ (other ? mask : 0));
            if (bit < b || other) {
                target->b[bit / 8] = (uint8_t)((target->b[bit / 8] & ~mask) | own);
            }
        }
        return true;
    }
    return false;
}

uint64_t dht_table_deadline(const struct dht_table *t, bool refresh)
{
    uint64_t first = UINT64_MAX;
    for (unsigned b = 0; b < t->count; b++) {
        const struct dht_bucket *bucket = &t->buckets[b];
        uint64_t due = refresh ? bucket->changed_ms + DHT_GOOD_MS : UINT64_MAX;
        first = due < first ? due : first;
        for (unsigned i = 0; i < bucket->count; i++) {
            due = ping_due(t, bucket, &bucket->nodes[i]);
            first = due < first ? due : first;
        }
    }
    return first;
}

void dht_table_save(const struct dht_table *t, struct writer *w)
{
    unsigned left = DHT_SAVE;
    for (unsigned k = 0; k < t->count * DHT_BUCKET && left > 0; k++) {
        const struct dht_bucket *b = &t->buckets[k / DHT_BUCKET];
        const struct dht_node *n = &b->nodes[k % DHT_BUCKET];
        if (k % DHT_BUCKET < b->count && is_proven(n) && (n->failures == 0 || t->alone)) {
            dht_contact_write(w, &n->contact);
            left--;
        }
    }
}
