/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp_proxy.h"

#include <string.h>

#include "base/hex.h"
#include "base/secret.h"

bool tcp_proxy_is_set(const struct tcp_shared *tcp)
{
    return tcp->proxy.host[0] != '\0';
}

/* Says, once, that the proxy does not do its work, or that it does again. */
static void proxy_note(struct tcp_shared *tcp, bool failed)
{
    if (failed && !tcp->proxy_failed) {
        logger_log(tcp->log, LOGGER_WARN, "the proxy does not do its work",
                   "host=%s port=%u reason=\"look at proxy in petreld.conf\"", tcp->proxy.host,
                   (unsigned)tcp->proxy.port);
    } else if (!failed && tcp->proxy_failed) {
        logger_log(tcp->log, LOGGER_INFO, "the proxy works again", "%s", "");
    }
    tcp->proxy_failed = failed;
}

/* What it says when it was asked to connect is of that one place, as long as it says something. */
void tcp_proxy_over(struct tcp_conn *conn, enum err err)
{
    bool works = conn->dial->socks.works;
    if (works || err == ERR_PROXY) {
        proxy_note(conn->tcp, !works);
    }
    tcp_conn_over(conn, err, false);
}

void tcp_proxy_late(struct tcp_conn *conn)
{
    bool asked = conn->dial->socks.state == SOCKS_CONNECT;
    tcp_proxy_over(conn, asked ? ERR_TIMEOUT : ERR_PROXY);
}

static void on_proxy_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct tcp_conn *conn = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)conn->tcp->buffer, TCP_READ);
}

static void proxy_write(struct tcp_conn *conn);

static void on_proxy_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct tcp_conn *conn = stream->data;
    if (n == 0) {
        return;
    }
    if (n < 0) {
        tcp_proxy_over(conn, ERR_PROXY);
        return;
    }
    (void)uv_read_stop(stream);
    struct socks *socks = &conn->dial->socks;
    switch (socks_receive(socks, slice_of(buf->base, (size_t)n))) {
    case SOCKS_DONE:
        proxy_note(conn->tcp, false);
        conn->dial->made(conn);
        break;
    case SOCKS_FAILED:
        tcp_proxy_over(conn, socks->err);
        break;
    case SOCKS_METHOD:
    case SOCKS_USER:
    case SOCKS_CONNECT:
        proxy_write(conn);
        break;
    }
}

static void proxy_read(struct tcp_conn *conn)
{
    if (uv_read_start((uv_stream_t *)&conn->handle, on_proxy_alloc, on_proxy_read) < 0) {
        tcp_proxy_over(conn, ERR_PROXY);
    }
}

static void on_proxy_written(uv_write_t *req, int status)
{
    struct tcp_conn *conn = req->data;
    conn->dial->busy = false;
    if (conn->state == CONN_CLOSED) {
        tcp_conn_release(conn);
    } else if (status < 0) {
        tcp_proxy_over(conn, ERR_PROXY);
    } else {
        proxy_read(conn);
    }
}

/* What there is to say, then the answer; or the rest of an answer. */
static void proxy_write(struct tcp_conn *conn)
{
    struct tcp_dial *dial = conn->dial;
    struct slice out = socks_output(&dial->socks);
    if (out.len == 0) {
        proxy_read(conn);
        return;
    }
    uv_buf_t buf = uv_buf_init(NULL, (unsigned)out.len);
    memcpy(&buf.base, &out.p, sizeof buf.base); /* libuv does not write to it */
    dial->write.data = conn;
    dial->busy =
        uv_write(&dial->write, (uv_stream_t *)&conn->handle, &buf, 1, on_proxy_written) == 0;
    if (!dial->busy) {
        tcp_proxy_over(conn, ERR_PROXY);
    }
}

void tcp_proxy_connected(struct tcp_conn *conn, int status, void (*made)(struct tcp_conn *conn))
{
    conn->dial->made = made;
    if (status == 0) {
        proxy_write(conn);
    } else {
        tcp_proxy_over(conn, ERR_PROXY);
    }
}

/* Words that no other link has. */
static void any_user(struct tcp_shared *tcp, struct socks_user *user)
{
    uint8_t random[LIMIT_PROXY_WORD]; /* half for each */
    struct env env = tcp_conn_env(tcp);
    env_random(&env, random, sizeof random);
    hex_encode(random, LIMIT_PROXY_WORD / 2, user->name);
    hex_encode(random + LIMIT_PROXY_WORD / 2, LIMIT_PROXY_WORD / 2, user->password);
    secret_wipe(random, sizeof random);
}

void tcp_proxy_prepare(struct tcp_conn *conn, const char *host, uint16_t port)
{
    struct socks_user user = conn->tcp->proxy.user;
    if (user.name[0] == '\0') {
        any_user(conn->tcp, &user);
    }
    socks_begin(&conn->dial->socks, host, port, &user);
    secret_wipe(&user, sizeof user);
}
