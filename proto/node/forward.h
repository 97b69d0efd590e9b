/* SPDX-License-Identifier: Apache-2.0
 *
 * forward: a member asks its relay to pass one request on to another relay: for that relay's card,
 * or one that is sealed to it. docs/protocol/04-relay.md, section 4.9.3. Codec, both ends; the
 * forwarder's side is node/forwarder.c, the asker's node/foreign.c.
 */
#ifndef PETREL_NODE_FORWARD_H
#define PETREL_NODE_FORWARD_H

#include "node/address.h"
#include "relay/wire.h"

struct forward {
    struct address to;
    uint8_t kind;      /* RELAY_CARD or RELAY_SEALED */
    struct slice body; /* of that request: one encoded map, handed on as it is */
};
/* ERR_NOT_NOW (no queue is attached on this link), ERR_REFUSED (by policy, or the relay itself is
 * named), ERR_UNREACHABLE, ERR_BACKPRESSURE. */
struct forward_reply {
    struct relay_reply head;
    struct slice body; /* the other relay's reply, as it came; with ERR_OK */
};

void forward_write(struct writer *w, const struct forward *forward);
/* ERR_MALFORMED also for another kind. */
enum err forward_read(struct slice bytes, struct forward *forward) PETREL_MUST_USE;
void forward_reply_write(struct writer *w, const struct forward_reply *reply);
enum err forward_reply_read(struct slice bytes, struct forward_reply *reply) PETREL_MUST_USE;

#endif
