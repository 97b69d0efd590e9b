/* SPDX-License-Identifier: Apache-2.0
 *
 * sim: many nodes in one process, from one seed: the real core with a store in memory, links that
 * are queues, and a clock that jumps to whatever comes next.
 *
 * A turn runs as the daemon runs it: all inputs that wait, flush, commit, and only then are outputs
 * let out. At any point of it (enum sim_point) the node can die, or its disk can refuse: it loses
 * the turn, its links and its queued inputs, and is rebuilt from its store.
 *
 * Nothing here depends on an address, on the time of day or on floating point: the same seed gives
 * the same run. Where not said otherwise lines have no delay and no fault.
 */
#ifndef PETREL_TESTS_SIM_SIM_H
#define PETREL_TESTS_SIM_SIM_H

#include <stdio.h>

#include "base/pack.h"
#include "lib/unit.h"
#include "node/node.h"
#include "sim/disk.h"
#include "store/mem.h"

enum {
    SIM_NODES = 16384,
    SIM_RESULT = LIMIT_CONTROL_MESSAGE,
    SIM_ROOTS = 2 * LIMIT_ACCOUNTS,
};

struct sim_input;
struct sim_end;
struct sim_event;

/* How a node's clock goes: at the time `since` of the world it showed `showed`, and it gains `ppm`
 * millionths. */
struct sim_clock {
    uint64_t since;
    uint64_t showed;
    int32_t ppm;
};

struct sim_node {
    struct node *node; /* NULL: asleep */
    uint32_t index;    /* in sim.nodes */
    struct sim_disk disk;
    struct store_mem *mem;
    struct seal_keys *node_keys;
    struct unit_env random; /* its own; env.now_ms is what its clock shows in this turn */
    struct sim_clock clock;
    /* These stand for the erase files, also of accounts that there are not yet: what is in use, and
     * behind LIMIT_ACCOUNTS of them the spare slots; account 0: empty. */
    struct node_root roots[SIM_ROOTS];
    struct node_root opened; /* one of them, for a call that needs no new one */
    uint32_t account;        /* that calls are about; 0: the first one */
    bool relay;
    uint32_t envelopes;  /* of a queue, where its operator set that; 0: nobody did */
    bool person;         /* has an account */
    bool thief;          /* somebody copies its sessions (session_thief.h) */
    bool asleep;         /* its process does not run: no turns, and nobody reaches it */
    bool lost;           /* and never will again */
    bool locked;         /* loads without the account's root */
    bool full;           /* its disk is: store.growth is false */
    bool undialled;      /* nobody can dial it (NAT) */
    unsigned side;       /* nodes of different sides of a partition cannot reach each other */
    unsigned put_fails;  /* so often a root cannot be put into the erase file, */
    unsigned keep_fails; /* and so often the other one cannot be destroyed */
    char host[16];
    struct sim_input *first; /* inputs that wait */
    struct sim_input *last;
    struct sim_end *ends; /* of its links, newest first */
    uint64_t wake;        /* when the world looks at its deadline, ms; UINT64_MAX: never */
    int64_t held;         /* bytes of memory that its core holds (heap.h) */
    uint64_t turns;
    uint64_t starts;
    uint64_t crashes; /* starts that nobody asked for */
    uint64_t backs;   /* how often its home went back, */
    uint64_t undone;  /* and that or the failure of a turn */
    uint64_t next_inbound;
    uint64_t news; /* accounts whose event log has grown, one bit each; who looks clears it */
    /* the answer to the last call */
    bool replied;
    enum err reply_err;
    size_t reply_len;
    uint8_t *reply; /* owned */
};

/* What becomes of a frame on its way. */
enum sim_fate {
    SIM_PASS,
    SIM_DROP,
    SIM_TWICE,
    SIM_CUT,  /* lost, and the link with it */
    SIM_LATE, /* comes sim.late_ms later, if its link is still there; others overtake it */
};

/* What lines are like. All 0: no delay, no fault. */
struct sim_lines {
    uint32_t latency_ms; /* one way, at least; */
    uint32_t spread_ms;  /* and up to so much more: each pair of nodes has its own, */
    uint32_t jitter_ms;  /* and each frame up to so much more; frames do not overtake each other */
    uint32_t bytes_per_ms; /* of each direction of a link; 0: no limit */
    uint32_t reset_ppm;    /* so many frames of a million end with their link */
    uint32_t timeout_ms;   /* until who dials in vain, or is cut off, hears of it */
};

enum {
    SIM_RING = 1024, /* things that are remembered, the last ones */
};

struct sim_trace {
    uint64_t at;
    uint64_t kind;
    uint64_t who;
    uint64_t what;
    size_t len;
};

