/* SPDX-License-Identifier: Apache-2.0
 *
 * host_receipt: the answers to what a turn stored: they wait for the turn's end, when one signature
 * covers them all. docs/protocol/04-relay.md, section 4.6.7. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_RECEIPT_H
#define PETREL_RELAY_HOST_RECEIPT_H

#include "relay/host_state.h"

/* The envelope with this hash is in this queue until then: peer is told at the end of the turn.
 * ERR_NO_MEMORY. */
enum err host_receipt_promise(struct relay_host *host, struct turn *turn,
                              const struct relay_peer *peer, const struct sign_pk *queue,
                              const uint8_t envelope_hash[static RECEIPT_HASH],
                              uint64_t until_ms) PETREL_MUST_USE;
/* As relay_host_next_answer. */
enum err host_receipt_next(struct relay_host *host, struct turn *turn, struct relay_answer *to,
                           struct writer *reply) PETREL_MUST_USE;

#endif
