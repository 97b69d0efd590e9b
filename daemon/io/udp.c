/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/udp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hostenv.h"

enum {
    UDP_READ = KRPC_DATAGRAM_IN + 1, /* so that a larger one is seen to be one */
    UDP_CLOCK = 1 << 30,             /* ms that the clock begins with: 0 means never */
};

struct udp {
    struct udp_config config;
    struct env env;
    struct dht *dht;
    uv_udp_t sockets[DHT_FAMILIES];
    bool open[DHT_FAMILIES];
    uv_timer_t timer;
    bool timer_open;
    unsigned closing;
    uint8_t buffer[UDP_READ];
};

/* --- addresses --- */

static bool address_of(const struct sockaddr *sa, struct dht_address *out)
{
    *out = (struct dht_address){.port = 0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        memcpy(out->ip, &in.sin_addr, DHT_IPV4);
        out->port = ntohs(in.sin_port);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof in);
        memcpy(out->ip, &in.sin6_addr, DHT_IPV6);
        out->port = ntohs(in.sin6_port);
        out->v6 = true;
        return true;
    }
    return false;
}

static void sockaddr_of(const struct dht_address *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->v6) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in.sin6_addr, a->ip, DHT_IPV6);
        memcpy(out, &in, sizeof in);
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->ip, DHT_IPV4);
        memcpy(out, &in, sizeof in);
    }
}

/* --- in and out --- */

static void clock_read(struct udp *udp)
{
    udp->env.now_ms = UDP_CLOCK + uv_now(udp->config.uv);
}

static void on_timer(uv_timer_t *handle)
{
    struct udp *udp = handle->data;
    clock_read(udp);
    dht_tick(udp->dht, &udp->env);
    udp_flush(udp);
}

void udp_flush(struct udp *udp)
{
    struct dht_output out;
    while (dht_next_output(udp->dht, &out)) {
        if (out.kind != DHT_OUT_DATAGRAM) {
            udp->config.result(udp->config.ctx, &out);
            continue;
        }
        struct sockaddr_storage to;
        uv_buf_t buf = uv_buf_init((char *)out.bytes, (unsigned)out.len);
        unsigned f = out.to.v6 ? 1 : 0;
        sockaddr_of(&out.to, &to);
        if (udp->open[f]) {
            /* What the socket has no room for is lost, as on the way. */
            (void)uv_udp_try_send(&udp->sockets[f], &buf, 1, (const struct sockaddr *)&to);
        }
    }
    if (!udp->timer_open) {
        return;
    }
    uint64_t due = dht_deadline(udp->dht);
    uint64_t now = UDP_CLOCK + uv_now(udp->config.uv);
    if (due == UINT64_MAX) {
        (void)uv_timer_stop(&udp->timer);
    } else {
        (void)uv_timer_start(&udp->timer, on_timer, due > now ? due - now : 1, 0);
    }
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    struct udp *udp = handle->data;
    (void)wanted;
    *buf = uv_buf_init((char *)udp->buffer, sizeof udp->buffer);
}

static void on_datagram(uv_udp_t *handle, ssize_t len, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags)
{
    struct udp *udp = handle->data;
    struct dht_address address;
    if (len <= 0 || from == NULL || (flags & UV_UDP_PARTIAL) != 0 || !address_of(from, &address)) {
        return; /* nothing left to read, or an error of an earlier send */
    }
    clock_read(udp);
    dht_datagram(udp->dht, &udp->env, &address, slice_of(buf->base, (size_t)len));
    udp_flush(udp);
}

/* --- life --- */

enum err udp_new(struct udp **out, const struct udp_config *config)
{
    struct udp *udp = calloc(1, sizeof *udp);
    if (udp == NULL) {
        return ERR_NO_MEMORY;
    }
    udp->config = *config;
    udp->env = hostenv_at(0);
    clock_read(udp);
    (void)uv_timer_init(config->uv, &udp->timer); /* cannot fail */
    udp->timer.data = udp;
    udp->timer_open = true;
    *out = udp;
    return ERR_OK;
}

