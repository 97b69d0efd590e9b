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

/* Who sent a request. */
struct relay_peer {
    uint64_t link;
    const uint8_t *handshake_hash; /* 64 bytes, Noise h of that link */
};

#endif
