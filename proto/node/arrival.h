/* SPDX-License-Identifier: Apache-2.0
 *
 * arrival: one envelope on its way in, and who does what with it. docs/protocol/07-node.md, section
 * 7.5.
 *
 * Private to inbox.c, first.c and taking.c. Everything in it is of one turn.
 */
#ifndef PETREL_NODE_ARRIVAL_H
#define PETREL_NODE_ARRIVAL_H

#include "node/core.h"

/* One envelope on its way through. */
struct arrival {
    struct account *me;
    struct step *step;
    struct home *home; /* the relay that it came from */
    struct slice envelope;
    bool taken;            /* row was put */
    bool stamped;          /* came with a stamp: its sender had no token */
    uint32_t token_of;     /* peer that its token was minted for; 0: no token of ours */
    uint32_t counter;      /* of that token */
    uint64_t deposited_ms; /* when the relay took it */
    struct peer_row row;   /* the device whose it is */
    bool who_changed;      /* row.who is to be put */
    bool gone;             /* what it says took row out: nothing is to be put */
    uint8_t slot;          /* of the session that opened it */
    struct session *s;
    struct session_in in;
};

/* inbox.c */
/* Tries one session of a.row. ERR_DECRYPT: not its envelope. */
enum err arrival_try_slot(struct arrival *a, uint8_t slot) PETREL_MUST_USE;

/* first.c */
/* The session that a first envelope began, or begins now. */
enum err arrival_open_first(struct arrival *a) PETREL_MUST_USE;
/* A message of somebody who was not accepted. */
bool arrival_too_early(const struct arrival *a);

/* taking.c */
/* All that an opened envelope changes. */
enum err arrival_take(struct arrival *a) PETREL_MUST_USE;
/* What its token says, for an envelope that changed nothing else (of a blocked contact, say, or one
 * that was opened before), and for what waits to be voided. */
enum err arrival_token(struct arrival *a) PETREL_MUST_USE;

#endif
