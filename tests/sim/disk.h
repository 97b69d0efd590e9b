/* SPDX-License-Identifier: Apache-2.0
 *
 * disk: what stands between a turn and the store in memory: counts what the turn does, and lets a
 * fault strike at a point of it that was named before.
 */
#ifndef PETREL_TESTS_SIM_DISK_H
#define PETREL_TESTS_SIM_DISK_H

#include "store/mem.h"

/* Where a turn can break: X(constant, name, whether the process dies). Where it does not, the turn
 * has failed: it is aborted, all links are closed, and the core is loaded again. */
#define SIM_POINT_LIST(X)                                                                          \
    X(BEGIN, "before-the-turn", true)        /* nothing was done yet */                            \
    X(PUT, "before-a-write", true)           /* the k-th one */                                    \
    X(COMMIT, "before-the-commit", true)     /* all was written */                                 \
    X(COMMITTED, "after-the-commit", true)   /* no output was released */                          \
    X(RELEASED, "between-two-outputs", true) /* k of them were */                                  \
    X(LOAD, "while-starting", true)          /* before the k-th write, or the commit */            \
    X(READ_ERROR, "read-error", false)       /* of the k-th read */                                \
    X(WRITE_ERROR, "write-error", false)     /* of the k-th write */                               \
    X(COMMIT_ERROR, "commit-error", false)   /* nothing of the turn stays */                       \
    X(NO_SPACE, "no-space", false)           /* for the k-th write that puts */

enum sim_point {
#define SIM_POINT_ENUM(constant, name, dies) SIM_##constant,
    SIM_POINT_LIST(SIM_POINT_ENUM)
#undef SIM_POINT_ENUM
    SIM_POINTS
};

const char *sim_point_name(enum sim_point point);
/* Whether the process dies of it. */
bool sim_point_dies(enum sim_point point);

struct sim_disk {
    struct store inner;   /* of the transaction under way */
    enum sim_point point; /* armed; SIM_POINTS: none */
    uint64_t left;        /* chances until it strikes */
    bool inside;          /* a call of the store is under way */
    bool struck;          /* in this turn: every call of the store fails from then on, */
    enum sim_point hit;   /* by this one */
};

/* Begins a transaction of mem; *out goes through d. */
void sim_disk_begin(struct sim_disk *d, struct store_mem *mem, bool growth, struct store *out);
/* One chance for this point: true when it is armed and its time has come. It is disarmed then. */
bool sim_disk_strikes(struct sim_disk *d, enum sim_point point);

#endif
