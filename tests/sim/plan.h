/* SPDX-License-Identifier: Apache-2.0
 *
 * plan: all that a run does to its nodes, made from a seed before it begins: what people do, and
 * what goes wrong. Because it is a list, a run that fails can be tried again without some of it.
 */
#ifndef PETREL_TESTS_SIM_PLAN_H
#define PETREL_TESTS_SIM_PLAN_H

#include "sim/sim.h"

/* X(constant, name) */
#define PLAN_KINDS(X)                                                                              \
    X(SAY, "say")         /* person a writes to their contact b */                                 \
    X(NAP, "nap")         /* person a's node is off for b ms */                                    \
    X(DELETE, "delete")   /* person a deletes a message that came to them */                       \
    X(MOVE, "move")       /* person a goes to relay b */                                           \
    X(COPY, "copy")       /* person a's home is copied */                                          \
    X(STEAL, "steal")     /* somebody copies the sessions of person a */                           \
    X(BACK, "back")       /* person a's home goes back to a copy */                                \
    X(SAVE, "save")       /* a backup of person a is made */                                       \
    X(RESTORE, "restore") /* person a's machine is lost, and another one gets the backup */        \
    X(MEET, "meet")       /* person a adds somebody new, from b on, in way c (meet.h) */           \
    X(THIEF, "thief")     /* person a invites one from b on, and is robbed, c (invite_thief.h) */  \
    X(POP, "pop")         /* a stranger takes b one-time parts of person a */                      \
    X(FLOOD, "flood")     /* strangers write b envelopes to person a, c (flood.h) */               \
    X(FAULT, "fault")     /* at node a: point b, its c-th chance */                                \
    X(KILL, "kill")       /* node a's process, which starts again */                               \
    X(CUT, "cut")         /* all links of node a */                                                \
    X(PARTITION, "partition") /* of the nodes by the bits of a, for b ms; c: one way only */       \
    X(LIE, "lie")             /* relay a lies in way c (evil.h), for b ms */                       \
    X(CLOCK, "clock")         /* of node a: b ms more or less, and from now on c ppm */            \
    X(FULL, "full")           /* disk of node a, for b ms */

enum plan_kind {
#define PLAN_ENUM(constant, name) PLAN_##constant,
    PLAN_KINDS(PLAN_ENUM)
#undef PLAN_ENUM
    PLAN_KIND_COUNT
};

const char *plan_kind_name(enum plan_kind kind);

struct plan_op {
    uint64_t at; /* ms after the beginning */
    enum plan_kind kind;
    uint32_t a;
    int64_t b;
    int64_t c;
};

struct plan {
    struct plan_op *ops; /* by time; owned */
    size_t count;
    size_t cap;
};

/* How often, and how bad. A rate is for one person or node and a thousand hours; 0: never. */
struct plan_profile {
    const char *name;
    uint32_t rate[PLAN_KIND_COUNT];
    uint32_t nap_ms; /* at most, likewise */
    uint32_t partition_ms;
    uint32_t full_ms;
    uint32_t lie_ms;
    uint32_t clock_ms;
    uint32_t clock_ppm;
    struct sim_lines lines;
};

/* NULL: there is none of that name. */
const struct plan_profile *plan_profile(const char *name);
/* The names, with spaces between. */
const char *plan_profiles(void);

/* people, nodes, relays: how many there are. false: out of memory. */
bool plan_make(struct plan *plan, const struct plan_profile *profile, uint64_t seed, uint64_t ms,
               size_t people, size_t nodes, size_t relays);
void plan_free(struct plan *plan);
/* One line, as plan_read takes it. */
void plan_op_text(const struct plan_op *op, char *out, size_t cap);
/* A plan from a file of such lines. false: a line is none, and which. */
bool plan_read(struct plan *plan, FILE *from, unsigned *line);

#endif
