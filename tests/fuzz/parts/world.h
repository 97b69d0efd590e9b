/* SPDX-License-Identifier: Apache-2.0
 *
 * world: the store of a node with an account, contacts, sessions, messages that wait, an invitation
 * and prekeys, made once by the simulator; and envelopes that others really sent to it.
 */
#ifndef PETREL_TESTS_FUZZ_WORLD_H
#define PETREL_TESTS_FUZZ_WORLD_H

#include "node/node.h"
#include "sim/sim.h"

enum {
    WORLD_PUSHES = 8,
};

struct world {
    struct sim_node *n; /* its node object is not used any more */
    struct unit_env *env;
    struct slice pushes[WORLD_PUSHES]; /* bodies of FRAME_QUEUE_PUSH that wait for it */
    unsigned push_count;
};

/* Made at the first call. */
const struct world *world_get(void);

/* A core on that store, as a relay too, in a transaction that world_close aborts. */
struct visit {
    struct unit_env env;
    struct arena arena;
    struct store store;
    struct node *node;
    struct node_outputs outs;
};
void visit_open(struct visit *v);
/* The input alone, without the end of a turn. */
void visit_step(struct visit *v, const struct node_input *in);
/* One turn: the input, if any, then the flush. Fails the program on any error but out of memory. */
void visit_turn(struct visit *v, const struct node_input *in);
void visit_close(struct visit *v);

#endif
