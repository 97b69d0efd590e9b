/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_write.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "link/link.h"

struct write_block {
    uv_write_t req;
    struct tcp_conn *conn;
    uint8_t bytes[];
};

static void on_written(uv_write_t *req, int status)
{
    struct write_block *block = req->data;
    struct tcp_conn *conn = block->conn;
    free(block);
    conn->writing = false;
    if (status < 0) {
        tcp_conn_over(conn, ERR_LINK_CLOSED, false);
        tcp_conn_close(conn);
    } else if (conn->state != CONN_CLOSED) {
        tcp_write_flush(conn);
    }
}

/* Hands a copy of the next bytes to libuv, which writes them when the socket takes them. */
static int write_later(struct tcp_conn *conn, struct slice out)
{
    size_t len = out.len < TCP_WRITE ? out.len : TCP_WRITE;
    struct write_block *block = malloc(sizeof *block + len);
    if (block == NULL) {
        return UV_ENOMEM;
    }
    memcpy(block->bytes, out.p, len);
    block->conn = conn;
    block->req.data = block;
    uv_buf_t buf = uv_buf_init((char *)block->bytes, (unsigned)len);
    int rc = uv_write(&block->req, (uv_stream_t *)&conn->handle, &buf, 1, on_written);
    if (rc < 0) {
        free(block);
        return rc;
    }
    conn->writing = true;
    link_output_done(conn->link, len);
    return 0;
}

static int write_now(struct tcp_conn *conn, struct slice out)
{
    uv_buf_t buf = uv_buf_init(NULL, (unsigned)(out.len < INT32_MAX ? out.len : INT32_MAX));
    memcpy(&buf.base, &out.p, sizeof buf.base); /* libuv does not write to it */
    int n = uv_try_write((uv_stream_t *)&conn->handle, &buf, 1);
    if (n > 0) {
        link_output_done(conn->link, (size_t)n);
        return 0;
    }
    return n == UV_EAGAIN || n == 0 ? write_later(conn, out) : n;
}

void tcp_write_flush(struct tcp_conn *conn)
{
    assert(conn->link != NULL);
    struct slice out = link_output(conn->link);
    while (!conn->writing && out.len > 0) {
        if (write_now(conn, out) < 0) {
            tcp_conn_over(conn, ERR_LINK_CLOSED, false);
            tcp_conn_close(conn);
            return;
        }
        out = link_output(conn->link);
    }
    if (out.len > TCP_UNSENT_MAX) {
        logger_log(conn->tcp->log, LOGGER_WARN, "peer does not read", "unsent=%zu", out.len);
        tcp_conn_over(conn, ERR_TIMEOUT, false);
        tcp_conn_close(conn);
    } else if (conn->state == CONN_CLOSING && out.len == 0 && !conn->writing) {
        tcp_conn_close(conn);
    }
}
