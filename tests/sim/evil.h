/* SPDX-License-Identifier: Apache-2.0
 *
 * evil: relays that lie. What they send is changed on its way out, as the relay itself could change
 * it: here a link carries what its two ends say, not what the wire would show.
 */
#ifndef PETREL_TESTS_SIM_EVIL_H
#define PETREL_TESTS_SIM_EVIL_H

#include "sim/sim.h"

/* X(constant, name) */
#define EVIL_KINDS(X)                                                                              \
    X(DROP, "drop")         /* answers and pushes are lost */                                      \
    X(TWICE, "twice")       /* and come twice */                                                   \
    X(LATE, "late")         /* others overtake them */                                             \
    X(FLIP, "flip")         /* a bit is another one */                                             \
    X(SWALLOW, "swallow")   /* envelopes that were signed for never come */                        \
    X(REPLAY, "replay")     /* an envelope of before comes in the place of another */              \
    X(OTHERS, "others")     /* who asks gets what others asked for, their receipts too */          \
    X(WITHHOLD, "withhold") /* key bundles have no one-time part */                                \
    X(FULL, "full")         /* deposits are refused: the queue is full */

enum evil_kind {
#define EVIL_ENUM(constant, name) EVIL_##constant,
    EVIL_KINDS(EVIL_ENUM)
#undef EVIL_ENUM
    EVIL_KIND_COUNT
};

const char *evil_kind_name(enum evil_kind kind);

struct evil_kept;

struct evil {
    struct sim *sim;
    uint32_t lies[SIM_NODES]; /* kinds of each node, one bit each */
    struct evil_kept *kept;   /* bodies of before; owned */
    uint64_t done[EVIL_KIND_COUNT];
};

void evil_begin(struct evil *e, struct sim *sim);
void evil_end(struct evil *e);
/* n lies in this way, or does not any more. */
void evil_lie(struct evil *e, const struct sim_node *n, enum evil_kind kind, bool on);
void evil_stop(struct evil *e);

#endif
