/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_proxy: takes a socket that is connected to the SOCKS proxy on to where the core wants to go.
 * docs/protocol/03-link.md, section 3.8.
 *
 * Owns nothing of its own; I/O thread only. It speaks as socks.h has it, within the deadline of the
 * dial, and hands the socket back to tcp_dial.
 */
#ifndef PETREL_DAEMON_IO_TCP_PROXY_H
#define PETREL_DAEMON_IO_TCP_PROXY_H

#include "daemon/io/tcp_conn.h"

bool tcp_proxy_is_set(const struct tcp_shared *tcp);
/* Of a new dial: where to, and who we say that we are. */
void tcp_proxy_prepare(struct tcp_conn *conn, const char *host, uint16_t port);
/* A dial through the proxy has failed: the connection is over, and the log says once when it is the
 * proxy that is to blame (ERR_PROXY). */
void tcp_proxy_over(struct tcp_conn *conn, enum err err);
/* The same when its time is over. */
void tcp_proxy_late(struct tcp_conn *conn);
/* The socket is connected to the proxy, or (status: of libuv) could not be: goes on until made,
 * when the other end hears us, or the connection is over: ERR_PROXY when the proxy is to blame. */
void tcp_proxy_connected(struct tcp_conn *conn, int status, void (*made)(struct tcp_conn *conn));

#endif
