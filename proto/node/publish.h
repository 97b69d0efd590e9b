/* SPDX-License-Identifier: Apache-2.0
 *
 * publish: what our own relay holds of us for others to find: the key bundle, its one-time parts
 * and the descriptors. docs/protocol/07-node.md, sections 1 and 2.
 *
 * Private to home.c, which sends what is built here and hands back what the relay answers.
 */
#ifndef PETREL_NODE_PUBLISH_H
#define PETREL_NODE_PUBLISH_H

#include "node/core.h"
#include "node/home_keys.h"

/* Everything that one step towards our relay looks at. Secret: wipe after use. */
struct home_step {
    struct account *me;
    struct step *step;
    struct home *home;
    struct node_link *link; /* to the relay */
    struct account_row account;
    struct relay_row row;
    struct home_signers signers; /* of row */
};

/* A request to the relay, not sent yet. */
struct publish_request {
    bool due; /* false: all is published, and the rest means nothing */
    uint8_t kind;
    struct writer body; /* in the turn's arena */
};

/* The next thing to ask or to publish. A signed prekey that is old enough is replaced first, and
 * one that is too old is removed. What is made here is put into the store, and h's rows are then as
 * the store has them; after an error they are not to be used. */
enum err publish_next(struct home_step *h, struct publish_request *request) PETREL_MUST_USE;

/* What the relay's good answer to a request of this kind changes: in home and in both rows,
 * which the caller puts. ERR_MALFORMED and the like; ERR_PROTOCOL: numbers that cannot be, or a
 * kind that is not of this module. */
enum err publish_done(struct account *me, struct step *step, struct home *home,
                      struct relay_row *row, struct account_row *account, uint8_t kind,
                      struct slice body) PETREL_MUST_USE;
/* The last period of which the relay has a descriptor that names the present list; 0: none, or that
 * was by a clock that was ahead. */
uint64_t publish_described(const struct relay_row *row, const struct account_row *account,
                           uint64_t now_ms);
/* What a refusal of such a request changes where it is no failure, as publish_done does: one of our
 * descriptors is there, or none, or its day is over. *settled: it is such a one, and the next thing
 * can be asked; otherwise nothing has changed. ERR_CORRUPT, ERR_NO_MEMORY. */
enum err publish_refused(struct step *step, struct home *home, struct relay_row *row,
                         struct account_row *account, uint8_t kind, enum err refusal,
                         bool *settled) PETREL_MUST_USE;

#endif
