/* SPDX-License-Identifier: Apache-2.0
 *
 * card: what a relay says of itself to everybody, signed by its node ID: the key that requests to
 * it are sealed to, until when, what it asks and what it keeps. docs/protocol/04-relay.md, section
 * 4.9.1. Codec, both ends; the relay's side is relay/host_card.h.
 */
#ifndef PETREL_RELAY_CARD_H
#define PETREL_RELAY_CARD_H

#include "relay/sealed.h"
#include "relay/wire.h"

#define CARD_LABEL "petrel/1 relay card"

enum {
    CARD_MAX = 1536, /* encoded and signed */
};

struct card {
    uint8_t key_id; /* of pk, in a sealed request's header */
    uint8_t pk[SEALED_PUBLIC_KEY];
    uint64_t created_ms;  /* Unix */
    uint64_t until_ms;    /* not used after; at most LIMIT_CARD_DAYS behind created */
    uint8_t deposit_bits; /* price of a stamp, now */
    uint8_t pop_bits;
    uint32_t envelopes; /* limits of a queue: number, */
    uint64_t bytes;     /* size, */
    uint16_t days;      /* and longest time */
};

/* ERR_TOO_LARGE, ERR_NO_SPACE. */
enum err card_write(struct writer *w, const struct card *card,
                    const struct sign_sk *node) PETREL_MUST_USE;
/* Verifies, then decodes. ERR_BAD_SIGNATURE (not of this node), ERR_EXPIRED (its time is over, or
 * is longer than a card's may be), ERR_STALE (made more than LIMIT_CARD_SKEW_MS after now),
 * ERR_MALFORMED, ERR_TOO_LARGE. */
enum err card_open(struct slice bytes, const struct sign_pk *node, uint64_t now_ms,
                   struct card *card) PETREL_MUST_USE;

/* --- Get: anyone; the request has an empty map for a body. Reply: key 2, the card. --- */
struct card_reply {
    struct relay_reply head;
    struct slice card; /* not verified */
};
void card_get_write(struct writer *w);
enum err card_get_read(struct slice bytes) PETREL_MUST_USE;
void card_reply_write(struct writer *w, const struct card_reply *reply);
enum err card_reply_read(struct slice bytes, struct card_reply *reply) PETREL_MUST_USE;

#endif
