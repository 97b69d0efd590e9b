/* SPDX-License-Identifier: Apache-2.0
 *
 * route: where our queues are, as contacts are told inside of a session: the main one, then the
 * second one, if there is one. docs/protocol/05-session.md, section 8 (key "route").
 */
#ifndef PETREL_NODE_ROUTE_H
#define PETREL_NODE_ROUTE_H

#include "node/core.h"

struct route {
    struct slice bytes; /* one or two encoded places; in the turn's arena */
    uint64_t mark;      /* stands for these queues; 0: there is none, and bytes is empty */
};

/* Ours. What is not registered at its relay is not named. */
enum err route_own(struct account *me, struct step *step, struct route *route) PETREL_MUST_USE;
/* A contact's: first; *second: the encoded second place, or empty. ERR_MALFORMED. */
enum err route_read(struct slice bytes, struct device_place *first,
                    struct slice *second) PETREL_MUST_USE;
/* The second place of a contact's row. false: it has none. */
bool route_second(const struct contact_row *row, struct device_place *place);

#endif
