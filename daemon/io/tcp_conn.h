/* SPDX-License-Identifier: Apache-2.0
 *
 * tcp_conn: the life of one connection: made, over, its handle closed, freed. The states are drawn
 * in tcp.h.
 *
 * Owns the connection's handle, its link and what is left of its dial; I/O thread only. It tells
 * the engine, once, that a link which the core knows is no more; it neither reads nor writes.
 */
#ifndef PETREL_DAEMON_IO_TCP_CONN_H
#define PETREL_DAEMON_IO_TCP_CONN_H

#include "daemon/engine.h"
#include "daemon/io/socks.h"
#include "daemon/io/tcp_table.h"
#include "daemon/logger.h"

enum {
    TCP_READ = 65536,     /* the one read buffer of all links */
    TCP_LINGER_MS = 3000, /* a closing link may take this long to send its last bytes */
};

/* What all connections share. */
struct tcp_shared {
    uv_loop_t *uv;
    struct logger *log;
    struct engine *engine;
    struct tcp_table table;
    struct socks_proxy proxy;
    bool proxy_failed;   /* the last link through it; it was said */
    unsigned budget;     /* handshake messages that this pass may still answer */
    uint64_t wall_start; /* Unix ms at start */
    uint64_t uv_start;
    uint8_t buffer[TCP_READ];
};

/* What only a connection that is being dialled needs. */
struct tcp_dial {
    struct tcp_conn *conn;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    uv_write_t write;
    struct socks socks;                  /* with a proxy, */
    void (*made)(struct tcp_conn *conn); /* behind it */
    struct addrinfo *addresses;          /* all, to be freed */
    struct addrinfo *next;               /* not tried yet */
    struct sign_pk node_id;
    struct dh_sk link_key; /* wiped as soon as the link has it */
    uint16_t port;
    bool public_only; /* addresses that are not public are passed over */
    bool refused;     /* one was */
    bool busy;        /* a request is with libuv: the dial may not be freed */
};

/* Unix ms that never step back while the process lives. */
uint64_t tcp_conn_now(const struct tcp_shared *tcp);
struct env tcp_conn_env(const struct tcp_shared *tcp);

/* A connection with a fresh handle, in no list yet; NULL: out of memory. */
struct tcp_conn *tcp_conn_new(struct tcp_shared *tcp);
/* The connection is over: its number is forgotten, the core is told. flush: what is left to send
 * is sent first, for TCP_LINGER_MS at most. Does nothing to one that is over. */
void tcp_conn_over(struct tcp_conn *conn, enum err err, bool flush);
/* Closes the handle; nothing more is sent. Idempotent. Frees conn in a later pass of the loop. */
void tcp_conn_close(struct tcp_conn *conn);
/* Frees conn when neither its handle nor a request needs it any more. */
void tcp_conn_release(struct tcp_conn *conn);
/* Tells the core that link number is no more. */
void tcp_conn_report(struct tcp_shared *tcp, uint64_t number, enum err err);
/* Wipes and frees a dial; NULL is fine. */
void tcp_conn_dial_done(struct tcp_dial *dial);

#endif
