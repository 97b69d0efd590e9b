/* SPDX-License-Identifier: Apache-2.0
 *
 * inside: what the parts of the simulator know of each other: world.c has the time and the turns,
 * lines.c the links, erase.c what stands for the host's key files, calls.c the control interface.
 */
#ifndef PETREL_TESTS_SIM_INSIDE_H
#define PETREL_TESTS_SIM_INSIDE_H

#include "sim/sim.h"

struct sim_input {
    struct sim_input *next;
    struct node_input in;
    uint64_t start; /* of the node that it is for: it dies with that */
    size_t len;
    uint8_t bytes[]; /* frame, root, item, or method and parameters */
};

enum sim_event_kind {
    SIM_EVENT_WAKE,  /* the deadline of a node may have come */
    SIM_EVENT_INPUT, /* something arrives at a node */
    SIM_EVENT_CALL,  /* the user's */
};

struct sim_event {
    uint64_t at;
    uint64_t seq; /* of two at the same time the older one comes first */
    enum sim_event_kind kind;
    struct sim_node *to;
    struct sim_input *input; /* owned */
    void (*what)(void *ctx);
    void *ctx;
};

/* --- world.c --- */

/* What is noted: outputs by their kind, and */
enum {
    TRACE_FAULT = 100,
    TRACE_INPUT = 200,
    TRACE_PLAN = 300,
};

/* Adds to the hash of all that happened. */
void trace_note(struct sim *sim, uint64_t kind, uint64_t who, uint64_t what, struct slice bytes);
/* Queues an input, which comes at this time of the world (now: at once). The copy of bytes. */
struct sim_input *input_send(struct sim *sim, struct sim_node *n, uint64_t at,
                             const struct node_input *in, struct slice bytes);
struct turn turn_of(struct sim *sim, struct sim_node *n, struct store *store);

/* --- lines.c --- */

void lines_fini(struct sim *sim);
void lines_output(struct sim *sim, struct sim_node *n, const struct node_output *out);
/* Whether this end is still there: what arrives for another one is lost. */
bool lines_has(const struct sim *sim, const struct sim_node *n, uint64_t link);
/* Forgets the end, which the other side has closed. */
void lines_closed(struct sim *sim, struct sim_node *n, uint64_t link);
/* The process of n has ended: the other ends hear of it. */
void lines_dead(struct sim *sim, struct sim_node *n);

/* --- shelf.c --- */

void shelf_output(struct sim *sim, struct sim_node *n, const struct node_output *out);
void shelf_fini(struct sim *sim);

/* --- erase.c --- */

void roots_init(struct sim_node *n);
void roots_output(struct sim *sim, struct sim_node *n, const struct node_output *out);
/* What the host would open, or make, for this call; NULL for most. */
const struct node_root *roots_for(struct sim *sim, struct sim_node *n, const char *method,
                                  struct slice params);

#endif