struct sim {
    struct unit_env random; /* of the world; env.now_ms is the time */
    struct sim_node **nodes;
    size_t count;
    struct sim_lines lines;
    uint64_t seed;
    struct arena arena; /* of the turn that runs */
    uint64_t *ready;    /* nodes with something to do, one bit each */
    struct sim_event **heap;
    size_t events;
    size_t events_cap;
    uint64_t event_seq;
    struct sim_shelf *shelf; /* owned; NULL: there is no DHT */
    struct sim_end **table;  /* ends of links, by node and number */
    uint32_t next_call;
    bool partition; /* nodes have sides; */
    bool one_way;   /* only those of side 1 cannot dial those of side 0, and links stay */
    /* Looks at every frame, may change its bytes. NULL: all pass. */
    enum sim_fate (*fate)(void *ctx, struct sim *sim, const struct sim_node *from,
                          const struct sim_node *to, uint8_t *frame, size_t len);
    void *fate_ctx;
    uint64_t late_ms;
    struct slice instead; /* set by fate: these bytes go instead of the frame's */
    /* Sees every frame as its sender let it out. NULL: nobody looks. */
    void (*seen)(void *ctx, const struct sim_node *from, struct slice frame);
    void *seen_ctx;
    struct sim_node *running; /* whose turn it is; NULL: nobody's */
    /* Is told what is wrong, and does not return. NULL: fails the Check test. */
    void (*failed)(void *ctx, const char *text);
    void *failed_ctx;
    uint64_t crash_one_in; /* a turn of any node gets a crash at a random put; 0: none */
    uint64_t frames;       /* that were sent */
    uint64_t bytes;        /* in them */
    uint64_t turns;
    uint64_t links_made;
    uint64_t resets;
    uint64_t struck[SIM_POINTS]; /* faults that came to pass */
    uint64_t trace;              /* hash of all that happened */
    uint64_t traced;             /* how much that was */
    struct sim_trace ring[SIM_RING];
};

/* failed and seen, with what they are called with, stay as they are. */
void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);
/* A new node, loaded. */
struct sim_node *sim_add(struct sim *sim, bool relay);
/* Ends the run, saying why. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same unless ok. */
#define sim_check(sim, ok, ...) ((ok) ? (void)0 : sim_fail(sim, __VA_ARGS__))

/* The k-th chance from now on for this fault strikes, once. A fault that is armed already is
 * forgotten. SIM_POINTS: none. */
void sim_arm(struct sim_node *n, enum sim_point point, uint64_t k);
/* The next put of this node but k - 1 fails, once; the node restarts. 0: none does. */
void sim_crash_at(struct sim_node *n, uint64_t k);

/* A fate of a relay that lies: the frame is cut off, doubled, dropped, or has a bit changed. */
enum sim_fate sim_mischief(struct sim *sim, uint8_t *frame, size_t len);
/* Ends the process of n, as with SIGKILL, and starts it again (unless asleep). */
void sim_restart(struct sim *sim, struct sim_node *n);
/* All that a home holds, at one time: the store and the erase files. */
struct sim_copy {
    struct store_mem *mem;
    struct node_root roots[SIM_ROOTS];
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
/* Breaks the links between nodes of different sides, which cannot dial each other any more either
 * (on), or can again. */
void sim_part(struct sim *sim, bool on);
/* From now on n's clock shows what it shows plus ms, and gains ppm millionths. */
void sim_clock(struct sim *sim, struct sim_node *n, int64_t ms, int32_t ppm);
/* What it shows. */
uint64_t sim_clock_now(const struct sim *sim, const struct sim_node *n);
/* The time of the world, Unix ms. */
uint64_t sim_now(const struct sim *sim);
/* A random number below n, of this run's seed. */
uint64_t sim_random(struct sim *sim, uint64_t n);
/* Runs a function inside a turn of n's store, and commits. */
void sim_turn(struct sim *sim, struct sim_node *n, void (*what)(void *ctx, struct turn *turn),
              void *ctx);

/* Calls what at this time of the world. */
void sim_at(struct sim *sim, uint64_t at_ms, void (*what)(void *ctx), void *ctx);
/* Takes in what has come by now and runs a turn of every node that has inputs or a deadline that
 * has come. false: nothing to do. */
bool sim_run(struct sim *sim);
/* Runs until nothing is under way, for at most ms. */
void sim_settle(struct sim *sim, uint64_t ms);
/* Lets the clock jump to what comes next. */
void sim_advance(struct sim *sim);
/* When that is; UINT64_MAX: nothing comes. */
uint64_t sim_next(struct sim *sim);
/* Prints the last things that happened, with times after `from`. */
void sim_trace_print(const struct sim *sim, FILE *to, unsigned lines, uint64_t from);

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
