/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/shelf.h"

#include <stdlib.h>
#include <string.h>

#include "sim/inside.h"

enum {
    SHELF_HOURS = 2,      /* as proto/dht keeps an item */
    SHELF_MS = 800,       /* that an answer takes at most; */
    SHELF_DONE_MS = 1000, /* when a lookup is over */
};

struct entry {
    struct entry *next;
    struct bep44_item first; /* that was put under this key */
    struct bep44_item item;  /* the newest */
    uint64_t put_ms;
};

struct sim_shelf {
    struct entry *entries;
    bool lies;
    bool loses;
    struct shelf_stats stats;
    void (*put)(void *ctx, const struct sim_node *by, const struct bep44_item *item);
    void *ctx;
};

void shelf_open(struct sim *sim)
{
    sim->shelf = calloc(1, sizeof *sim->shelf);
    sim_check(sim, sim->shelf != NULL, "out of memory");
    for (size_t i = 0; i < sim->count; i++) {
        sim_restart(sim, sim->nodes[i]);
    }
}

void shelf_lie(struct sim *sim)
{
    sim->shelf->lies = true;
}

void shelf_lose(struct sim *sim)
{
    sim->shelf->loses = true;
}

struct shelf_stats shelf_stats(const struct sim *sim)
{
    return sim->shelf->stats;
}

void shelf_watch(struct sim *sim,
                 void (*put)(void *ctx, const struct sim_node *by, const struct bep44_item *item),
                 void *ctx)
{
    sim->shelf->put = put;
    sim->shelf->ctx = ctx;
}

void shelf_fini(struct sim *sim)
{
    while (sim->shelf != NULL && sim->shelf->entries != NULL) {
        struct entry *next = sim->shelf->entries->next;
        free(sim->shelf->entries);
        sim->shelf->entries = next;
    }
    free(sim->shelf);
    sim->shelf = NULL;
}

static struct entry *find(struct sim_shelf *shelf, const uint8_t key[static sizeof(struct sign_pk)])
{
    struct entry *e = shelf->entries;
    while (e != NULL && memcmp(e->item.key.b, key, sizeof e->item.key.b) != 0) {
        e = e->next;
    }
    return e;
}

static void put(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct bep44_item item;
    struct reader r = reader_of(slice_of(out->data, out->len));
    bep44_item_read(&r, &item);
    sim_check(sim, reader_end(&r) == ERR_OK && bep44_item_verify(&item) == ERR_OK,
              "node %u puts what is no item", (unsigned)n->index);
    struct entry *e = find(sim->shelf, item.key.b);
    if (e == NULL) {
        e = calloc(1, sizeof *e);
        sim_check(sim, e != NULL, "out of memory");
        *e = (struct entry){.next = sim->shelf->entries, .first = item, .item = item};
        sim->shelf->entries = e;
    }
    e->item = item.seq >= e->item.seq ? item : e->item;
    e->put_ms = sim_now(sim);
    sim->shelf->stats.puts++;
    if (sim->shelf->put != NULL) {
        sim->shelf->put(sim->shelf->ctx, n, &item);
    }
}

static void give(struct sim *sim, struct sim_node *n, uint64_t number, uint64_t in,
                 const struct bep44_item *item)
{
    struct node_input input = {.kind = NODE_DHT_ITEM, .link = number};
    (void)input_send(sim, n, sim_now(sim) + in, &input, slice_of(item, sizeof *item));
}

static void get(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    struct sim_shelf *shelf = sim->shelf;
    struct entry *e = find(shelf, out->data);
    uint64_t in = 1 + sim_random(sim, SHELF_MS);
    shelf->stats.gets++;
    if (e != NULL && !shelf->loses && sim_now(sim) - e->put_ms < SHELF_HOURS * LIMIT_HOUR_MS) {
        struct bep44_item lie = e->item;
        lie.value[sim_random(sim, sizeof lie.value)] ^= 1;
        if (shelf->lies) {
            shelf->stats.lies += 2;
            give(sim, n, out->link, in, &lie);
            give(sim, n, out->link, in, &e->first);
        }
        shelf->stats.found++;
        give(sim, n, out->link, in, &e->item);
    }
    struct node_input done = {.kind = NODE_DHT_DONE, .link = out->link};
    (void)input_send(sim, n, sim_now(sim) + SHELF_DONE_MS, &done, slice_of(NULL, 0));
}

void shelf_output(struct sim *sim, struct sim_node *n, const struct node_output *out)
{
    sim_check(sim, sim->shelf != NULL, "node %u asks a DHT that there is not", (unsigned)n->index);
    if (out->kind == NODE_OUT_DHT_PUT) {
        put(sim, n, out);
    } else {
        get(sim, n, out);
    }
}