/* A socket of one family. rc of libuv. */
static int bind_one(struct udp *udp, unsigned f, const struct sockaddr *address)
{
    int rc = uv_udp_init(udp->config.uv, &udp->sockets[f]);
    if (rc != 0) {
        return rc;
    }
    udp->sockets[f].data = udp;
    udp->open[f] = true;
    rc = uv_udp_bind(&udp->sockets[f], address, f == 1 ? UV_UDP_IPV6ONLY : 0);
    return rc != 0 ? rc : uv_udp_recv_start(&udp->sockets[f], on_alloc, on_datagram);
}

static int port_of(const uv_udp_t *socket, uint16_t *port)
{
    struct sockaddr_storage bound;
    struct dht_address address;
    int len = sizeof bound;
    int rc = uv_udp_getsockname(socket, (struct sockaddr *)&bound, &len);
    if (rc == 0 && address_of((const struct sockaddr *)&bound, &address)) {
        *port = address.port;
    }
    return rc;
}

static void on_closed(uv_handle_t *handle)
{
    struct udp *udp = handle->data;
    udp->closing--;
}

static void close_one(struct udp *udp, unsigned f)
{
    if (udp->open[f]) {
        udp->open[f] = false;
        udp->closing++;
        uv_close((uv_handle_t *)&udp->sockets[f], on_closed);
    }
}

static enum err failed(struct udp *udp, const char *host, uint16_t port, int rc)
{
    logger_log(udp->config.log, LOGGER_ERROR, "cannot listen for the DHT",
               "host=%s port=%u reason=%s", host, (unsigned)port, uv_strerror(rc));
    return rc == UV_EADDRINUSE || rc == UV_EADDRNOTAVAIL || rc == UV_EACCES ? ERR_CONFIG : ERR_IO;
}

enum err udp_listen(struct udp *udp, const char *host, uint16_t port, uint16_t *bound)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    bool all = host[0] == '\0';
    bool is_four = uv_ip4_addr(all ? "0.0.0.0" : host, port, &four) == 0;
    bool is_six = uv_ip6_addr(all ? "::" : host, port, &six) == 0;
    int rc = is_four || is_six ? 0 : UV_EINVAL;
    *bound = port;
    if (rc == 0 && is_four) {
        rc = bind_one(udp, 0, (const struct sockaddr *)&four);
        rc = rc == 0 ? port_of(&udp->sockets[0], bound) : rc;
    }
    if (rc == 0 && is_six) {
        six.sin6_port = htons(*bound);
        rc = bind_one(udp, 1, (const struct sockaddr *)&six);
        if (rc == UV_EAFNOSUPPORT || (all && rc != 0)) {
            close_one(udp, 1); /* a machine without IPv6 */
            rc = all ? 0 : rc;
        }
        rc = rc == 0 && udp->open[1] ? port_of(&udp->sockets[1], bound) : rc;
    }
    if (rc != 0) {
        return failed(udp, host, port, rc);
    }
    struct dht_config config = {.read_only = udp->config.read_only,
                                .families = {udp->open[0], udp->open[1]}};
    clock_read(udp);
    udp->dht = dht_new(&config, &udp->env);
    if (udp->dht == NULL) {
        close_one(udp, 0);
        close_one(udp, 1);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

void udp_bootstrap(struct udp *udp, const struct sockaddr *address)
{
    struct dht_address a;
    if (address_of(address, &a)) {
        clock_read(udp);
        dht_bootstrap(udp->dht, &udp->env, &a);
        udp_flush(udp);
    }
}

struct dht *udp_dht(struct udp *udp)
{
    assert(udp->dht != NULL);
    return udp->dht;
}

const struct env *udp_env(struct udp *udp)
{
    clock_read(udp);
    return &udp->env;
}

void udp_stop(struct udp *udp)
{
    close_one(udp, 0);
    close_one(udp, 1);
    if (udp->timer_open) {
        udp->timer_open = false;
        udp->closing++;
        uv_close((uv_handle_t *)&udp->timer, on_closed);
    }
}

bool udp_idle(const struct udp *udp)
{
    return udp->closing == 0 && !udp->timer_open;
}

void udp_free(struct udp *udp)
{
    if (udp != NULL) {
        assert(udp_idle(udp));
        dht_free(udp->dht);
        free(udp);
    }
}
