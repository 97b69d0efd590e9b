/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/io/sockaddr.h"
#include "daemon/io/tcp_link.h"
#include "daemon/io/tcp_proxy.h"

static void dial_next(struct tcp_conn *conn);

static void on_reopen_closed(uv_handle_t *handle)
{
    struct tcp_conn *conn = handle->data;
    if (conn->state == CONN_CLOSED || uv_tcp_init(conn->tcp->uv, &conn->handle) < 0) {
        if (conn->state != CONN_CLOSED) {
            tcp_conn_over(conn, ERR_NO_MEMORY, false);
        }
        conn->closed = true;
        tcp_conn_release(conn);
        return;
    }
    conn->handle.data = conn;
    conn->reopen = false;
    dial_next(conn);
}

/* The other end hears us. */
static void dial_made(struct tcp_conn *conn)
{
    struct tcp_dial *dial = conn->dial;
    struct link_config config = {
        .initiator = true, .static_key = dial->link_key, .node_id = dial->node_id};
    tcp_link_start(conn, &config);
    secret_wipe(&config, sizeof config);
    tcp_conn_dial_done(dial);
    conn->dial = NULL;
}

static void on_connected(uv_connect_t *req, int status)
{
    struct tcp_conn *conn = req->data;
    struct tcp_dial *dial = conn->dial;
    dial->busy = false;
    if (conn->state == CONN_CLOSED) {
        tcp_conn_release(conn);
    } else if (status != 0 && dial->next != NULL) {
        conn->reopen = true; /* a socket connects once */
        uv_close((uv_handle_t *)&conn->handle, on_reopen_closed);
    } else if (tcp_proxy_is_set(conn->tcp)) {
        tcp_proxy_connected(conn, status, dial_made);
    } else if (status == 0) {
        dial_made(conn);
    } else {
        tcp_conn_over(conn, status == UV_ETIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE, false);
    }
}

/* Nothing could be connected to: with a proxy, it is that which is not there. */
static void dial_over(struct tcp_conn *conn, enum err err)
{
    if (tcp_proxy_is_set(conn->tcp)) {
        tcp_proxy_over(conn, ERR_PROXY);
    } else {
        tcp_conn_over(conn, err, false);
    }
}

/* Tries the next address. */
static void dial_next(struct tcp_conn *conn)
{
    struct tcp_dial *dial = conn->dial;
    while (dial->next != NULL) {
        struct addrinfo *a = dial->next;
        dial->next = a->ai_next;
        if (dial->public_only && sockaddr_is_private(a->ai_addr)) {
            dial->refused = true;
            continue;
        }
        dial->connect.data = conn;
        if (uv_tcp_connect(&dial->connect, &conn->handle, a->ai_addr, on_connected) == 0) {
            dial->busy = true;
            conn->state = CONN_CONNECT;
            return;
        }
    }
    dial_over(conn, dial->refused ? ERR_REFUSED : ERR_UNREACHABLE);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct tcp_conn *conn = req->data;
    struct tcp_dial *dial = conn->dial;
    dial->busy = false;
    dial->addresses = res;
    if (conn->state == CONN_CLOSED) {
        tcp_conn_release(conn);
        return;
    }
    if (status < 0) {
        dial_over(conn, ERR_UNREACHABLE);
        return;
    }
    dial->next = res;
    dial_next(conn);
}

/* Whether the proxy is asked for a place of which nobody here can tell whether it is public: the
 * core has seen to addresses. */
static bool leads_anywhere(const struct node_output *o)
{
    return o->connect.public_only && !sockaddr_is_literal(o->connect.host);
}

/* With a proxy it is the proxy's name that is resolved here, never the other one's. */
static void dial_start(struct tcp_conn *conn, const struct node_output *o)
{
    const struct socks_proxy *proxy = &conn->tcp->proxy;
    bool through = tcp_proxy_is_set(conn->tcp);
    /* The proxy may be on loopback where there is no other address of its family. */
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | (through ? 0 : AI_ADDRCONFIG)};
    char service[8];
    struct tcp_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) {
        tcp_conn_over(conn, ERR_NO_MEMORY, false);
        return;
    }
    conn->dial = dial;
    dial->conn = conn;
    dial->node_id = o->connect.node_id;
    dial->link_key = o->connect.link_key;
    dial->public_only = o->connect.public_only && !through;
    dial->resolve.data = conn;
    if (through && leads_anywhere(o)) {
        tcp_conn_over(conn, ERR_REFUSED, false);
        return;
    }
    if (through) {
        tcp_proxy_prepare(conn, o->connect.host, o->connect.port);
    }
    snprintf(service, sizeof service, "%u", (unsigned)(through ? proxy->port : o->connect.port));
    int rc = uv_getaddrinfo(conn->tcp->uv, &dial->resolve, on_resolved,
                            through ? proxy->host : o->connect.host, service, &hints);
    dial->busy = rc == 0;
    if (rc != 0) {
        dial_over(conn, ERR_UNREACHABLE);
    }
}

void tcp_dial(struct tcp_shared *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = tcp_conn_new(tcp);
    if (conn == NULL) {
        tcp_conn_report(tcp, o->link, ERR_BACKPRESSURE);
        return;
    }
    conn->number = o->link;
    conn->known = true;
    conn->state = CONN_RESOLVE;
    conn->deadline =
        tcp_conn_now(tcp) + (tcp_proxy_is_set(tcp) ? LIMIT_PROXY_MS : LIMIT_HANDSHAKE_MS);
    tcp_table_add(&tcp->table, conn);
    dial_start(conn, o);
}
