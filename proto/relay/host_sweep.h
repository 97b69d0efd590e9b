/* SPDX-License-Identifier: Apache-2.0
 *
 * host_sweep: what ends at a relay by itself: envelopes whose class is over, spent rows whose epoch
 * is, pops, descriptors, join codes. docs/protocol/04-relay.md, section 12.
 * Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_SWEEP_H
#define PETREL_RELAY_HOST_SWEEP_H

#include "relay/host_state.h"

/* Everything is due at once: the first tick finds out what is. */
enum err host_sweep_load(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
/* As relay_host_tick and relay_host_deadline. */
enum err host_sweep_tick(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
uint64_t host_sweep_deadline(const struct relay_host *host);

#endif
