/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_conn.h"

#include <stdlib.h>

#include "base/secret.h"
#include "daemon/hostenv.h"
#include "link/link.h"

uint64_t tcp_conn_now(const struct tcp_shared *tcp)
{
    return tcp->wall_start + (uv_now(tcp->uv) - tcp->uv_start);
}

struct env tcp_conn_env(const struct tcp_shared *tcp)
{
    return hostenv_at(tcp_conn_now(tcp));
}

void tcp_conn_dial_done(struct tcp_dial *dial)
{
    if (dial != NULL) {
        if (dial->addresses != NULL) {
            uv_freeaddrinfo(dial->addresses);
        }
        secret_wipe(dial, sizeof *dial);
        free(dial);
    }
}

struct tcp_conn *tcp_conn_new(struct tcp_shared *tcp)
{
    struct tcp_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    if (uv_tcp_init(tcp->uv, &conn->handle) < 0) {
        free(conn);
        return NULL;
    }
    conn->handle.data = conn;
    conn->tcp = tcp;
    return conn;
}

void tcp_conn_release(struct tcp_conn *conn)
{
    if (!conn->closed || (conn->dial != NULL && conn->dial->busy)) {
        return;
    }
    tcp_table_remove(&conn->tcp->table, conn);
    tcp_conn_dial_done(conn->dial);
    link_free(conn->link);
    free(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct tcp_conn *conn = handle->data;
    conn->closed = true;
    tcp_conn_release(conn);
}

void tcp_conn_close(struct tcp_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn->state = CONN_CLOSED;
    tcp_table_wait_end(&conn->tcp->table, conn);
    tcp_table_dirty_end(&conn->tcp->table, conn);
    link_free(conn->link);
    conn->link = NULL;
    if (conn->reopen) {
        conn->reopen = false; /* its handle is closing already: on_reopen_closed goes on */
    } else {
        uv_close((uv_handle_t *)&conn->handle, on_closed);
    }
}

void tcp_conn_report(struct tcp_shared *tcp, uint64_t number, enum err err)
{
    struct engine_input *input = engine_input_link(NODE_LINK_CLOSED, number);
    if (input == NULL) {
        abort(); /* the core must hear of it: a few bytes that are not there end the process */
    }
    input->node.u.closed = err;
    engine_put(tcp->engine, input);
}

void tcp_conn_over(struct tcp_conn *conn, enum err err, bool flush)
{
    if (conn->state >= CONN_CLOSING) {
        return;
    }
    logger_log(conn->tcp->log, LOGGER_DEBUG, "link closed", "link=%llu err=%s",
               (unsigned long long)conn->number, err_name(err));
    tcp_table_forget(&conn->tcp->table, conn);
    if (conn->known) {
        conn->known = false;
        tcp_conn_report(conn->tcp, conn->number, err);
    }
    if (conn->state == CONN_RESOLVE && conn->dial != NULL && conn->dial->busy) {
        (void)uv_cancel((uv_req_t *)&conn->dial->resolve);
    }
    if (!flush || conn->link == NULL) {
        tcp_conn_close(conn);
        return;
    }
    conn->state = CONN_CLOSING;
    conn->deadline = tcp_conn_now(conn->tcp) + TCP_LINGER_MS;
    (void)uv_read_stop((uv_stream_t *)&conn->handle);
    tcp_table_wait_end(&conn->tcp->table, conn);
    tcp_table_dirty(&conn->tcp->table, conn);
}
