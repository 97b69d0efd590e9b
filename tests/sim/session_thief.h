/* SPDX-License-Identifier: Apache-2.0
 *
 * session_thief: whoever has a copy of a session hears every envelope and goes on with it as its
 * owner does. The checker `healing`: they open nothing any more
 *
 *   two round trips later, when all that they have is the copy;
 *   after a KEM exchange that began later, when they break X25519 as well.
 *
 * Like watch.h it stands before functions of the core, with --wrap, and changes nothing.
 */
#ifndef PETREL_TESTS_SIM_SESSION_THIEF_H
#define PETREL_TESTS_SIM_SESSION_THIEF_H

#include "sim/sim.h"

struct thief;

struct thieves {
    struct sim *sim;
    struct thief *first;    /* owned */
    uint64_t stolen;        /* copies of sessions; */
    uint64_t read;          /* envelopes that they opened, */
    uint64_t closed;        /* that they could not any more, */
    uint64_t closed_broken; /* nor could who breaks X25519 */
};

void thieves_begin(struct thieves *w, struct sim *sim);
void thieves_end(struct thieves *w);
/* Somebody copies all sessions that n has now, and hears every envelope from then on. */
void thieves_enter(struct thieves *w, struct sim_node *n);

#endif
