/* SPDX-License-Identifier: Apache-2.0
 *
 * shelf: stands in for the DHT in a world: keeps for two hours what was put, the newest of a key,
 * and answers after a while. What it does to lie, the real one could do. dht_net.h has the real
 * one.
 */
#ifndef PETREL_TESTS_SIM_SHELF_H
#define PETREL_TESTS_SIM_SHELF_H

#include "sim/sim.h"

struct shelf_stats {
    uint64_t puts;
    uint64_t gets;
    uint64_t found; /* gets that gave something true */
    uint64_t lies;  /* items that were not what they should be */
};

/* From now on every node of this world, also those that come later, has it. All are restarted. */
void shelf_open(struct sim *sim);
/* Also gives items that are damaged, and old ones of the same key, first. */
void shelf_lie(struct sim *sim);
/* Takes what is put, and has none of it. */
void shelf_lose(struct sim *sim);
struct shelf_stats shelf_stats(const struct sim *sim);
/* Sees every item that is put. */
void shelf_watch(struct sim *sim,
                 void (*put)(void *ctx, const struct sim_node *by, const struct bep44_item *item),
                 void *ctx);

#endif
