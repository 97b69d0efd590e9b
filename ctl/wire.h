/* SPDX-License-Identifier: Apache-2.0
 *
 * wire: the connection to the control socket: bytes out, whole messages in, never waiting.
 * docs/protocol/09-control.md, 9.1 and 9.2. Who waits, and how long, is its user's choice:
 * ctl/client for one call at a time, ctl/rpc for many.
 */
#ifndef PETREL_CTL_WIRE_H
#define PETREL_CTL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/codec.h"

struct wire {
    int fd;      /* to poll; -1: not connected */
    uint8_t *in; /* LIMIT_CONTROL_MESSAGE bytes, owned */
    size_t in_len;
    size_t taken; /* of in: the message that was handed out last */
    struct control_scan scan;
};

/* Not connected. false: out of memory; wire_fini is fine then, too. */
bool wire_init(struct wire *w);
/* Closes, wipes what came. */
void wire_fini(struct wire *w);
/* Connects to the daemon of a home; a connection that is open stays. false: errno says why. */
bool wire_connect(struct wire *w, const char *home);
void wire_close(struct wire *w);

/* Sends what the socket takes at once: *sent bytes, maybe 0. ERR_IO: the connection is broken. */
enum err wire_send(struct wire *w, struct slice bytes, size_t *sent) PETREL_MUST_USE;
/* Takes in what came, maybe nothing. ERR_IO: the other end is closed. */
enum err wire_fill(struct wire *w) PETREL_MUST_USE;
/* The next whole message, valid until the next call with w. ERR_NOT_NOW: wire_fill first. Any other
 * error: what came is not of this protocol, and the connection is of no use. */
enum err wire_next(struct wire *w, struct control_message *m) PETREL_MUST_USE;

#endif
