/* SPDX-License-Identifier: Apache-2.0
 *
 * host_limits: what the operator gives every queue of this relay. docs/protocol/04-relay.md,
 * section 4.10. Private to proto/relay/host*.c; the numbers are in relay/host_types.h.
 */
#ifndef PETREL_RELAY_HOST_LIMITS_H
#define PETREL_RELAY_HOST_LIMITS_H

#include "relay/host_state.h"

/* Reads them; the standard ones when there are none. */
enum err host_limits_load(struct relay_host *host, struct turn *turn) PETREL_MUST_USE;
/* As relay_host_set_limits. */
enum err host_limits_set(struct relay_host *host, struct turn *turn,
                         const struct relay_limits *limits) PETREL_MUST_USE;
/* How long an envelope of this class is kept here. */
uint64_t host_limits_lifetime_ms(const struct relay_host *host, unsigned lifetime);
uint64_t host_limits_bytes(const struct relay_host *host);

#endif
