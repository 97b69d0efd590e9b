/* SPDX-License-Identifier: Apache-2.0
 *
 * control_keys: what changes the key files of accounts, one job after the other: a creation, a
 * change of the passphrase, an account that is erased, roots that the core asks for. Each reads a
 * file and writes it, and an account's number may be another one's by then; the core relies on the
 * order of roots (docs/protocol/08-at-rest.md, section 8.10).
 *
 * Owns the jobs that wait; I/O thread only.
 */
#ifndef PETREL_DAEMON_IO_CONTROL_KEYS_H
#define PETREL_DAEMON_IO_CONTROL_KEYS_H

#include "daemon/io/control_client.h"

/* Starts the job when those before it are over. Its done is called then. */
void control_keys_start(struct control_shared *control, struct worker_job *job);
/* NODE_OUT_ERASE, NODE_OUT_ROOT and NODE_OUT_ROOT_KEEP: the core hears what became of it. */
void control_keys_output(struct control_shared *control, const struct node_output *o);

#endif
