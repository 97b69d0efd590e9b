/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_dial: makes a connection that the core asked for: resolves the name, tries one address after
 * the other, starts the link.
 *
 * Owns the struct tcp_dial while a request is under way; I/O thread only.
 */
#ifndef PETREL_DAEMON_IO_TCP_DIAL_H
#define PETREL_DAEMON_IO_TCP_DIAL_H

#include "daemon/io/tcp_conn.h"

/* Carries out NODE_OUT_CONNECT. However it ends, the core hears of it: link opened or closed. */
void tcp_dial(struct tcp_shared *tcp, const struct node_output *o);

#endif
