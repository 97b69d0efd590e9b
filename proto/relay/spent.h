/* SPDX-License-Identifier: Apache-2.0
 *
 * spent: one queue's hash set of nonces that were used, each with the arrival number of its row in
 * the queue's index, which has the whole nonce. docs/protocol/04-relay.md, section 11.
 *
 * Open addressing, 16 bytes an entry, one block of memory. An entry keeps 8 bytes of the nonce: the
 * caller compares the rest with the row, so a collision costs a look, never a wrong answer.
 */
#ifndef PETREL_RELAY_SPENT_H
#define PETREL_RELAY_SPENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "relay/token.h"

struct spent_entry {
    uint64_t mark;    /* first 8 bytes of the nonce */
    uint64_t arrival; /* 0: free */
};

struct spent_set {
    struct spent_entry *slots; /* owned; NULL while empty */
    size_t cap;                /* power of two, or 0 */
    size_t used;
};

/* Adds an entry; the same nonce may be there more than once. ERR_NO_MEMORY. salt: the same in every
 * call of one set, unknown to peers. */
enum err spent_add(struct spent_set *set, uint64_t salt, const uint8_t nonce[static TOKEN_NONCE],
                   uint64_t arrival) PETREL_MUST_USE;

/* Walks the arrivals whose nonce may be this one: begin with *at = SIZE_MAX, stop at 0. */
uint64_t spent_next(const struct spent_set *set, uint64_t salt,
                    const uint8_t nonce[static TOKEN_NONCE], size_t *at);

/* Frees the memory; the set is empty and may be used again. */
void spent_fini(struct spent_set *set);

#endif
