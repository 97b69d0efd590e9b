/* SPDX-License-Identifier: Apache-2.0
 *
 * cards: relay cards that were fetched lately, in memory: the least recently used go first.
 *
 * A relay could tell askers apart by signing another key for each. So a forwarder hands the same
 * card to all of its members, and nobody goes back to a card that is older than one it had.
 * docs/protocol/04-relay.md, section 4.9.1.
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
/* Opens a relay's card (errors of card_open) and keeps it. ERR_STALE also for one that was made
 * before the one that is kept; ERR_NO_MEMORY. */
enum err cards_put(struct cards *cards, const struct sign_pk *relay, struct slice bytes,
                   uint64_t now_ms) PETREL_MUST_USE;
/* The relay's card, unless its time is over or it is doubted; NULL: none. Valid until the next
 * call. */
const struct card *cards_find(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms);
/* The same as it was signed, when it was fetched less than LIMIT_CARD_FRESH_MS ago; else empty. */
struct slice cards_fresh(struct cards *cards, const struct sign_pk *relay, uint64_t now_ms);
/* The relay does not know the key: the card is not used any more, but its age is remembered. */
void cards_doubt(struct cards *cards, const struct sign_pk *relay);

#endif
