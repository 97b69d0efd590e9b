/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/check.h"

#include <stdlib.h>
#include <string.h>

#include "node/core.h"
#include "relay/host_cache.h"
#include "relay/item.h"
#include "relay/queue.h"
#include "relay/receipt.h"
#include "sim/inside.h"

enum {
    FORGOTTEN_MS = 60000,
};

/* --- relays --- */

struct index_row {
    uint32_t queue;
    uint8_t nonce[TOKEN_NONCE];
};

static int by_nonce(const void *a, const void *b)
{
    const struct index_row *x = a;
    const struct index_row *y = b;
    return x->queue != y->queue ? (x->queue < y->queue ? -1 : 1)
                                : memcmp(x->nonce, y->nonce, sizeof x->nonce);
}

struct relay_look {
    struct crowd *c;
    struct sim_node *n;
    struct index_row *rows; /* owned */
    size_t count;
    size_t cap;
    uint32_t queue; /* that is being counted */
    uint64_t stored;
    uint64_t bytes;
    uint64_t all_stored;
    bool dead;       /* the queue that is being counted */
    uint64_t unread; /* of these, in queues of machines that were lost */
};

/* Whether nobody reads this queue any more. */
static void find_dead(void *ctx, struct turn *turn)
{
    struct relay_look *l = ctx;
    for (size_t i = 0; i < l->c->dead_count; i++) {
        struct relay_queue_row row;
        l->dead |= relay_queue_row_get(l->n->node_keys, turn, &l->c->dead[i], &row) == ERR_OK &&
                   row.number == l->queue;
    }
}

static bool is_dead(struct relay_look *l)
{
    l->dead = false;
    sim_turn(&l->c->sim, l->n, find_dead, l);
    return l->dead;
}

static void quota(struct relay_look *l)
{
    const uint64_t most = l->n->envelopes > 0 ? l->n->envelopes : LIMIT_QUEUE_ENVELOPES;
    sim_check(&l->c->sim, l->stored <= most && l->bytes <= (uint64_t)LIMIT_QUEUE_MIB << 20,
              "quota: %llu envelopes, %llu bytes in a queue of node %u, which gives %llu",
              (unsigned long long)l->stored, (unsigned long long)l->bytes, (unsigned)l->n->index,
              (unsigned long long)most);
}

static void take_row(struct relay_look *l, uint32_t queue, const struct item_row *row)
{
    if (queue != l->queue) {
        quota(l);
        l->queue = queue;
        l->stored = l->bytes = 0;
        l->dead = l->c->dead_count > 0 && is_dead(l);
    }
    if (l->count == l->cap) {
        l->cap = l->cap > 0 ? 2 * l->cap : 256;
        l->rows = realloc(l->rows, l->cap * sizeof *l->rows);
        sim_check(&l->c->sim, l->rows != NULL, "out of memory");
    }
    l->rows[l->count].queue = queue;
    memcpy(l->rows[l->count++].nonce, row->nonce, sizeof row->nonce);
    if (row->state == ITEM_STORED) {
        l->stored++;
        l->all_stored++;
        l->unread += l->dead;
        l->bytes += queue_envelope_size(row->envelope_class);
    }
}

static void check_relay(struct crowd *c, struct sim_node *n, bool rest)
{
    struct relay_look l = {.c = c, .n = n};
    struct sim *sim = &c->sim;
    struct store store;
    struct item_row row;
    uint32_t queue = 0;
    uint64_t arrival = 0;
    enum err err;
    store_mem_read(n->mem, &store);
    while ((err = item_index_walk(&store, &queue, &arrival, &row)) == ERR_OK) {
        take_row(&l, queue, &row);
    }
    quota(&l);
    sim_check(sim, err == ERR_NOT_FOUND, "index: node %u: %s", (unsigned)n->index, err_name(err));
    if (l.count > 0) {
        qsort(l.rows, l.count, sizeof *l.rows, by_nonce);
    }
    for (size_t i = 1; i < l.count; i++) {
        sim_check(sim, by_nonce(&l.rows[i - 1], &l.rows[i]) != 0,
                  "index: node %u has a nonce twice in one queue", (unsigned)n->index);
    }
    free(l.rows);
    size_t payloads = 0;
    for (unsigned t = STORE_LOG_1H; t <= STORE_LOG_30D; t++) {
        payloads += store_mem_count(n->mem, (enum store_table)t);
    }
    sim_check(sim, payloads == l.all_stored,
              "index: node %u has %zu payloads and %llu rows of them", (unsigned)n->index, payloads,
              (unsigned long long)l.all_stored);
    sim_check(sim, !rest || payloads == l.unread, "queues: %zu envelopes wait at node %u",
              payloads - (size_t)l.unread, (unsigned)n->index);
}

