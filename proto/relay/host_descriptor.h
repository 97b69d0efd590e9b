/* SPDX-License-Identifier: Apache-2.0
 *
 * host_descriptor: a relay's side of descriptors: put, get, their end.
 * docs/protocol/04-relay.md, section 8. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_DESCRIPTOR_H
#define PETREL_RELAY_HOST_DESCRIPTOR_H

#include "crypto/bep44.h"
#include "relay/host_state.h"

enum err host_descriptor_put(struct relay_host *host, struct turn *turn,
                             const struct relay_peer *peer, struct slice body,
                             struct writer *reply) PETREL_MUST_USE;
enum err host_descriptor_get(struct relay_host *host, struct turn *turn, struct slice body,
                             struct writer *reply) PETREL_MUST_USE;
/* As relay_host_fresh and relay_host_announce. */
enum err host_descriptor_fresh(struct relay_host *host, struct turn *turn,
                               struct bep44_item *item) PETREL_MUST_USE;
enum err host_descriptor_announce(struct relay_host *host, struct turn *turn,
                                  uint8_t at[static SEAL_NAME], struct bep44_item *item,
                                  bool *got) PETREL_MUST_USE;

/* The member of an opened descriptor row; false when it is out of form. */
bool host_descriptor_member(struct slice plain, uint8_t member[static SEAL_NAME]);
/* Deletes the item of this row, whose member is being removed; that is one step. */
enum err host_descriptor_remove(struct relay_host *host, struct turn *turn,
                                const uint8_t name[static SEAL_NAME], struct slice plain,
                                unsigned *rows, bool *done) PETREL_MUST_USE;
/* The item with this name is over: deletes it and gives its member the place back. */
enum err host_descriptor_end(struct relay_host *host, struct turn *turn,
                             const uint8_t name[static SEAL_NAME]) PETREL_MUST_USE;

#endif
