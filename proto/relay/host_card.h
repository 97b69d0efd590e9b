/* SPDX-License-Identifier: Apache-2.0
 *
 * host_card: a relay's card and the keys behind it, and requests that were sealed to one of them.
 * docs/protocol/04-relay.md, section 4.9. Private to proto/relay/host*.c.
 *
 * A key is in the card for LIMIT_CARD_NEW_DAYS and opens requests for LIMIT_CARD_DAYS and a little:
 * as long as a card that names it may be used. The secrets lie in the node's META, sealed, and in
 * the relay object, which is wiped.
 */
#ifndef PETREL_RELAY_HOST_CARD_H
#define PETREL_RELAY_HOST_CARD_H

#include "relay/host_state.h"

/* Reads the keys; makes the first one. */
enum err host_card_load(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
/* A new key when it is time for one, and the end of old ones. */
enum err host_card_tick(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
uint64_t host_card_deadline(const struct relay_host *host);

/* Requests RELAY_CARD and RELAY_SEALED. inner answers (kind, body) of a sealed request as
 * relay_host_request does. */
enum err host_card_get(struct relay_host *host, struct slice body,
                       struct writer *reply) PETREL_MUST_USE;
typedef enum err host_card_inner(struct relay_host *host, struct turn *turn,
                                 const struct relay_peer *peer, uint8_t kind, struct slice body,
                                 struct writer *reply);
enum err host_card_sealed(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                          struct slice body, host_card_inner *inner,
                          struct writer *reply) PETREL_MUST_USE;

#endif