void check_relays(struct crowd *c, bool rest)
{
    for (size_t i = 0; i < c->relay_count; i++) {
        check_relay(c, c->relays[i], rest);
    }
}

/* --- receipts --- */

struct receipt_look {
    struct crowd *c;
    struct sim_node *n;
};

/* Whether it is of the queue that is written to, or of the second one. */
static bool is_signed(const struct peer_row *peer, const struct outbox_row *entry)
{
    struct receipt receipt;
    struct device_place second;
    struct reader r = reader_of(peer->second);
    if (receipt_read(entry->receipt, &receipt) != ERR_OK) {
        return false;
    }
    if (receipt_verify(&receipt, &peer->queue_relay.node_id, &peer->queue, entry->envelope) ==
        ERR_OK) {
        return true;
    }
    device_place_read(&r, &second);
    return r.err == ERR_OK &&
           receipt_verify(&receipt, &second.relay.node_id, &second.key, entry->envelope) == ERR_OK;
}

static void look_for_receipts(void *ctx, struct turn *turn)
{
    struct receipt_look *l = ctx;
    struct step step = {.turn = turn};
    struct seal_keys *keys = l->n->node->accounts->keys;
    struct peer_row peer = {.number = 0};
    while (peer_row_next(&step, keys, peer.number, &peer) == ERR_OK) {
        struct outbox_row entry;
        struct arena_mark mark = arena_mark(turn->arena);
        for (uint64_t order = 0;
             outbox_row_next(&step, keys, peer.number, &order, &entry) == ERR_OK; order++) {
            sim_check(&l->c->sim,
                      entry.state != OUTBOX_AT_RELAY || entry.lead != 0 || is_signed(&peer, &entry),
                      "receipts: node %u counts something as stored without one",
                      (unsigned)l->n->index);
            arena_rewind(turn->arena, mark);
        }
    }
}

void check_receipts(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct receipt_look l = {.c = c, .n = c->people[i].n};
        if (!l.n->asleep) {
            sim_turn(&c->sim, l.n, look_for_receipts, &l);
        }
    }
}

/* --- forgetting --- */

/* Whether this root opens the account's keys in a copy of the store. */
static bool opens(struct crowd *c, const struct sim_copy *copy, const struct node_root *root)
{
    struct store store;
    if (root->account != 1) {
        return false;
    }
    store_mem_read(copy->mem, &store);
    struct turn turn = {.env = &c->sim.random.env, .store = &store, .arena = &c->sim.arena};
    struct seal_keys *keys = seal_keys_new_account(1, root->r);
    enum err err = keys != NULL ? seal_keys_load(keys, &turn) : ERR_NO_MEMORY;
    sim_check(&c->sim, err == ERR_OK || err == ERR_CORRUPT, "a copy cannot be read: %s",
              err_name(err));
    seal_keys_free(keys);
    arena_reset(&c->sim.arena);
    return err == ERR_OK;
}

static void check_copies(struct crowd *c, struct crowd_person *who)
{
    for (unsigned i = 0; i < who->copied; i++) {
        const struct crowd_copy *copy = &who->copies[i];
        const struct node_root *roots = who->n->roots;
        if (copy->then.at > who->deleted) {
            continue;
        }
        sim_check(&c->sim,
                  !opens(c, &copy->home, &roots[0]) &&
                      !opens(c, &copy->home, &roots[LIMIT_ACCOUNTS]),
                  "forgetting: person %u deleted something %llu s ago, which opens in a copy",
                  (unsigned)who->index,
                  (unsigned long long)(sim_now(&c->sim) - who->deleted) / LIMIT_SECOND_MS);
        c->did.forgotten++;
    }
}

/* A minute in which the node ran undisturbed, and had room. */
void check_forgotten(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct crowd_person *who = &c->people[i];
        struct sim_node *n = who->n;
        if (who->deleted == 0) {
            continue;
        }
        if (n->asleep || n->full || n->starts != who->starts) {
            who->starts = n->starts;
            who->awake = sim_now(&c->sim);
        }
        if (sim_now(&c->sim) >= who->awake + FORGOTTEN_MS) {
            check_copies(c, who);
            who->deleted = 0;
        }
    }
}
