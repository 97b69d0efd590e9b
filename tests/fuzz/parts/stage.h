/* SPDX-License-Identifier: Apache-2.0
 *
 * stage: four nodes of three persons and two relays, made once and put back as they were before
 * each input: two friends on one relay; somebody whom one of them knows, and the other one does
 * not, whose node is the other relay; and that one's second device.
 */
#ifndef PETREL_TESTS_FUZZ_STAGE_H
#define PETREL_TESTS_FUZZ_STAGE_H

#include "sim/crowd.h"
#include "sim/watch.h"

enum {
    STAGE_NODES = 5,
    STAGE_RELAY = 0,   /* only a relay; the home of both friends */
    STAGE_HYBRID = 1,  /* the other relay, and the person whom nobody should trust: */
    STAGE_PERSONS = 4, /* each but the first node has one; */
    STAGE_FRIENDS = 2, /* these are this node and the next one, */
    STAGE_DEVICE = 4,  /* and this is STAGE_HYBRID's second device */
};

struct stage {
    struct crowd crowd;
    struct watch watch;
    struct sim sim;                            /* as it was when it was made, */
    struct sim_node was[STAGE_NODES];          /* all asleep, */
    struct sim_copy home[STAGE_NODES];         /* with these homes */
    struct crowd_person person[STAGE_PERSONS]; /* where the book was */
};

/* Made at the first call. */
struct stage *stage_get(void);
/* All are awake, nothing is under way, and what no node may do is watched. */
void stage_begin(struct stage *s);
/* Everything that came since is freed. */
void stage_end(struct stage *s);
/* Bytes that are allocated now. */
size_t stage_memory(void);

#endif
