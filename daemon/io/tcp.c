/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/hostenv.h"
#include "daemon/io/files.h"
#include "daemon/io/tcp_dial.h"
#include "daemon/io/tcp_link.h"
#include "daemon/io/tcp_write.h"
#include "link/link.h"

enum {
    TCP_BACKLOG = 512,
};

struct tcp {
    struct tcp_shared shared; /* what the links need */
    uv_tcp_t listener;
    bool listening;
    bool started;
    bool stopping;
    struct sign_pk node_id;
    struct dh_sk *static_key; /* secret_new; the responder's */
    struct files files;       /* our share of them */
    uint64_t next_number;     /* of accepted links */
};

static void accept_one(struct tcp *tcp)
{
    struct tcp_conn *conn = tcp_conn_new(&tcp->shared);
    if (conn == NULL) {
        return;
    }
    conn->half = true;
    conn->state = CONN_OPENING;
    conn->number = tcp->next_number++;
    tcp_table_add(&tcp->shared.table, conn);
    bool refused = uv_accept((uv_stream_t *)&tcp->listener, (uv_stream_t *)&conn->handle) < 0 ||
                   tcp_table_count(&tcp->shared.table) > tcp->files.links || tcp->stopping;
    if (refused) {
        logger_log(tcp->shared.log, LOGGER_WARN, "link refused", "links=%zu",
                   tcp->shared.table.links.count);
        tcp_conn_over(conn, ERR_REFUSED, false);
        return;
    }
    struct link_config config = {
        .initiator = false, .static_key = *tcp->static_key, .node_id = tcp->node_id};
    tcp_link_start(conn, &config);
    secret_wipe(&config, sizeof config);
}

/* The oldest handshake makes room: one that is honest is over within a round trip. */
static void half_open_limit(struct tcp *tcp)
{
    struct tcp_conn *oldest = NULL;
    size_t live = 0;
    for (struct tcp_conn *c = tcp->shared.table.half.last; c != NULL; c = c->prev) {
        if (c->state < CONN_CLOSING) {
            oldest = c;
            live++;
        }
    }
    if (oldest != NULL && live >= tcp->files.handshakes) {
        logger_log(tcp->shared.log, LOGGER_WARN, "too many handshakes: the oldest is closed",
                   "limit=%zu", tcp->files.handshakes);
        tcp_conn_over(oldest, ERR_TIMEOUT, false);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct tcp *tcp = server->data;
    if (status < 0 || !tcp->started) {
        return;
    }
    half_open_limit(tcp);
    accept_one(tcp);
}

void tcp_pass(struct tcp *tcp)
{
    tcp->shared.budget = LIMIT_HANDSHAKES_PER_PASS;
    if (tcp->shared.table.wait_first == NULL || engine_full(tcp->shared.engine)) {
        return;
    }
    /* In order of arrival; of those in a handshake no more than can be served. */
    unsigned opening = 0;
    struct tcp_conn *c = tcp->shared.table.wait_first;
    struct tcp_conn *keep_first = NULL;
    struct tcp_conn *keep_last = NULL;
    tcp->shared.table.wait_first = tcp->shared.table.wait_last = NULL;
    while (c != NULL) {
        struct tcp_conn *next = c->wait_next;
        c->wait_next = NULL;
        if (c->state == CONN_OPENING && opening == LIMIT_HANDSHAKES_PER_PASS) {
            if (keep_last != NULL) {
                keep_last->wait_next = c;
            } else {
                keep_first = c;
            }
            keep_last = c;
        } else {
            opening += c->state == CONN_OPENING ? 1 : 0;
            c->waiting = false;
            tcp_link_read(c);
        }
        c = next;
    }
    tcp->shared.table.wait_first = keep_first;
    tcp->shared.table.wait_last = keep_last;
}

void tcp_flush(struct tcp *tcp)
{
    while (tcp->shared.table.dirty_first != NULL) {
        struct tcp_conn *conn = tcp->shared.table.dirty_first;
        tcp->shared.table.dirty_first = conn->dirty_next;
        conn->dirty = false;
        tcp_write_flush(conn);
    }
}

static void tcp_send(struct tcp *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = tcp_table_find(&tcp->shared.table, o->link);
    if (conn == NULL || conn->state != CONN_OPEN) {
        return; /* closed meanwhile: the core hears of it */
    }
    enum err err = link_send(conn->link, slice_of(o->data, o->len));
    if (err != ERR_OK) {
        tcp_conn_over(conn, err, false);
        return;
    }
    tcp_table_dirty(&tcp->shared.table, conn);
}

static void tcp_close(struct tcp *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = tcp_table_find(&tcp->shared.table, o->link);
    if (conn == NULL) {
        return;
    }
    if (conn->link != NULL) {
        link_close(conn->link, o->err);
    }
    tcp_conn_over(conn, o->err, true);
}

static void tcp_connect(struct tcp *tcp, const struct node_output *o)
{
    if (tcp->stopping || tcp_table_count(&tcp->shared.table) >= tcp->files.links) {
        tcp_conn_report(&tcp->shared, o->link, ERR_BACKPRESSURE);
    } else {
        tcp_dial(&tcp->shared, o);
    }
}

void tcp_output(struct tcp *tcp, const struct node_output *o)
{
    switch (o->kind) {
    case NODE_OUT_CONNECT:
        tcp_connect(tcp, o);
        break;
    case NODE_OUT_SEND:
        tcp_send(tcp, o);
        break;
    case NODE_OUT_CLOSE:
        tcp_close(tcp, o);
        break;
    case NODE_OUT_REPLY:
    case NODE_OUT_EVENT:
    case NODE_OUT_ERASE:
    case NODE_OUT_LOCKED:
    case NODE_OUT_ROOT:
    case NODE_OUT_ROOT_KEEP:
    case NODE_OUT_DHT_GET:
    case NODE_OUT_DHT_NODE:
    case NODE_OUT_DHT_PUT:
    case NODE_OUT_DHT_TABLE:
        break;
    }
}

void tcp_close_all(struct tcp *tcp, enum err reason)
{
    struct tcp_list *lists[] = {&tcp->shared.table.half, &tcp->shared.table.links};
    for (size_t i = 0; i < 2; i++) {
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = c->next) {
            c->known = false;
            tcp_link_bye(c, reason);
        }
    }
}

