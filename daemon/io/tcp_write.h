/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_write: moves what a link has to send into its socket, by copy only when the socket is full.
 *
 * Owns the blocks that libuv has not written yet, one a connection; I/O thread only. A peer that
 * leaves too much unread is closed.
 */
#ifndef PETREL_DAEMON_IO_TCP_WRITE_H
#define PETREL_DAEMON_IO_TCP_WRITE_H

#include "daemon/io/tcp_conn.h"

enum {
    TCP_UNSENT_MAX = 4 * 1024 * 1024, /* a peer that leaves more than this unread is closed */
    TCP_WRITE = 262144,               /* bytes copied for one pending write at most */
};

/* Writes what the socket takes; the rest follows when it has room. A connection in CONN_CLOSING is
 * closed once all is written. conn has a link. */
void tcp_write_flush(struct tcp_conn *conn);

#endif
