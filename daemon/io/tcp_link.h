/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_link: drives the struct link of a connected socket: bytes in, inputs for the engine out.
 * docs/protocol/03-link.md.
 *
 * Owns nothing of its own; I/O thread only. It leaves bytes in the socket while the engine is full
 * or while this pass has answered its share of handshakes; what a link has to send it only marks
 * (tcp_table_dirty), tcp_write writes it.
 */
#ifndef PETREL_DAEMON_IO_TCP_LINK_H
#define PETREL_DAEMON_IO_TCP_LINK_H

#include "daemon/io/tcp_conn.h"
#include "link/link.h"

/* Starts the handshake on a connected socket; on an error the connection is over. */
void tcp_link_start(struct tcp_conn *conn, const struct link_config *config);
/* Reads from now on; again after it had to wait. */
void tcp_link_read(struct tcp_conn *conn);
/* Of its dial, its link, its lingering; env ms, UINT64_MAX: none. */
uint64_t tcp_link_deadline(const struct tcp_conn *conn);
/* Looks at the deadline of conn, now in env ms: of its dial, its link, its lingering. */
void tcp_link_tick(struct tcp_conn *conn, uint64_t now);
/* Ends one link for a reason of ours, with a BYE when there is somebody to tell. */
void tcp_link_bye(struct tcp_conn *conn, enum err reason);

#endif
