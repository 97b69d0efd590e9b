/* SPDX-License-Identifier: Apache-2.0
 *
 * item_index: the index of a relay's envelopes and spent nonces (the rows of item.h), by queue and
 * arrival. docs/protocol/04-relay.md, section 4.11; docs/decisions/0012.
 *
 * A new row goes to the end of one table that all queues share (STORE_QUEUE_FRESH), so that a turn
 * writes a page for all its deposits and not one for each queue. When LIMIT_QUEUE_FRESH of them are
 * there, one turn moves them all to their place in the order of queues (STORE_QUEUE_INDEX). So each
 * row is in exactly one of the two, and which one follows from its arrival number: every fresh row
 * is younger than every placed one.
 *
 * Memory holds arrival and queue of the fresh rows. It is true at the beginning of a turn; a turn
 * that fails throws it away with the rest of the host.
 */
#ifndef PETREL_RELAY_ITEM_INDEX_H
#define PETREL_RELAY_ITEM_INDEX_H

#include "base/limits.h"
#include "relay/item.h"

struct item_index {
    size_t limit; /* of fresh rows: LIMIT_QUEUE_FRESH, less in tests; at least 1 */
    size_t count; /* of them now */
    uint64_t arrivals[LIMIT_QUEUE_FRESH]; /* theirs, ascending */
    uint32_t queues[LIMIT_QUEUE_FRESH];   /* likewise: whose each is */
};

/* Before the first use. limit 0: LIMIT_QUEUE_FRESH. */
void item_index_init(struct item_index *ix, size_t limit);
/* Reads which rows are fresh. ERR_CORRUPT, LOCAL. */
enum err item_index_load(struct item_index *ix, struct turn *turn) PETREL_MUST_USE;

/* Adds a row; arrival is larger than all before, of any queue. May move the fresh rows. */
enum err item_index_add(struct item_index *ix, struct turn *turn, uint32_t queue, uint64_t arrival,
                        const struct item_row *row) PETREL_MUST_USE;
/* Writes a row that is there anew. */
enum err item_index_set(const struct item_index *ix, struct turn *turn, uint32_t queue,
                        uint64_t arrival, const struct item_row *row) PETREL_MUST_USE;
enum err item_index_get(const struct item_index *ix, struct turn *turn, uint32_t queue,
                        uint64_t arrival, struct item_row *row) PETREL_MUST_USE;
/* The first row of this queue above *arrival. */
enum err item_index_next(const struct item_index *ix, struct turn *turn, uint32_t queue,
                         uint64_t *arrival, struct item_row *row) PETREL_MUST_USE;
/* Moves all fresh rows to their place: what follows may walk and delete with item_place_next and
 * item_place_del alone. */
enum err item_index_settle(struct item_index *ix, struct turn *turn) PETREL_MUST_USE;

#endif
