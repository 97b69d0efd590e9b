/* SPDX-License-Identifier: Apache-2.0
 *
 * watch: what no node may ever do, seen where the core calls its primitives and where frames leave:
 *
 *   keys      one key and nonce seal two different things
 *   prekeys   two sessions begin with one one-time prekey
 *   leaks     a text or an ID is in a frame, or in what a node that is only a relay seals or opens
 *   healing   who has a copy of a session reads on after both sides have gone on from it
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

struct watch_needle {
    uint8_t bytes[96];
    size_t len;
    const char *what;
};

enum {
    WATCH_HEAD = 8, /* bytes of a needle that are looked for first */
    WATCH_MAP = 1 << 16,
};

struct thief;

struct watch {
    struct sim *sim;
    struct watch_pairs seals;
    struct watch_pairs parts;
    struct watch_needle *needles; /* owned */
    size_t needle_count;
    uint8_t map[WATCH_MAP / 8]; /* heads that there are, by a hash */
    struct thief *thieves;      /* owned */
    uint64_t sealed;            /* all that was looked at */
    uint64_t begun;             /* sessions with a one-time prekey */
    uint64_t searched;          /* bytes */
    uint64_t stolen;            /* sessions that thieves copied, */
    uint64_t read;              /* envelopes that they opened, */
    uint64_t closed;            /* and that they could not any more */
};

void watch_begin(struct watch *w, struct sim *sim);
void watch_end(struct watch *w);
/* Only who it concerns may see these bytes, 8 to 96 of them. what is for words of a failure. */
void watch_needle(struct watch *w, struct slice bytes, const char *what);
/* Somebody copies all that n holds now, and hears every envelope from then on. */
void watch_steal(struct watch *w, struct sim_node *n);
/* Looks through all that lies open in the store of a node that is only a relay. */
void watch_store(struct watch *w, struct sim_node *n);

#endif
