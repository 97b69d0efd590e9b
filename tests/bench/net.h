/* SPDX-License-Identifier: Apache-2.0
 *
 * net: many TCP connections to one server on this machine, one thread, one epoll: the load loop of
 * all benches. A connection is a link to a petreld (Noise, records, frames), or plain bytes
 * (Redis), so that both sides of a comparison are driven by the same code.
 */
#ifndef PETREL_TESTS_BENCH_NET_H
#define PETREL_TESTS_BENCH_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"

struct net;

struct net_conn {
    struct net *net;
    size_t number; /* 0 and up */
    int fd;
    struct link *link; /* owned; NULL: plain bytes */
    bool open;
};

struct net_config {
    uint16_t port;              /* on 127.0.0.1 */
    size_t count;               /* connections */
    const struct sign_pk *node; /* the node's ID; NULL: plain bytes */
    void *ctx;
    void (*on_open)(void *ctx, struct net_conn *conn); /* or NULL */
    /* a frame, or what one read gave */
    void (*on_data)(void *ctx, struct net_conn *conn, struct slice data);
};

/* Opens all connections, at most 64 handshakes at a time. Whatever goes wrong, here and later, ends
 * the bench. */
struct net *net_open(const struct net_config *config);
void net_close(struct net *net);

struct net_conn *net_conn_at(struct net *net, size_t number);
/* Sends one encoded frame, or bytes, at once. */
void net_send(struct net_conn *conn, struct slice data);
/* A frame with this body. */
void net_send_frame(struct net_conn *conn, uint8_t kind, uint32_t id, struct slice body);
/* Waits for the sockets at most so long and serves those that have something. */
void net_poll(struct net *net, unsigned timeout_ms);

#endif
