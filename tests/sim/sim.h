/* SPDX-License-Identifier: Apache-2.0
 *
 * sim: several nodes in one process, from one seed: the real core with a memory store, links that
 * are queues, and a clock that jumps to the next deadline when nothing is under way.
 *
 * A turn runs as the daemon runs it: all inputs that wait, flush, commit, and only then are outputs
 * let out. A crash (the store refuses the k-th put) loses the turn, the node's links and its queued
 * inputs, and the node is rebuilt from its store.
 */
#ifndef PETREL_TESTS_SIM_SIM_H
#define PETREL_TESTS_SIM_SIM_H

#include "base/pack.h"
#include "lib/unit.h"
#include "node/node.h"
#include "store/mem.h"

enum {
    SIM_NODES = 8,
    SIM_RESULT = LIMIT_CONTROL_MESSAGE,
};

struct sim_input;
struct sim_link;

struct sim_node {
    struct node *node;
    struct store_mem *mem;
    struct seal_keys *node_keys;
    uint8_t root[SEAL_KEY]; /* stands for the erase file: made before the account is */
    bool relay;
    char host[16];
    struct arena arena;
    struct sim_input *first; /* inputs that wait */
    struct sim_input *last;
    uint64_t turns;
    uint64_t crashes;
    uint64_t next_inbound;
    /* the answer to the last call */
    bool replied;
    enum err reply_err;
    size_t reply_len;
    uint8_t reply[SIM_RESULT];
};

struct sim {
    struct unit_env random; /* env.now_ms is the clock of all */
    struct sim_node nodes[SIM_NODES];
    size_t count;
    struct sim_link *links;
    uint32_t next_call;
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);
/* A new node, loaded. */
struct sim_node *sim_add(struct sim *sim, bool relay);
/* The next put of this node but k - 1 fails, once; the node restarts. */
void sim_crash_at(struct sim_node *n, uint64_t k);

/* Runs a turn of every node that has inputs or a deadline that has come. false: nothing to do. */
bool sim_run(struct sim *sim);
/* Lets the clock jump to the earliest deadline. */
void sim_advance(struct sim *sim);

/* Calls a method: pairs are written by the caller into a map of n pairs, to which client_id is
 * added. Repeats with the same client_id when the node crashes before it answers. The result map
 * lies in n->reply. */
enum err sim_call(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                  struct slice encoded_pairs);
/* A query, in a read transaction of its own; the result lies in n->reply. */
enum err sim_query(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                   struct slice encoded_pairs);

/* A text member of the result map in n->reply, NUL-terminated in out; false when it is missing. */
bool sim_result_str(const struct sim_node *n, const char *name, char *out, size_t cap);
bool sim_result_uint(const struct sim_node *n, const char *name, uint64_t *out);

/* Writers of one pair of parameters. */
void sim_pair_str(struct writer *w, const char *name, const char *text);
void sim_pair_uint(struct writer *w, const char *name, uint64_t v);

#endif