uint64_t tcp_next_ms(const struct tcp *tcp)
{
    const struct tcp_table *table = &tcp->shared.table;
    const struct tcp_list *lists[] = {&table->half, &table->links};
    uint64_t now = tcp_conn_now(&tcp->shared);
    uint64_t first = table->wait_first != NULL ? now : UINT64_MAX;
    for (size_t i = 0; i < 2; i++) {
        for (const struct tcp_conn *c = lists[i]->first; c != NULL; c = c->next) {
            uint64_t deadline = tcp_link_deadline(c);
            first = deadline < first ? deadline : first;
        }
    }
    if (first == UINT64_MAX) {
        return UINT64_MAX;
    }
    return first > now ? first - now : 0;
}

void tcp_tick(struct tcp *tcp)
{
    struct tcp_list *lists[] = {&tcp->shared.table.half, &tcp->shared.table.links};
    uint64_t now = tcp_conn_now(&tcp->shared);
    for (size_t i = 0; i < 2; i++) {
        struct tcp_conn *next = NULL;
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = next) {
            next = c->next; /* freed in close callbacks only, never here */
            tcp_link_tick(c, now);
        }
    }
    tcp_flush(tcp);
}

/* --- start and end --- */

enum err tcp_new(struct tcp **out, uv_loop_t *uv, struct logger *log)
{
    struct tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = tcp_table_init(&tcp->shared.table);
    tcp->static_key = secret_new(sizeof *tcp->static_key);
    if (err != ERR_OK || tcp->static_key == NULL) {
        tcp_free(tcp);
        return ERR_NO_MEMORY;
    }
    tcp->shared.uv = uv;
    tcp->shared.log = log;
    tcp->shared.wall_start = hostenv_wall_ms();
    tcp->shared.uv_start = uv_now(uv);
    tcp->next_number = 1;
    tcp->files = files_of_process();
    *out = tcp;
    return ERR_OK;
}

