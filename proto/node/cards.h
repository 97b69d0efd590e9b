/* SPDX-License-Identifier: Apache-2.0
 *
 * cards: relay cards that were fetched lately, in memory: the least recently used go first.
 */
#ifndef PETREL_NODE_CARDS_H
#define PETREL_NODE_CARDS_H

#include "relay/card.h"

struct cards_entry;

struct cards {
    struct cards_entry *first; /* the one used last */
    size_t count;
};

void cards_fini(struct cards *cards);
/* The card of this relay unless its time is over; NULL: none. Valid until the next call. */
const struct card *cards_find(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms);
/* Keeps an opened card in place of an older one. ERR_NO_MEMORY. */
enum err cards_put(struct cards *cards, const struct sign_pk *relay,
                   const struct card *card) PETREL_MUST_USE;
void cards_drop(struct cards *cards, const struct sign_pk *relay);

#endif
