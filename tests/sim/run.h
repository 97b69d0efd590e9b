/* SPDX-License-Identifier: Apache-2.0
 *
 * run: one run of the simulator from beginning to end: a crowd meets, a plan is carried out, then
 * nothing goes wrong any more and all must come to rest.
 */
#ifndef PETREL_TESTS_SIM_RUN_H
#define PETREL_TESTS_SIM_RUN_H

#include "sim/evil.h"
#include "sim/flood.h"
#include "sim/invite_thief.h"
#include "sim/meet.h"
#include "sim/plan.h"

struct run_options {
    uint64_t seed;
    size_t nodes;
    uint64_t ms;      /* of the plan */
    size_t contacts;  /* of each person, about */
    uint64_t look_ms; /* between looks at what came */
    struct plan_profile profile;
    bool crypto_sim; /* see crypto_sim.h */
    bool progress;   /* on standard error */
};

/* Plain bytes: it goes through a pipe. */
struct run_outcome {
    bool failed;
    char why[1024];
    struct crowd_counts did;
    uint64_t asking; /* requests at one person, the most of all runs */
    uint64_t sealed;
    uint64_t begun;
    uint64_t searched;
    uint64_t stolen;
    uint64_t read;
    uint64_t closed;
    uint64_t closed_broken;
    int64_t held; /* bytes of memory of one node, at most */
    uint64_t turns;
    uint64_t frames;
    uint64_t bytes;
    uint64_t resets;
    uint64_t done[PLAN_KIND_COUNT];
    uint64_t struck[SIM_POINTS];
    uint64_t lies[EVIL_KIND_COUNT];
    uint64_t faults; /* all of them */
    uint64_t trace;
    uint64_t wall_ms; /* of the plan and the quiet time */
};

/* plan: what to do instead of what the seed says; NULL: that. trace: print the last things that
 * happened when it fails. */
void run_once(const struct run_options *options, const struct plan *plan, bool trace,
              struct run_outcome *out);
/* The plan of these options. */
void run_plan(const struct run_options *options, struct plan *plan);

#endif
