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