static int bound_port(const uv_tcp_t *handle, uint16_t *port)
{
    struct sockaddr_storage addr;
    int len = sizeof addr;
    int rc = uv_tcp_getsockname(handle, (struct sockaddr *)&addr, &len);
    if (rc == 0) {
        struct sockaddr_in6 v6;
        struct sockaddr_in v4;
        memcpy(&v6, &addr, sizeof v6);
        memcpy(&v4, &addr, sizeof v4);
        *port = ntohs(addr.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
    }
    return rc;
}

/* What to do about it, for errors that the operator's setting makes. */
static const char *listen_todo(int rc)
{
    switch (rc) {
    case UV_EADDRINUSE:
        return "another program has this port: ss -ltnp says which; stop it, or set another port "
               "as "
               "listen in petreld.conf";
    case UV_EADDRNOTAVAIL:
        return "this machine has no such address: set one of its own, or 0.0.0.0, as listen in "
               "petreld.conf";
    case UV_EACCES:
        return "this user may not have this port: set one above 1023 as listen in petreld.conf";
    default:
        return NULL;
    }
}

/* Says so. The address is the operator's own setting, not somebody's. */
static enum err listen_failed(struct tcp *tcp, const char *host, uint16_t port, int rc,
                              const char *message)
{
    const char *todo = listen_todo(rc);
    enum err err = todo != NULL ? ERR_CONFIG : ERR_IO;
    logger_log(tcp->shared.log, LOGGER_ERROR, "cannot listen",
               "host=%.80s port=%u err=%s reason=\"%s%s%s\"", host, (unsigned)port, err_name(err),
               message, todo != NULL ? ": " : "", todo != NULL ? todo : "");
    return err;
}

enum err tcp_listen(struct tcp *tcp, const char *host, uint16_t port, uint16_t *bound)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *res = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int rc = getaddrinfo(host, service, &hints, &res);
    if (rc != 0) {
        return listen_failed(tcp, host, port, UV_EADDRNOTAVAIL, gai_strerror(rc));
    }
    rc = uv_tcp_init(tcp->shared.uv, &tcp->listener);
    if (rc == 0) {
        tcp->listening = true;
        tcp->listener.data = tcp;
        rc = uv_tcp_bind(&tcp->listener, res->ai_addr, 0);
    }
    if (rc == 0) {
        rc = uv_listen((uv_stream_t *)&tcp->listener, TCP_BACKLOG, on_connection);
    }
    if (rc == 0) {
        rc = bound_port(&tcp->listener, bound);
    }
    freeaddrinfo(res);
    return rc == 0 ? ERR_OK : listen_failed(tcp, host, port, rc, uv_strerror(rc));
}

void tcp_set_proxy(struct tcp *tcp, const struct socks_proxy *proxy)
{
    tcp->shared.proxy = *proxy;
}

void tcp_start(struct tcp *tcp, struct engine *engine)
{
    struct sign_sk sk;
    engine_identity(engine, &tcp->node_id, &sk);
    prim_sign_sk_to_dh(tcp->static_key, &sk);
    secret_wipe(&sk, sizeof sk);
    tcp->shared.engine = engine;
    tcp->started = true;
}

void tcp_stop(struct tcp *tcp)
{
    if (tcp->stopping) {
        return;
    }
    tcp->stopping = true;
    if (tcp->listening) {
        uv_close((uv_handle_t *)&tcp->listener, NULL);
    }
    tcp_close_all(tcp, ERR_LINK_CLOSED);
    tcp_flush(tcp);
}

bool tcp_idle(const struct tcp *tcp)
{
    return tcp_table_count(&tcp->shared.table) == 0;
}

void tcp_abort(struct tcp *tcp)
{
    struct tcp_list *lists[] = {&tcp->shared.table.half, &tcp->shared.table.links};
    for (size_t i = 0; i < 2; i++) {
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = c->next) {
            tcp_conn_close(c);
        }
    }
}

void tcp_free(struct tcp *tcp)
{
    if (tcp != NULL) {
        assert(tcp_idle(tcp));
        secret_free(tcp->static_key);
        secret_wipe(&tcp->shared.proxy, sizeof tcp->shared.proxy);
        tcp_table_fini(&tcp->shared.table);
        free(tcp);
    }
}
