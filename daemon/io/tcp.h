/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp: the links of this node over TCP: listens, carries out what the core wants, gives every
 * connection its share of a loop pass. docs/protocol/03-link.md.
 *
 * Owns the listener and, through tcp_table and tcp_conn, sockets and links; I/O thread only. It
 * bounds what strangers can cost: handshakes under way and per loop pass, bytes that a peer does
 * not read, links in all. An idle link holds no buffer.
 *
 *   RESOLVE -> CONNECT -> OPENING -> OPEN -> CLOSING -> CLOSED
 *     dialled links       ^ accepted links   flushes     handle is being closed
 */
#ifndef PETREL_DAEMON_IO_TCP_H
#define PETREL_DAEMON_IO_TCP_H

#include <stdint.h>

#include <uv.h>

#include "daemon/engine.h"
#include "daemon/io/socks.h"
#include "daemon/logger.h"

struct tcp;

enum err tcp_new(struct tcp **out, uv_loop_t *uv, struct logger *log) PETREL_MUST_USE;
/* Binds and listens; nobody is accepted before tcp_start. *bound is the real port. host: numeric,
 * or a name that resolves at once (localhost). ERR_CONFIG when another program has it, or this
 * machine or user cannot have it; else ERR_IO. The log says what to do. */
enum err tcp_listen(struct tcp *tcp, const char *host, uint16_t port,
                    uint16_t *bound) PETREL_MUST_USE;
/* All links go out through it; before tcp_start. It is copied. */
void tcp_set_proxy(struct tcp *tcp, const struct socks_proxy *proxy);
/* From now on links are accepted and inputs go to engine. */
void tcp_start(struct tcp *tcp, struct engine *engine);

/* Carries out NODE_OUT_CONNECT, NODE_OUT_SEND or NODE_OUT_CLOSE. */
void tcp_output(struct tcp *tcp, const struct node_output *o);
/* After a batch of outputs: writes what links have to send. */
void tcp_flush(struct tcp *tcp);
/* Before the loop waits: a new pass begins, links that had to wait may read again. */
void tcp_pass(struct tcp *tcp);
/* Deadlines that are over. */
void tcp_tick(struct tcp *tcp);
/* How long until the next one, ms; UINT64_MAX: there is none. Looks at every link. */
uint64_t tcp_next_ms(const struct tcp *tcp);

/* Closes every link without telling the engine, because the core was built anew. */
void tcp_close_all(struct tcp *tcp, enum err reason);
/* Stops listening and closes every link; handles are gone when the loop has nothing left to do. */
void tcp_stop(struct tcp *tcp);
/* Whether no link has a handle any more. */
bool tcp_idle(const struct tcp *tcp);
/* After tcp_stop: gives up on links that linger. */
void tcp_abort(struct tcp *tcp);
/* After the loop has ended. NULL is fine. */
void tcp_free(struct tcp *tcp);

#endif
