/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/item_index.h"

#include <assert.h>
#include <stdlib.h>

void item_index_init(struct item_index *ix, size_t limit)
{
    assert(limit <= LIMIT_QUEUE_FRESH);
    ix->limit = limit == 0 ? LIMIT_QUEUE_FRESH : limit;
    ix->count = 0;
}

enum err item_index_load(struct item_index *ix, struct turn *turn)
{
    uint64_t arrival = 0;
    ix->count = 0;
    for (;;) {
        uint32_t queue;
        struct item_row row;
        enum err err = item_fresh_next(turn->store, &arrival, &queue, &row);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        if (ix->count == LIMIT_QUEUE_FRESH) {
            return ERR_CORRUPT;
        }
        ix->arrivals[ix->count] = arrival;
        ix->queues[ix->count++] = queue;
    }
}

static bool is_fresh(const struct item_index *ix, uint64_t arrival)
{
    return ix->count > 0 && arrival >= ix->arrivals[0];
}

enum err item_index_add(struct item_index *ix, struct turn *turn, uint32_t queue, uint64_t arrival,
                        const struct item_row *row)
{
    enum err err = ix->count >= ix->limit ? item_index_settle(ix, turn) : ERR_OK;
    if (err == ERR_OK) {
        err = item_fresh_append(turn->store, arrival, queue, row);
    }
    if (err == ERR_OK) {
        ix->arrivals[ix->count] = arrival;
        ix->queues[ix->count++] = queue;
    }
    return err;
}

enum err item_index_set(const struct item_index *ix, struct turn *turn, uint32_t queue,
                        uint64_t arrival, const struct item_row *row)
{
    return is_fresh(ix, arrival) ? item_fresh_put(turn->store, arrival, queue, row)
                                 : item_place_put(turn->store, queue, arrival, row);
}

enum err item_index_get(const struct item_index *ix, struct turn *turn, uint32_t queue,
                        uint64_t arrival, struct item_row *row)
{
    if (!is_fresh(ix, arrival)) {
        return item_place_get(turn->store, queue, arrival, row);
    }
    uint32_t whose;
    struct item_row got;
    enum err err = item_fresh_get(turn->store, arrival, &whose, &got);
    if (err == ERR_OK && whose != queue) {
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_OK) {
        *row = got;
    }
    return err;
}

/* How many fresh rows have an arrival <= this. */
static size_t fresh_above(const struct item_index *ix, uint64_t arrival)
{
    size_t low = 0;
    size_t high = ix->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ix->arrivals[middle] <= arrival) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

enum err item_index_next(const struct item_index *ix, struct turn *turn, uint32_t queue,
                         uint64_t *arrival, struct item_row *row)
{
    if (!is_fresh(ix, *arrival)) {
        uint32_t number = queue;
        enum err err = item_place_next(turn->store, false, &number, arrival, row);
        if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
    for (size_t i = fresh_above(ix, *arrival); i < ix->count; i++) {
        if (ix->queues[i] == queue) {
            enum err err = item_index_get(ix, turn, queue, ix->arrivals[i], row);
            if (err == ERR_OK) {
                *arrival = ix->arrivals[i];
            }
            return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        }
    }
    return ERR_NOT_FOUND;
}

/* --- moving --- */

struct place {
    uint32_t queue;
    uint64_t arrival;
};

static int place_compare(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->queue != y->queue) {
        return x->queue < y->queue ? -1 : 1;
    }
    return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

static enum err move(struct turn *turn, const struct place *to)
{
    uint32_t queue;
    struct item_row row;
    enum err err = item_fresh_get(turn->store, to->arrival, &queue, &row);
    if (err == ERR_OK) {
        err = item_place_put(turn->store, to->queue, to->arrival, &row);
    }
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

enum err item_index_settle(struct item_index *ix, struct turn *turn)
{
    struct arena_mark mark = arena_mark(turn->arena);
    struct place *places = arena_alloc(turn->arena, (ix->count + 1) * sizeof *places);
    if (places == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < ix->count; i++) {
        places[i] = (struct place){.queue = ix->queues[i], .arrival = ix->arrivals[i]};
    }
    /* In the order of the index, so that each of its pages is visited once. */
    qsort(places, ix->count, sizeof *places, place_compare);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < ix->count; i++) {
        err = move(turn, &places[i]);
    }
    for (size_t i = ix->count; err == ERR_OK && i > 0; i--) {
        err = item_fresh_del(turn->store, ix->arrivals[i - 1]);
    }
    if (err == ERR_OK) {
        ix->count = 0;
    }
    arena_rewind(turn->arena, mark);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}
