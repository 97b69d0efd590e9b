/* SPDX-License-Identifier: Apache-2.0
 *
 * item: one stored envelope at a relay: its payload in an arrival log (one log for each lifetime
 * class, key arrival u64, appended) and its narrow row in the queue index (queue u32 | arrival
 * u64). docs/protocol/04-relay.md, section 11.
 *
 * The index is the spent table: the row outlives the payload. It is not sealed: a nonce is noise to
 * all but the queue's reader, the hash is of ciphertext, and the queue's number is tied to its key
 * in a sealed row only. Payloads are sealed with the node's key.
 */
#ifndef PETREL_RELAY_ITEM_H
#define PETREL_RELAY_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/token.h"
#include "store/seal.h"
#include "store/store.h"

enum {
    ITEM_ROW = 44,  /* bytes of an index row */
    ITEM_HASH = 16, /* first half of BLAKE2b-256 of the envelope */
};

enum item_state {
    ITEM_STORED = 1, /* the payload is in its log */
    ITEM_DONE = 2,   /* acknowledged or expired: no payload */
    ITEM_PUSHED = 3, /* was volatile: never had a payload */
    ITEM_VOID = 4,   /* the reader voided the token: never had an envelope */
};

struct item_row {
    enum item_state state;
    uint8_t lifetime;           /* class 0-3: which log */
    uint8_t envelope_class;     /* 0-3: its size */
    bool stamp;                 /* nonce is the second half of the envelope's hash */
    uint8_t nonce[TOKEN_NONCE]; /* of the token */
    uint8_t hash[ITEM_HASH];
    uint64_t until; /* Unix ms; from then on a row without payload may be deleted */
};

/* What an index row says. ERR_CORRUPT. */
enum err item_row_read(struct slice value, struct item_row *row) PETREL_MUST_USE;

/* Errors of all: ERR_NOT_FOUND where a row has to be there, else LOCAL. */
enum err item_index_put(struct store *s, uint32_t queue, uint64_t arrival,
                        const struct item_row *row) PETREL_MUST_USE;
enum err item_index_get(struct store *s, uint32_t queue, uint64_t arrival,
                        struct item_row *row) PETREL_MUST_USE;
enum err item_index_del(struct store *s, uint32_t queue, uint64_t arrival) PETREL_MUST_USE;
/* The first row of this queue above *arrival. */
enum err item_index_next(struct store *s, uint32_t queue, uint64_t *arrival,
                         struct item_row *row) PETREL_MUST_USE;
/* The first row of all queues above (*queue, *arrival). */
enum err item_index_walk(struct store *s, uint32_t *queue, uint64_t *arrival,
                         struct item_row *row) PETREL_MUST_USE;

struct item_payload {
    uint32_t queue;
    uint64_t deposited_ms;
    struct slice envelope; /* after a read: in the turn's arena */
};

/* arrival is larger than all before. */
enum err item_log_append(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                         uint64_t arrival, const struct item_payload *payload) PETREL_MUST_USE;
enum err item_log_get(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                      uint64_t arrival, struct item_payload *payload) PETREL_MUST_USE;
/* The oldest of a log. */
enum err item_log_head(struct seal_keys *keys, struct turn *turn, unsigned lifetime,
                       uint64_t *arrival, struct item_payload *payload) PETREL_MUST_USE;
enum err item_log_del(struct store *s, unsigned lifetime, uint64_t arrival) PETREL_MUST_USE;

#endif
