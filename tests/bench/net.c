/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "bench/rig.h"

enum {
    NET_HALF_OPEN = 64, /* handshakes at one time */
    NET_EVENTS = 128,
    NET_READ = 65536,
    NET_WAIT_MS = 10000, /* a server may leave so long unread what was sent */
};

struct net {
    struct net_config config;
    int epoll;
    size_t open;
    struct net_conn *conns;
    uint8_t buffer[NET_READ];
};

static void send_bytes(struct net_conn *conn, struct slice bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = send(conn->fd, bytes.p + done, bytes.len - done, MSG_DONTWAIT);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        struct pollfd p = {.fd = conn->fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&p, 1, NET_WAIT_MS) != 1) {
            rig_die("connection %zu: cannot send: %s", conn->number, strerror(errno));
        }
    }
}

static void flush(struct net_conn *conn)
{
    struct slice out = link_output(conn->link);
    if (out.len > 0) {
        send_bytes(conn, out);
        link_output_done(conn->link, out.len);
    }
}

void net_send(struct net_conn *conn, struct slice data)
{
    if (conn->link == NULL) {
        send_bytes(conn, data);
        return;
    }
    if (link_send(conn->link, data) != ERR_OK) {
        rig_die("link %zu: cannot send", conn->number);
    }
    flush(conn);
}

void net_send_frame(struct net_conn *conn, uint8_t kind, uint32_t id, struct slice body)
{
    uint8_t bytes[4096];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct frame frame = {.kind = kind, .id = id, .body = body};
    frame_write(&w, &frame);
    net_send(conn, writer_done(&w));
}

static void opened(struct net_conn *conn)
{
    conn->open = true;
    conn->net->open++;
    if (conn->net->config.on_open != NULL) {
        conn->net->config.on_open(conn->net->config.ctx, conn);
    }
}

static void drain(struct net_conn *conn, const struct env *env)
{
    struct slice frame;
    for (;;) {
        switch (link_next(conn->link, env, &frame)) {
        case LINK_NOTHING:
            return;
        case LINK_OPENED:
            opened(conn);
            break;
        case LINK_FRAME:
            conn->net->config.on_data(conn->net->config.ctx, conn, frame);
            break;
        case LINK_CLOSED:
            rig_die("link %zu was closed: %s", conn->number, err_name(link_error(conn->link)));
        }
    }
}

static void readable(struct net_conn *conn, const struct env *env)
{
    struct net *net = conn->net;
    ssize_t n = recv(conn->fd, net->buffer, sizeof net->buffer, MSG_DONTWAIT);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        rig_die("connection %zu was closed", conn->number);
    }
    struct slice bytes = slice_of(net->buffer, (size_t)n);
    if (conn->link == NULL) {
        net->config.on_data(net->config.ctx, conn, bytes);
        return;
    }
    link_receive(conn->link, env, bytes);
    drain(conn, env);
    flush(conn);
}

void net_poll(struct net *net, unsigned timeout_ms)
{
    struct epoll_event events[NET_EVENTS];
    int n = epoll_wait(net->epoll, events, NET_EVENTS, (int)timeout_ms);
    struct env env = rig_env();
    for (int i = 0; i < n; i++) {
        readable(events[i].data.ptr, &env);
    }
}

static void start_link(struct net_conn *conn)
{
    struct env env = rig_env();
    struct link_config config = {.initiator = true, .node_id = *conn->net->config.node};
    randombytes_buf(config.static_key.b, sizeof config.static_key.b);
    if (link_new(&conn->link, &config, &env) != ERR_OK) {
        rig_die("link %zu cannot be made", conn->number);
    }
    flush(conn);
}

static void start(struct net_conn *conn)
{
    struct net *net = conn->net;
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons(net->config.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    int one = 1;
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (const struct sockaddr *)&a, sizeof a) != 0 ||
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        epoll_ctl(net->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        rig_die("connection %zu: %s", conn->number, strerror(errno));
    }
    if (net->config.node != NULL) {
        start_link(conn);
    } else {
        opened(conn);
    }
}

struct net *net_open(const struct net_config *config)
{
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        rig_die("no memory");
    }
    net->config = *config;
    net->conns = calloc(config->count, sizeof *net->conns);
    net->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (net->conns == NULL || net->epoll < 0) {
        rig_die("no memory");
    }
    size_t started = 0;
    size_t last = 0;
    uint64_t moved = rig_ns(); /* when another one was open */
    while (net->open < config->count) {
        if (net->open > last) {
            last = net->open;
            moved = rig_ns();
        } else if (rig_ns() - moved > RIG_REPLY_S * UINT64_C(1000000000)) {
            rig_die("only %zu of %zu connections are open", net->open, config->count);
        }
        while (started < config->count && started - net->open < NET_HALF_OPEN) {
            struct net_conn *conn = &net->conns[started];
            conn->net = net;
            conn->number = started++;
            start(conn);
        }
        net_poll(net, 100);
    }
    return net;
}

void net_close(struct net *net)
{
    for (size_t i = 0; i < net->config.count; i++) {
        close(net->conns[i].fd);
        link_free(net->conns[i].link);
    }
    close(net->epoll);
    free(net->conns);
    free(net);
}

struct net_conn *net_conn_at(struct net *net, size_t number)
{
    return &net->conns[number];
}
