/* SPDX-License-Identifier: Apache-2.0
 *
 * frame: [kind, request id, body], the msgpack array that one record carries.
 *
 * docs/protocol/03-link.md. A reply has the request's id and kind + FRAME_REPLY. Requests and
 * pushes cost one credit each; replies, credit, ping and pong cost none.
 */
#ifndef PETREL_LINK_FRAME_H
#define PETREL_LINK_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"

enum frame_kind {
    FRAME_HELLO = 0,  /* handled in link/link.c: never reaches the core */
    FRAME_PING = 1,   /* likewise */
    FRAME_PONG = 2,   /* likewise */
    FRAME_CREDIT = 3, /* body: number of further frames u32 */
    FRAME_BYE = 4,    /* body: error code; the sender closes next. Handled in link/link.c */

    FRAME_MEMBER_JOIN = 16,    /* become a member of this relay */
    FRAME_QUEUE_REGISTER = 17, /* a member makes a queue */
    FRAME_QUEUE_ATTACH = 18,   /* its owner starts reading on this link */
    FRAME_QUEUE_DEPOSIT = 19,  /* anyone with a token or stamp */
    FRAME_QUEUE_PUSH = 20,     /* relay to owner; no reply */
    FRAME_QUEUE_ACK = 21,      /* owner to relay; reply says it is on disk */
    FRAME_RECORD_PUT = 22,     /* owner: body and one-time parts */
    FRAME_RECORD_GET = 23,     /* anyone: body without a one-time part */
    FRAME_RECORD_POP = 24,     /* anyone with a token or stamp: body and a one-time part */
    FRAME_RECORD_STATUS = 25,  /* owner: parts that are left */
    FRAME_DESCRIPTOR_PUT = 26, /* a member: a signed BEP 44 item */
    FRAME_DESCRIPTOR_GET = 27, /* anyone: by blinded key */
    FRAME_RELAY_CARD = 28,     /* anyone: what the relay says of itself */
    FRAME_RELAY_SEALED = 29,   /* anyone: a request that only the relay can open */
    FRAME_RELAY_FORWARD = 30,  /* a member: pass a card request or a sealed one on to a relay */

    FRAME_QUEUE_VOID = 31,   /* owner: tokens that are not to be taken any more */
    FRAME_MEMBER_LEAVE = 32, /* a member: it and all that is its own go */

    FRAME_REPLY = 128, /* added to a request's kind */
    FRAME_KIND_MAX = 255,
};

struct frame {
    uint8_t kind;
    uint32_t id;       /* of the request; 0 where there is none */
    struct slice body; /* one encoded msgpack value, not yet checked inside */
};

/* Whether a frame of this kind costs the sender one credit. */
bool frame_costs_credit(uint8_t kind);
/* Writes the array; body must be exactly one encoded msgpack value. */
void frame_write(struct writer *w, const struct frame *frame);
/* Borrows from bytes. ERR_MALFORMED, ERR_TOO_LARGE. */
enum err frame_read(struct slice bytes, struct frame *frame) PETREL_MUST_USE;

#endif
