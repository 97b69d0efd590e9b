/* SPDX-License-Identifier: Apache-2.0
 *
 * skip: pushes that made a turn fail again and again, so that the core passes them over instead of
 * being stopped by them for ever. docs/architecture.md, "When a turn fails".
 *
 * Owned by the host, since it must outlive the core, which is built again after a failed turn.
 * Nothing of it is stored: after a restart of the daemon such a push gets its chances again.
 */
#ifndef PETREL_NODE_SKIP_H
#define PETREL_NODE_SKIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    SKIP_SLOTS = 16, /* envelopes that are remembered; the oldest goes */
    SKIP_HASH = 16,
    SKIP_AFTER = 3, /* failed turns after which an envelope is passed over */
};

struct node_skip {
    uint8_t hash[SKIP_SLOTS][SKIP_HASH];
    uint8_t failures[SKIP_SLOTS]; /* 0: a free slot */
    unsigned next;
};

/* This frame made a turn fail. true: it is a push that will be passed over from now on. */
bool node_skip_failed(struct node_skip *skip, struct slice frame);
/* Whether this envelope is to be passed over. skip may be NULL. */
bool node_skip_has(const struct node_skip *skip, struct slice envelope);

#endif
