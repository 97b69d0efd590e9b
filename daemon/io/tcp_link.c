/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_link.h"

#include <string.h>

#include "daemon/io/tcp_proxy.h"

static void conn_opened(struct tcp_conn *conn)
{
    struct engine_input *input = engine_input_link(NODE_LINK_OPENED, conn->number);
    if (input == NULL) {
        tcp_conn_over(conn, ERR_NO_MEMORY, false);
        return;
    }
    input->node.u.opened.initiator = !conn->half;
    memcpy(input->node.u.opened.handshake_hash, link_hash(conn->link), LINK_HASH);
    input->node.u.opened.remote_static = link_remote_static(conn->link);
    if (conn->half) {
        tcp_table_opened(&conn->tcp->table, conn);
    }
    conn->state = CONN_OPEN;
    conn->known = true;
    engine_put(conn->tcp->engine, input);
    logger_log(conn->tcp->log, LOGGER_DEBUG, "link open", "link=%llu",
               (unsigned long long)conn->number);
}

static void conn_frame(struct tcp_conn *conn, struct slice frame)
{
    struct engine_input *input = engine_input_frame(conn->number, frame);
    if (input == NULL) {
        tcp_conn_over(conn, ERR_NO_MEMORY, false);
        return;
    }
    engine_put(conn->tcp->engine, input);
}

/* Takes out of the link all that it has to say. */
static void conn_drain(struct tcp_conn *conn)
{
    struct env env = tcp_conn_env(conn->tcp);
    struct slice frame;
    while (conn->state == CONN_OPENING || conn->state == CONN_OPEN) {
        switch (link_next(conn->link, &env, &frame)) {
        case LINK_NOTHING:
            return;
        case LINK_OPENED:
            conn_opened(conn);
            break;
        case LINK_FRAME:
            conn_frame(conn, frame);
            break;
        case LINK_CLOSED:
            tcp_conn_over(conn, link_error(conn->link), true);
            break;
        }
    }
}

/* Whether conn must leave its bytes in the socket for now. */
static bool must_wait(struct tcp_conn *conn)
{
    return engine_full(conn->tcp->engine) ||
           (conn->state == CONN_OPENING && conn->tcp->budget == 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tcp_conn *conn = handle->data;
    (void)suggested;
    if (must_wait(conn)) {
        *buf = uv_buf_init(NULL, 0); /* comes back as UV_ENOBUFS */
    } else {
        *buf = uv_buf_init((char *)conn->tcp->buffer, TCP_READ);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_conn *conn = stream->data;
    struct tcp_shared *tcp = conn->tcp;
    if (n == UV_ENOBUFS) {
        (void)uv_read_stop(stream);
        tcp_table_wait(&conn->tcp->table, conn);
        return;
    }
    if (n < 0) {
        tcp_conn_over(conn, conn->state == CONN_OPENING ? ERR_HANDSHAKE : ERR_LINK_CLOSED, false);
        return;
    }
    if (n == 0 || conn->state >= CONN_CLOSING) {
        return;
    }
    struct env env = tcp_conn_env(tcp);
    bool opening = conn->state == CONN_OPENING;
    link_receive(conn->link, &env, slice_of(buf->base, (size_t)n));
    conn_drain(conn);
    if (conn->state == CONN_CLOSED) {
        return;
    }
    bool answers = link_output(conn->link).len > 0;
    /* A handshake message was complete: that is what costs; single bytes do not count. */
    if (opening && tcp->budget > 0 && (answers || conn->state != CONN_OPENING)) {
        tcp->budget--;
    }
    if (answers || conn->state == CONN_CLOSING) {
        tcp_table_dirty(&conn->tcp->table, conn);
    }
}

void tcp_link_read(struct tcp_conn *conn)
{
    if (uv_read_start((uv_stream_t *)&conn->handle, on_alloc, on_read) < 0) {
        tcp_conn_over(conn, ERR_LINK_CLOSED, false);
    }
}

void tcp_link_start(struct tcp_conn *conn, const struct link_config *config)
{
    struct env env = tcp_conn_env(conn->tcp);
    enum err err = link_new(&conn->link, config, &env);
    if (err != ERR_OK) {
        tcp_conn_over(conn, err, false);
        return;
    }
    conn->state = CONN_OPENING;
    (void)uv_tcp_nodelay(&conn->handle, 1);
    tcp_link_read(conn);
    if (conn->link != NULL && link_output(conn->link).len > 0) {
        tcp_table_dirty(&conn->tcp->table, conn);
    }
}

void tcp_link_bye(struct tcp_conn *conn, enum err reason)
{
    bool told = conn->state == CONN_OPEN;
    if (told) {
        link_close(conn->link, reason);
    }
    tcp_conn_over(conn, reason, told);
}

uint64_t tcp_link_deadline(const struct tcp_conn *conn)
{
    switch (conn->state) {
    case CONN_RESOLVE:
    case CONN_CONNECT:
    case CONN_CLOSING:
        return conn->deadline;
    case CONN_OPENING:
    case CONN_OPEN:
        return link_deadline(conn->link);
    case CONN_CLOSED:
        break;
    }
    return UINT64_MAX;
}

void tcp_link_tick(struct tcp_conn *conn, uint64_t now)
{
    if (now < tcp_link_deadline(conn)) {
        return;
    }
    if (conn->state == CONN_CLOSING) {
        tcp_conn_close(conn);
    } else if (conn->state == CONN_RESOLVE || conn->state == CONN_CONNECT) {
        if (tcp_proxy_is_set(conn->tcp)) {
            tcp_proxy_late(conn);
        } else {
            tcp_conn_over(conn, ERR_TIMEOUT, false);
        }
    } else if (conn->state != CONN_CLOSED) {
        struct env env = tcp_conn_env(conn->tcp);
        link_tick(conn->link, &env);
        conn_drain(conn);
        if (conn->state != CONN_CLOSED) {
            tcp_table_dirty(&conn->tcp->table, conn);
        }
    }
}
