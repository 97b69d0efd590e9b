/* SPDX-License-Identifier: Apache-2.0
 *
 * host_cache: what a relay holds of its queues in memory: the row, counts and spent nonces of those
 * that were touched lately, and who is attached. docs/protocol/04-relay.md, section 11.
 *
 * A queue is in memory while its counts are (`scanned`) or its reader is attached. Counts and
 * nonces come from one scan of the queue's index on first touch; the least recently used queues
 * lose them when all together hold more than `limit` nonces or LIMIT_QUEUE_CACHE queues. The queue
 * at hand never does.
 */
#ifndef PETREL_RELAY_HOST_CACHE_H
#define PETREL_RELAY_HOST_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "crypto/prim.h"
#include "relay/removals.h"
#include "relay/spent.h"
#include "relay/token.h"
#include "store/seal.h"
#include "store/store.h"

enum relay_map {
    RELAY_MAP_KEY,    /* all, by public key */
    RELAY_MAP_NUMBER, /* all, by number */
    RELAY_MAP_LINK,   /* attached ones, by link */
    RELAY_MAPS
};

/* A volatile envelope on its way to an attached reader. */
struct relay_volatile {
    struct relay_volatile *next;
    bool has_nonce;
    uint8_t nonce[TOKEN_NONCE];
    uint64_t deposited_ms;
    size_t len;
    uint8_t envelope[];
};

struct relay_queue {
    struct relay_queue *chain[RELAY_MAPS];
    struct sign_pk key;
    uint32_t number; /* in the store's keys */
    struct token_key k;
    struct token_kept kept;    /* of k */
    uint8_t member[SEAL_NAME]; /* whose it is */

    bool scanned;     /* what follows is known */
    uint32_t rows;    /* of the index */
    uint32_t waiting; /* stored envelopes */
    uint64_t bytes;   /* their size */
    uint64_t low;     /* no stored envelope has an arrival <= this */
    struct spent_set spent;
    struct relay_queue *newer; /* list of scanned queues by last use */
    struct relay_queue *older;

    bool attached;
    uint64_t link;
    uint64_t cursor;  /* arrival of the last push on this link */
    uint64_t pushed;  /* number of the last push; goes on over links */
    uint64_t acked;   /* number of the last push that is acknowledged or void */
    uint64_t *window; /* arrivals of unacknowledged pushes, [number % LIMIT_PUSH_WINDOW]; owned */
    struct relay_volatile *volatile_first;
    struct relay_volatile *volatile_last;
    bool ready; /* in the host's round of queues to push from */
    struct relay_queue *ready_next;
    struct relay_queue *ready_before;
};

struct relay_cache {
    struct {
        struct relay_queue **buckets;
        size_t cap; /* power of two, or 0 */
        size_t count;
    } maps[RELAY_MAPS];
    struct relay_queue *newest;
    struct relay_queue *oldest;
    size_t scanned;                        /* length of that list */
    size_t nonces;                         /* in all sets */
    size_t limit;                          /* of nonces */
    uint64_t salt;                         /* of the sets and maps */
    const struct relay_removals *removals; /* whose queues are none any more; borrowed */
};

void relay_cache_init(struct relay_cache *c, uint64_t limit, const struct relay_removals *removals);
void relay_cache_fini(struct relay_cache *c);

/* In memory only; NULL otherwise. */
struct relay_queue *relay_cache_by_key(struct relay_cache *c, const struct sign_pk *key);
struct relay_queue *relay_cache_by_number(struct relay_cache *c, uint32_t number);
/* Some queue attached to link, NULL: none. */
struct relay_queue *relay_cache_by_link(struct relay_cache *c, uint64_t link);

/* Some queue of this member, NULL: none. Walks all. */
struct relay_queue *relay_cache_of_member(struct relay_cache *c,
                                          const uint8_t member[static SEAL_NAME]);

/* The queue with its counts and nonces, from memory or the store. ERR_NOT_FOUND, LOCAL. */
enum err relay_cache_open(struct relay_cache *c, struct seal_keys *keys, struct turn *turn,
                          const struct sign_pk *key, struct relay_queue **out) PETREL_MUST_USE;
/* Adds a nonce that was just used; may make other queues lose theirs. ERR_NO_MEMORY. */
enum err relay_cache_spend(struct relay_cache *c, struct relay_queue *q,
                           const uint8_t nonce[static TOKEN_NONCE],
                           uint64_t arrival) PETREL_MUST_USE;
/* Forgets counts and nonces; frees q unless it is attached. */
void relay_cache_drop(struct relay_cache *c, struct relay_queue *q);

/* Puts q into or takes it out of the map by link. */
enum err relay_cache_attach(struct relay_cache *c, struct relay_queue *q,
                            uint64_t link) PETREL_MUST_USE;
/* The caller has taken it out of its round before. May free q. Gives the bytes of volatile
 * envelopes that were thrown away. */
size_t relay_cache_detach(struct relay_cache *c, struct relay_queue *q);

enum {
    RELAY_QUEUE_ROW = 4 + 32 + SEAL_NAME, /* its bytes, before they are sealed */
};

/* The stored row of a queue. */
struct relay_queue_row {
    uint32_t number;
    struct token_key k;
    uint8_t member[SEAL_NAME]; /* who made it */
};
enum err relay_queue_row_get(struct seal_keys *keys, struct turn *turn, const struct sign_pk *key,
                             struct relay_queue_row *row) PETREL_MUST_USE;
/* An opened row. ERR_CORRUPT. */
enum err relay_queue_row_read(struct slice plain, struct relay_queue_row *row) PETREL_MUST_USE;
enum err relay_queue_row_put(struct seal_keys *keys, struct turn *turn, const struct sign_pk *key,
                             const struct relay_queue_row *row) PETREL_MUST_USE;

#endif
