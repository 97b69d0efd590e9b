/* SPDX-License-Identifier: Apache-2.0
 *
 * member: joining and leaving a relay. A member is a random Ed25519 key, another one at each relay,
 * kept in account and backup; it owns queues, records and descriptors there.
 * docs/protocol/04-relay.md, section 5. Codec; the relay's side is host_member and host_remove.
 */
#ifndef PETREL_RELAY_MEMBER_H
#define PETREL_RELAY_MEMBER_H

#include "relay/wire.h"

#define MEMBER_JOIN_LABEL  "petrel/1 member join"
#define MEMBER_LEAVE_LABEL "petrel/1 member leave"

/* Signed by the member key. Idempotent for a member, whatever the code. */
struct member_join {
    struct sign_pk member; /* filled by read; write takes it from the secret key */
    bool has_code;         /* needed at a relay whose registration is by invite */
    uint8_t code[RELAY_CODE];
};
/* ERR_BAD_INVITE_CODE, ERR_BAD_SIGNATURE, ERR_BACKPRESSURE. */
struct member_join_reply {
    struct relay_reply head;
    uint16_t queues;  /* that a member may have */
    uint16_t records; /* likewise */
};

enum err member_join_write(struct writer *w, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH], const struct member_join *join,
                           const struct sign_sk *member) PETREL_MUST_USE;
/* Form, then signature, then the signed body. ERR_MALFORMED, ERR_TOO_LARGE, ERR_BAD_SIGNATURE,
 * ERR_BAD_KEY, ERR_NO_MEMORY. */
enum err member_join_read(struct slice bytes, struct arena *arena,
                          const uint8_t hash[static RELAY_HASH],
                          struct member_join *join) PETREL_MUST_USE;
/* The signed body alone. */
enum err member_join_body_read(struct slice body, struct member_join *join) PETREL_MUST_USE;
void member_join_reply_write(struct writer *w, const struct member_join_reply *reply);
enum err member_join_reply_read(struct slice bytes,
                                struct member_join_reply *reply) PETREL_MUST_USE;

/* Signed by the member key: from the reply on, which is a head only, it is no member and nobody
 * gets anything of what it had. Idempotent: who is no member gets ERR_OK too. ERR_BAD_SIGNATURE,
 * ERR_BACKPRESSURE (LIMIT_REMOVALS are under way). */
struct member_leave {
    struct sign_pk member; /* filled by read */
};
enum err member_leave_write(struct writer *w, struct arena *arena,
                            const uint8_t hash[static RELAY_HASH],
                            const struct sign_sk *member) PETREL_MUST_USE;
/* As member_join_read. */
enum err member_leave_read(struct slice bytes, struct arena *arena,
                           const uint8_t hash[static RELAY_HASH],
                           struct member_leave *leave) PETREL_MUST_USE;
/* The signed body alone: a map without fields of its own, so far. */
enum err member_leave_body_read(struct slice body) PETREL_MUST_USE;

#endif
