/* SPDX-License-Identifier: Apache-2.0
 *
 * watch: what no node may ever do, seen where the core calls its primitives and where frames leave:
 *
 *   keys      one key and nonce seal two different things
 *   prekeys   two sessions begin with one one-time prekey
 *   leaks     a text or an ID is in a frame, or in what a node that is only a relay seals or opens
 *
 * The program is linked with --wrap for the functions that it looks at; it calls the real ones and
 * changes nothing. It watches one world at a time.
 */
#ifndef PETREL_TESTS_SIM_WATCH_H
#define PETREL_TESTS_SIM_WATCH_H

#include "sim/sim.h"

/* What happened under which name. */
struct watch_pairs {
    uint64_t *slots; /* name, what, name, what...; owned */
    size_t cap;
    size_t count;
};

/* Whether nothing else happened under this name before. */
bool watch_pairs_note(struct sim *sim, struct watch_pairs *p, uint64_t name, uint64_t what);
/* NULL: nothing did. */
const uint64_t *watch_pairs_find(const struct watch_pairs *p, uint64_t name);

struct watch_needle {
    uint8_t bytes[96];
    size_t len;
    const char *what;
};

/* What was sealed, by whom. */
struct watch_seal {
    uint64_t name;
    uint64_t what;
    uint32_t node;
    size_t len;
};

enum {
    WATCH_WAIT = 32, /* seals that wait until the memory that they are compared with is there */
    WATCH_HEAD = 8,  /* bytes that are looked for first */
    WATCH_SHORTEST = 2 * WATCH_HEAD - 1,
    WATCH_MAP = 1 << 18,
};

/* Eight bytes of a needle. */
struct watch_head {
    uint64_t head;
    uint32_t needle; /* from 1; 0: nothing here */
    uint32_t shift;  /* where in the needle */
};

struct watch {
    struct sim *sim;
    struct watch_pairs seals;
    struct watch_seal waiting[WATCH_WAIT]; /* the last ones, in a ring */
    struct watch_pairs parts;
    struct watch_needle *needles; /* owned */
    size_t needle_count;
    struct watch_head *heads; /* by a hash; owned */
    size_t heads_cap;
    size_t heads_count;
    uint8_t map[WATCH_MAP / 8]; /* heads that there may be, by the same */
    uint64_t sealed;            /* all that was looked at */
    uint64_t begun;             /* sessions with a one-time prekey */
    uint64_t searched;          /* bytes */
};

void watch_begin(struct watch *w, struct sim *sim);
void watch_end(struct watch *w);
/* Compares what waits, too. */
void watch_settle(struct watch *w);
/* Only who it concerns may see these bytes, 15 to 96 of them. what is for words of a failure. */
void watch_needle(struct watch *w, struct slice bytes, const char *what);
/* Who watches from now on, NULL: nobody; gives who did before. */
struct watch *watch_away(struct watch *w);
/* Looks through all that lies open in the store of a node that is only a relay. */
void watch_store(struct watch *w, struct sim_node *n);

#endif
