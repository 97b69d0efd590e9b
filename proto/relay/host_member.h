/* SPDX-License-Identifier: Apache-2.0
 *
 * host_member: a relay's members, their quotas, and the codes that make them.
 * docs/protocol/04-relay.md, section 5. Private to proto/relay/host*.c.
 */
#ifndef PETREL_RELAY_HOST_MEMBER_H
#define PETREL_RELAY_HOST_MEMBER_H

#include "relay/host_state.h"

struct relay_member {
    uint8_t name[SEAL_NAME]; /* keyed hash of the member key: what other rows hold */
    uint64_t joined_ms;
    uint16_t queues; /* what it has */
    uint16_t records;
    uint16_t descriptors;
};

/* ERR_REFUSED: no member. */
enum err relay_member_get(struct relay_host *host, struct turn *turn, const struct sign_pk *key,
                          struct relay_member *member) PETREL_MUST_USE;
enum err relay_member_put(struct relay_host *host, struct turn *turn,
                          const struct relay_member *member) PETREL_MUST_USE;
/* A descriptor of the member with this name has ended. */
enum err relay_member_descriptor_gone(struct relay_host *host, struct turn *turn,
                                      const uint8_t name[static SEAL_NAME]) PETREL_MUST_USE;

enum err host_member_join(struct relay_host *host, struct turn *turn, const struct relay_peer *peer,
                          struct slice body, struct writer *reply) PETREL_MUST_USE;
/* As relay_host_invite. */
enum err host_member_invite(struct relay_host *host, struct turn *turn, unsigned days,
                            uint8_t code[static 32]) PETREL_MUST_USE;
/* The member whose name begins so. ERR_NOT_FOUND, ERR_AMBIGUOUS. */
enum err host_member_find(struct turn *turn, const uint8_t begin[static RELAY_NAME_SHORT],
                          uint8_t name[static SEAL_NAME]) PETREL_MUST_USE;
/* As relay_host_members and relay_host_waiting. */
enum err host_member_list(struct relay_host *host, struct turn *turn,
                          const uint8_t after[static SEAL_NAME], struct relay_host_member *out,
                          size_t cap, size_t *count) PETREL_MUST_USE;
enum err host_member_waiting(struct relay_host *host, struct turn *turn,
                             struct relay_host_cursor *cursor, struct relay_host_waiting *out,
                             size_t cap, size_t *count) PETREL_MUST_USE;

#endif
