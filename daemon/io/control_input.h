/* SPDX-License-Identifier: Apache-2.0
 *
 * control_input: reads from a client, finds where its messages end, and hands each to control_call.
 * docs/protocol/09-control.md.
 *
 * Owns the client's input buffer, which it wipes; I/O thread only. A client that has too many calls
 * open, or does not read its replies, is not read from.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_INPUT_H
#define PETREL_DAEMON_IO_CONTROL_INPUT_H

#include "daemon/io/control_client.h"

enum {
    CONTROL_CALLS_MAX = 32, /* calls of one client without a reply yet */
};

/* Begins to read; on an error the client is closed. */
void control_input_read(struct control_client *client);
/* If client had to wait and has room again: goes on with what it sent. */
void control_input_resume(struct control_client *client);
/* The client may not speak here: it is told why, under id 0, and closed. */
void control_input_refuse(struct control_client *client, enum err err);

#endif
