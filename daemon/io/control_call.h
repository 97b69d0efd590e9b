/* SPDX-License-Identifier: Apache-2.0
 *
 * control_call: carries out one call of a client: checks it against the method table, answers what
 * is the host's, sends the rest to the engine or to a worker. docs/protocol/09-control.md.
 *
 * Owns nothing of its own; I/O thread only. Every call gets exactly one reply. A passphrase goes to
 * the keyring's worker and never to the core.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_CALL_H
#define PETREL_DAEMON_IO_CONTROL_CALL_H

#include "daemon/io/control_client.h"

/* m points into the client's input; what outlives this function is copied. */
void control_call(struct control_client *client, const struct control_message *m);
/* The reply to the account call that was under way, for the client whose it was. */
void control_call_account_over(struct control_shared *control, enum err err,
                               uint32_t retry_after_ms, struct slice result);

#endif
