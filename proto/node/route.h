/* SPDX-License-Identifier: Apache-2.0
 *
 * route: where our queues are, as contacts are told inside of a session: since when, the main one,
 * then the second one, if there is one. What comes late must not take the place of what is newer.
 * docs/protocol/05-session.md, section 8 (key "route").
 */
#ifndef PETREL_NODE_ROUTE_H
#define PETREL_NODE_ROUTE_H

#include "node/core.h"

struct route {
    struct slice bytes; /* since when, one or two places, encoded; in the turn's arena */
    uint64_t mark;      /* stands for these queues; 0: there is none, and bytes is empty */
};

/* Ours. What is not registered at its relay is not named. */
enum err route_own(struct account *me, struct step *step, struct route *route) PETREL_MUST_USE;
/* A contact's: since when (Unix ms, by their clock); first; *second: the encoded second place, or
 * empty. ERR_MALFORMED. */
enum err route_read(struct slice bytes, uint64_t *since_ms, struct device_place *first,
                    struct slice *second) PETREL_MUST_USE;
/* The second place of a contact's row. false: it has none. */
bool route_second(const struct peer_row *row, struct device_place *place);

#endif
