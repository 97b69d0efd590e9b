/* SPDX-License-Identifier: Apache-2.0
 *
 * host_types: what a relay's host is told: how it is set up, and who asks.
 * docs/protocol/04-relay.md.
 *
 * Owns nothing; types only.
 */
#ifndef PETREL_RELAY_HOST_TYPES_H
#define PETREL_RELAY_HOST_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/prim.h"
#include "store/seal.h"

struct relay_host_config {
    struct sign_pk node_id;        /* this relay: stamps are bound to it */
    const struct sign_sk *node_sk; /* its secret: signs the relay card; borrowed */
    struct seal_keys *keys;        /* the node's; borrowed */
    bool registration_open;        /* members need no invite code */
    uint64_t spent_lru;            /* nonces held in memory at most */
    uint16_t dht_port;             /* its node of the DHT, for members to begin with; 0: none */
};

/* What the operator gives every queue. */
struct relay_limits {
    uint32_t envelopes; /* that may wait; 1 to LIMIT_QUEUE_ENVELOPES_MAX */
    uint32_t mib;       /* and their size; 1 to LIMIT_QUEUE_MIB_MAX */
    uint16_t days;      /* that one is kept at most; 1 to LIMIT_QUEUE_DAYS */
};

enum {
    RELAY_NAME_SHORT = 8, /* bytes of a member's name that people are shown */
};

/* A member, as its operator sees it. */
struct relay_host_member {
    uint8_t name[SEAL_NAME]; /* keyed hash of the member key */
    uint64_t joined_ms;
    uint16_t queues;
    uint16_t records;
    uint16_t descriptors;
    bool removing; /* what it had is being deleted */
};

/* What waits in one queue, or in a part of one. */
struct relay_host_waiting {
    uint8_t member[SEAL_NAME];
    uint64_t envelopes;
    uint64_t bytes;
};

/* Where a look at what waits stands; all zero: at the beginning. */
struct relay_host_cursor {
    uint8_t queue[SEAL_NAME]; /* name of the last one that was looked at */
    uint64_t arrival;         /* in it; 0: it is done */
};

struct sealed_reply_key;

/* Who sent a request, and what its answer has to look like. */
struct relay_peer {
    uint64_t link;
    const uint8_t *handshake_hash;         /* 64 bytes, Noise h of that link */
    uint8_t kind;                          /* of the frame that it came in */
    uint32_t id;                           /* likewise */
    const struct sealed_reply_key *sealed; /* the reply goes sealed under this key; NULL: open */
};

/* Where an answer goes that waited for the end of the turn. */
struct relay_answer {
    uint64_t link;
    uint8_t kind; /* of the request */
    uint32_t id;
};

#endif
