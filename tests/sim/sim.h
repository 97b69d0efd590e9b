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
    SIM_NODES = 64,
    SIM_RESULT = LIMIT_CONTROL_MESSAGE,
};

struct sim_input;
struct sim_link;
struct sim_late;

struct sim_node {
    struct node *node;
    struct store_mem *mem;
    struct seal_keys *node_keys;
    /* These stand for the erase files, also of accounts that there are not yet: what is in use, and
     * behind LIMIT_ACCOUNTS of them the spare slots; account 0: empty. */
    struct node_root roots[2 * LIMIT_ACCOUNTS];
    struct node_root opened; /* one of them, for a call that needs no new one */
    uint32_t account;        /* that calls are about; 0: the first one */
    bool relay;
    bool asleep;         /* its process does not run: no turns, and nobody reaches it */
    bool locked;         /* loads without the account's root */
    bool full;           /* its disk is: store.growth is false */
    unsigned put_fails;  /* so often a root cannot be put into the erase file, */
    unsigned keep_fails; /* and so often the other one cannot be destroyed */
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

/* What becomes of a frame on its way. */
enum sim_fate {
    SIM_PASS,
    SIM_DROP,
    SIM_TWICE,
    SIM_CUT,  /* lost, and the link with it */
    SIM_LATE, /* comes sim.late_ms later, if its link is still there; others overtake it */
};

struct sim {
    struct unit_env random; /* env.now_ms is the clock of all */
    struct sim_node nodes[SIM_NODES];
    size_t count;
    struct sim_link *links;
    uint32_t next_call;
    /* Looks at every frame, may change its bytes. NULL: all pass. */
    enum sim_fate (*fate)(void *ctx, struct sim *sim, const struct sim_node *from,
                          const struct sim_node *to, uint8_t *frame, size_t len);
    void *fate_ctx;
    uint64_t late_ms;
    struct sim_late *late; /* frames that come later; owned */
    uint64_t crash_one_in; /* a turn of any node gets a crash at a random put; 0: none */
    uint64_t frames;       /* that were sent */
    uint64_t links_made;
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);
/* A new node, loaded. */
struct sim_node *sim_add(struct sim *sim, bool relay);
/* The next put of this node but k - 1 fails, once; the node restarts. */
void sim_crash_at(struct sim_node *n, uint64_t k);

/* A fate of a relay that lies: the frame is cut off, doubled, dropped, or has a bit changed. */
enum sim_fate sim_mischief(struct sim *sim, uint8_t *frame, size_t len);
/* Ends the process of n, as with SIGKILL, and starts it again (unless asleep). */
void sim_restart(struct sim *sim, struct sim_node *n);
/* All that a home holds, at one time: the store and the erase files. */
struct sim_copy {
    struct store_mem *mem;
    struct node_root roots[2 * LIMIT_ACCOUNTS];
};
struct sim_copy sim_copy_of(const struct sim_node *n);
void sim_copy_free(struct sim_copy *copy);
/* Starts anew from the copy (which stays): all that came after it is forgotten. */
void sim_roll_back(struct sim *sim, struct sim_node *n, const struct sim_copy *copy);
/* Ends its process until sim_wake. */
void sim_sleep(struct sim *sim, struct sim_node *n);
void sim_wake(struct sim *sim, struct sim_node *n);
/* Breaks every link of n. */
void sim_cut(struct sim *sim, struct sim_node *n);
/* A random number below n, of this run's seed. */
uint64_t sim_random(struct sim *sim, uint64_t n);
/* Runs a function inside a turn of n's store, and commits. */
void sim_turn(struct sim *sim, struct sim_node *n, void (*what)(void *ctx, struct turn *turn),
              void *ctx);

/* Runs a turn of every node that has inputs or a deadline that has come. false: nothing to do. */
bool sim_run(struct sim *sim);
/* Runs until nothing is under way, for at most ms of the nodes' time. */
void sim_settle(struct sim *sim, uint64_t ms);
/* Lets the clock jump to the earliest deadline. */
void sim_advance(struct sim *sim);

/* Calls a method: pairs are written by the caller into a map of n pairs, to which client_id is
 * added. Repeats with the same client_id when the node crashes before it answers. The result map
 * lies in n->reply. */
enum err sim_call(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                  struct slice encoded_pairs);
/* The same with a given client_id, 16 bytes. */
enum err sim_call_as(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                     struct slice encoded_pairs, const uint8_t client_id[16]);
/* A query, in a read transaction of its own; the result lies in n->reply. */
enum err sim_query(struct sim *sim, struct sim_node *n, const char *method, uint32_t pairs,
                   struct slice encoded_pairs);

/* A text member of the result map in n->reply, NUL-terminated in out; false when it is missing. */
bool sim_result_str(const struct sim_node *n, const char *name, char *out, size_t cap);
bool sim_result_uint(const struct sim_node *n, const char *name, uint64_t *out);

/* Writers of one pair of parameters. */
void sim_pair_str(struct writer *w, const char *name, const char *text);
void sim_pair_uint(struct writer *w, const char *name, uint64_t v);
void sim_pair_true(struct writer *w, const char *name);

#endif
