/* SPDX-License-Identifier: Apache-2.0
 *
 * host_remove: takes a member and all that is its own away, because it leaves or its operator says
 * so: queues with their envelopes, records with parts and pops, descriptors.
 * docs/protocol/04-relay.md, section 4.5. Private to proto/relay/host*.c.
 *
 * From the turn of the command on nobody gets anything of it; the rows go in slices, by a pass over
 * the tables of what members own. Who is being removed is in the store, where the pass stands is
 * not: after a crash it begins anew and finds less.
 */
#ifndef PETREL_RELAY_HOST_REMOVE_H
#define PETREL_RELAY_HOST_REMOVE_H

#include "relay/host_state.h"

enum err host_remove_load(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
/* As relay_host_remove. */
enum err host_remove_member(struct relay_host *host, struct turn *turn,
                            const uint8_t name[static SEAL_NAME]) PETREL_MUST_USE;
/* Who is no member, or is being removed, is gone already: the answer is the same. */
enum err host_remove_leave(struct relay_host *host, struct turn *turn,
                           const struct relay_peer *peer, struct slice body,
                           struct writer *reply) PETREL_MUST_USE;
/* Goes on, for at most *rows rows, which it counts down. */
enum err host_remove_tick(struct relay_host *host, struct turn *turn,
                          unsigned *rows) PETREL_MUST_USE;
uint64_t host_remove_deadline(const struct relay_host *host);

#endif
