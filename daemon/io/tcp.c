/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/tcp.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <sodium.h>

#include "base/secret.h"
#include "link/link.h"

enum {
    TCP_BACKLOG = 512,
    TCP_TABLE_MIN = 64, /* buckets; grows with the number of links */
};

enum conn_state {
    CONN_RESOLVE,
    CONN_CONNECT,
    CONN_OPENING,
    CONN_OPEN,
    CONN_CLOSING,
    CONN_CLOSED
};

/* What only a link that is being dialled needs. */
struct dial {
    struct tcp_conn *conn;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *addresses; /* all, to be freed */
    struct addrinfo *next;      /* not tried yet */
    struct sign_pk node_id;
    struct dh_sk link_key; /* wiped as soon as the link has it */
    uint16_t port;
    bool busy; /* a request is with libuv: the dial may not be freed */
};

struct tcp_conn {
    uv_tcp_t handle;
    struct tcp *tcp;
    struct link *link;            /* owned; NULL before the connection is made */
    struct dial *dial;            /* owned; NULL for accepted and for connected links */
    struct tcp_conn *prev, *next; /* list half or list links */
    struct tcp_conn *bucket;      /* next in its bucket of the table */
    struct tcp_conn *wait_next;   /* next in the list of those that may not read now */
    struct tcp_conn *dirty_next;  /* next in the list of those with something to send */
    uint64_t number;
    uint64_t deadline; /* of dialling, of lingering; env ms */
    enum conn_state state;
    bool known;   /* the core waits for its NODE_LINK_CLOSED */
    bool half;    /* accepted and not open yet */
    bool waiting; /* in the wait list */
    bool dirty;   /* in the dirty list */
    bool writing; /* a uv_write is under way */
    bool closed;  /* the handle is gone */
    bool reopen;  /* its handle is made anew, for the next address */
};

struct conn_list {
    struct tcp_conn *first;
    struct tcp_conn *last;
    size_t count;
};

struct tcp {
    uv_loop_t *uv;
    struct logger *log;
    struct engine *engine;
    uv_tcp_t listener;
    bool listening;
    bool started;
    bool stopping;
    struct sign_pk node_id;
    struct dh_sk *static_key; /* secret_new; the responder's */
    struct conn_list half;    /* accepted, not open, oldest first */
    struct conn_list links;   /* all others */
    struct tcp_conn **table;  /* by number */
    size_t table_size;        /* a power of two */
    size_t table_used;
    struct tcp_conn *wait_first, *wait_last;
    struct tcp_conn *dirty_first;
    size_t max_links;
    uint64_t next_number; /* of accepted links */
    unsigned budget;      /* handshake messages that this pass may still answer */
    uint64_t wall_start;  /* Unix ms at start */
    uint64_t uv_start;
    uint8_t buffer[TCP_READ];
};

static void conn_over(struct tcp_conn *conn, enum err err, bool flush);
static void conn_flush(struct tcp_conn *conn);

/* Unix ms that never step back while the process lives. */
static uint64_t tcp_now(const struct tcp *tcp)
{
    return tcp->wall_start + (uv_now(tcp->uv) - tcp->uv_start);
}

static void env_fill(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

static struct env tcp_env(const struct tcp *tcp)
{
    return (struct env){.now_ms = tcp_now(tcp), .random = env_fill};
}

/* --- lists and table --- */

static struct conn_list *list_of(struct tcp_conn *conn)
{
    return conn->half ? &conn->tcp->half : &conn->tcp->links;
}

static void list_add(struct tcp_conn *conn)
{
    struct conn_list *l = list_of(conn);
    conn->next = NULL;
    conn->prev = l->last;
    if (l->last != NULL) {
        l->last->next = conn;
    } else {
        l->first = conn;
    }
    l->last = conn;
    l->count++;
}

static void list_remove(struct tcp_conn *conn)
{
    struct conn_list *l = list_of(conn);
    if (conn->prev != NULL) {
        conn->prev->next = conn->next;
    } else {
        l->first = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->prev = conn->prev;
    } else {
        l->last = conn->prev;
    }
    l->count--;
}

static size_t table_bucket(const struct tcp *tcp, uint64_t number)
{
    return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (tcp->table_size - 1);
}

static struct tcp_conn *table_find(const struct tcp *tcp, uint64_t number)
{
    struct tcp_conn *c = tcp->table[table_bucket(tcp, number)];
    while (c != NULL && c->number != number) {
        c = c->bucket;
    }
    return c;
}

/* Doubles the table; a failure only makes it slower. */
static void table_grow(struct tcp *tcp)
{
    size_t old_size = tcp->table_size;
    struct tcp_conn **old = tcp->table;
    struct tcp_conn **table = calloc(old_size * 2, sizeof(struct tcp_conn *));
    if (table == NULL) {
        return;
    }
    tcp->table = table;
    tcp->table_size = old_size * 2;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct tcp_conn *c = old[i];
            old[i] = c->bucket;
            size_t b = table_bucket(tcp, c->number);
            c->bucket = table[b];
            table[b] = c;
        }
    }
    free(old);
}

static void table_add(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    if (tcp->table_used >= tcp->table_size) {
        table_grow(tcp);
    }
    size_t b = table_bucket(tcp, conn->number);
    conn->bucket = tcp->table[b];
    tcp->table[b] = conn;
    tcp->table_used++;
}

static void table_remove(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    struct tcp_conn **at = &tcp->table[table_bucket(tcp, conn->number)];
    while (*at != NULL && *at != conn) {
        at = &(*at)->bucket;
    }
    if (*at == conn) {
        *at = conn->bucket;
        tcp->table_used--;
    }
}

static void wait_add(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    if (conn->waiting) {
        return;
    }
    conn->waiting = true;
    conn->wait_next = NULL;
    if (tcp->wait_last != NULL) {
        tcp->wait_last->wait_next = conn;
    } else {
        tcp->wait_first = conn;
    }
    tcp->wait_last = conn;
}

/* Takes conn out of a singly linked list that it may be anywhere in; rare. */
static void wait_remove(struct tcp_conn *conn)
{
    struct tcp *tcp = conn->tcp;
    struct tcp_conn *before = NULL;
    if (!conn->waiting) {
        return;
    }
    for (struct tcp_conn *c = tcp->wait_first; c != conn; c = c->wait_next) {
        before = c;
    }
    if (before != NULL) {
        before->wait_next = conn->wait_next;
    } else {
        tcp->wait_first = conn->wait_next;
    }
    if (tcp->wait_last == conn) {
        tcp->wait_last = before;
    }
    conn->waiting = false;
}

static void dirty_add(struct tcp_conn *conn)
{
    if (!conn->dirty) {
        conn->dirty = true;
        conn->dirty_next = conn->tcp->dirty_first;
        conn->tcp->dirty_first = conn;
    }
}

static void dirty_remove(struct tcp_conn *conn)
{
    struct tcp_conn **at = &conn->tcp->dirty_first;
    while (conn->dirty && *at != NULL) {
        if (*at == conn) {
            *at = conn->dirty_next;
            conn->dirty = false;
            return;
        }
        at = &(*at)->dirty_next;
    }
}

/* --- the end of a connection --- */

static void dial_free(struct dial *dial)
{
    if (dial != NULL) {
        if (dial->addresses != NULL) {
            uv_freeaddrinfo(dial->addresses);
        }
        secret_wipe(dial, sizeof *dial);
        free(dial);
    }
}

/* Frees conn when neither its handle nor a request needs it any more. */
static void conn_release(struct tcp_conn *conn)
{
    if (!conn->closed || (conn->dial != NULL && conn->dial->busy)) {
        return;
    }
    list_remove(conn);
    dial_free(conn->dial);
    link_free(conn->link);
    free(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct tcp_conn *conn = handle->data;
    conn->closed = true;
    conn_release(conn);
}

/* Closes the handle; nothing more is sent. */
static void conn_close(struct tcp_conn *conn)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    conn->state = CONN_CLOSED;
    wait_remove(conn);
    dirty_remove(conn);
    link_free(conn->link);
    conn->link = NULL;
    if (conn->reopen) {
        conn->reopen = false; /* its handle is closing already: on_reopen_closed goes on */
    } else {
        uv_close((uv_handle_t *)&conn->handle, on_closed);
    }
}

/* Tells the core, once, that a link it knows of is no more. */
static void conn_report(struct tcp_conn *conn, enum err err)
{
    if (!conn->known) {
        return;
    }
    conn->known = false;
    struct engine_input *input = engine_input_link(NODE_LINK_CLOSED, conn->number);
    if (input == NULL) {
        abort(); /* the core must hear of it: a few bytes that are not there end the process */
    }
    input->node.u.closed = err;
    engine_put(conn->tcp->engine, input);
}

/* The connection is over. flush: what is left to send is sent first, for a moment. */
static void conn_over(struct tcp_conn *conn, enum err err, bool flush)
{
    if (conn->state >= CONN_CLOSING) {
        return;
    }
    logger_log(conn->tcp->log, LOGGER_DEBUG, "link closed", "link=%llu err=%s",
               (unsigned long long)conn->number, err_name(err));
    table_remove(conn);
    conn_report(conn, err);
    if (conn->state == CONN_RESOLVE && conn->dial != NULL && conn->dial->busy) {
        (void)uv_cancel((uv_req_t *)&conn->dial->resolve);
    }
    if (!flush || conn->link == NULL) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_CLOSING;
    conn->deadline = tcp_now(conn->tcp) + TCP_LINGER_MS;
    (void)uv_read_stop((uv_stream_t *)&conn->handle);
    wait_remove(conn);
    dirty_add(conn);
}

/* --- sending --- */

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
        conn_over(conn, ERR_LINK_CLOSED, false);
        conn_close(conn);
    } else if (conn->state != CONN_CLOSED) {
        conn_flush(conn);
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

static void conn_flush(struct tcp_conn *conn)
{
    assert(conn->link != NULL);
    struct slice out = link_output(conn->link);
    while (!conn->writing && out.len > 0) {
        if (write_now(conn, out) < 0) {
            conn_over(conn, ERR_LINK_CLOSED, false);
            conn_close(conn);
            return;
        }
        out = link_output(conn->link);
    }
    if (out.len > TCP_UNSENT_MAX) {
        logger_log(conn->tcp->log, LOGGER_WARN, "peer does not read", "unsent=%zu", out.len);
        conn_over(conn, ERR_TIMEOUT, false);
        conn_close(conn);
    } else if (conn->state == CONN_CLOSING && out.len == 0 && !conn->writing) {
        conn_close(conn);
    }
}

void tcp_flush(struct tcp *tcp)
{
    while (tcp->dirty_first != NULL) {
        struct tcp_conn *conn = tcp->dirty_first;
        tcp->dirty_first = conn->dirty_next;
        conn->dirty = false;
        conn_flush(conn);
    }
}

/* --- receiving --- */

static void conn_opened(struct tcp_conn *conn)
{
    struct engine_input *input = engine_input_link(NODE_LINK_OPENED, conn->number);
    if (input == NULL) {
        conn_over(conn, ERR_NO_MEMORY, false);
        return;
    }
    input->node.u.opened.initiator = !conn->half;
    memcpy(input->node.u.opened.handshake_hash, link_hash(conn->link), LINK_HASH);
    input->node.u.opened.remote_static = link_remote_static(conn->link);
    if (conn->half) {
        list_remove(conn);
        conn->half = false;
        list_add(conn);
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
        conn_over(conn, ERR_NO_MEMORY, false);
        return;
    }
    engine_put(conn->tcp->engine, input);
}

/* Takes out of the link all that it has to say. */
static void conn_drain(struct tcp_conn *conn)
{
    struct env env = tcp_env(conn->tcp);
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
            conn_over(conn, link_error(conn->link), true);
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
    struct tcp *tcp = conn->tcp;
    if (n == UV_ENOBUFS) {
        (void)uv_read_stop(stream);
        wait_add(conn);
        return;
    }
    if (n < 0) {
        conn_over(conn, conn->state == CONN_OPENING ? ERR_HANDSHAKE : ERR_LINK_CLOSED, false);
        return;
    }
    if (n == 0 || conn->state >= CONN_CLOSING) {
        return;
    }
    struct env env = tcp_env(tcp);
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
        dirty_add(conn);
    }
}

static void conn_read_start(struct tcp_conn *conn)
{
    if (uv_read_start((uv_stream_t *)&conn->handle, on_alloc, on_read) < 0) {
        conn_over(conn, ERR_LINK_CLOSED, false);
    }
}

void tcp_pass(struct tcp *tcp)
{
    tcp->budget = LIMIT_HANDSHAKES_PER_PASS;
    if (tcp->wait_first == NULL || engine_full(tcp->engine)) {
        return;
    }
    /* In order of arrival; of those in a handshake no more than can be served. */
    unsigned opening = 0;
    struct tcp_conn *c = tcp->wait_first;
    struct tcp_conn *keep_first = NULL;
    struct tcp_conn *keep_last = NULL;
    tcp->wait_first = tcp->wait_last = NULL;
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
            conn_read_start(c);
        }
        c = next;
    }
    tcp->wait_first = keep_first;
    tcp->wait_last = keep_last;
}

/* --- accepting --- */

static struct tcp_conn *conn_new(struct tcp *tcp)
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

/* Starts the handshake on a connected socket. */
static void conn_start(struct tcp_conn *conn, const struct link_config *config)
{
    struct env env = tcp_env(conn->tcp);
    enum err err = link_new(&conn->link, config, &env);
    if (err != ERR_OK) {
        conn_over(conn, err, false);
        return;
    }
    conn->state = CONN_OPENING;
    (void)uv_tcp_nodelay(&conn->handle, 1);
    conn_read_start(conn);
    if (conn->link != NULL && link_output(conn->link).len > 0) {
        dirty_add(conn);
    }
}

static void accept_one(struct tcp *tcp)
{
    struct tcp_conn *conn = conn_new(tcp);
    if (conn == NULL) {
        return;
    }
    conn->half = true;
    conn->state = CONN_OPENING;
    conn->number = tcp->next_number++;
    list_add(conn);
    table_add(conn);
    bool refused = uv_accept((uv_stream_t *)&tcp->listener, (uv_stream_t *)&conn->handle) < 0 ||
                   tcp->half.count + tcp->links.count > tcp->max_links || tcp->stopping;
    if (refused) {
        logger_log(tcp->log, LOGGER_WARN, "link refused", "links=%zu", tcp->links.count);
        conn_over(conn, ERR_REFUSED, false);
        return;
    }
    struct link_config config = {
        .initiator = false, .static_key = *tcp->static_key, .node_id = tcp->node_id};
    conn_start(conn, &config);
    secret_wipe(&config, sizeof config);
}

/* The oldest handshake makes room: one that is honest is over within a round trip. */
static void half_open_limit(struct tcp *tcp)
{
    struct tcp_conn *oldest = NULL;
    size_t live = 0;
    for (struct tcp_conn *c = tcp->half.last; c != NULL; c = c->prev) {
        if (c->state < CONN_CLOSING) {
            oldest = c;
            live++;
        }
    }
    if (oldest != NULL && live >= LIMIT_HALF_OPEN) {
        logger_log(tcp->log, LOGGER_WARN, "too many handshakes: the oldest is closed", "limit=%d",
                   (int)LIMIT_HALF_OPEN);
        conn_over(oldest, ERR_TIMEOUT, false);
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

/* --- dialling --- */

static void dial_next(struct tcp_conn *conn);

static void on_reopen_closed(uv_handle_t *handle)
{
    struct tcp_conn *conn = handle->data;
    if (conn->state == CONN_CLOSED || uv_tcp_init(conn->tcp->uv, &conn->handle) < 0) {
        if (conn->state != CONN_CLOSED) {
            conn_over(conn, ERR_NO_MEMORY, false);
        }
        conn->closed = true;
        conn_release(conn);
        return;
    }
    conn->handle.data = conn;
    conn->reopen = false;
    dial_next(conn);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct tcp_conn *conn = req->data;
    struct dial *dial = conn->dial;
    dial->busy = false;
    if (conn->state == CONN_CLOSED) {
        conn_release(conn);
        return;
    }
    if (status == 0) {
        struct link_config config = {
            .initiator = true, .static_key = dial->link_key, .node_id = dial->node_id};
        conn_start(conn, &config);
        secret_wipe(&config, sizeof config);
        dial_free(dial);
        conn->dial = NULL;
    } else if (dial->next != NULL) {
        conn->reopen = true; /* a socket connects once */
        uv_close((uv_handle_t *)&conn->handle, on_reopen_closed);
    } else {
        conn_over(conn, status == UV_ETIMEDOUT ? ERR_TIMEOUT : ERR_UNREACHABLE, false);
    }
}

/* Tries the next address. */
static void dial_next(struct tcp_conn *conn)
{
    struct dial *dial = conn->dial;
    while (dial->next != NULL) {
        struct addrinfo *a = dial->next;
        dial->next = a->ai_next;
        dial->connect.data = conn;
        if (uv_tcp_connect(&dial->connect, &conn->handle, a->ai_addr, on_connected) == 0) {
            dial->busy = true;
            conn->state = CONN_CONNECT;
            return;
        }
    }
    conn_over(conn, ERR_UNREACHABLE, false);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct tcp_conn *conn = req->data;
    struct dial *dial = conn->dial;
    dial->busy = false;
    dial->addresses = res;
    if (conn->state == CONN_CLOSED) {
        conn_release(conn);
        return;
    }
    if (status < 0) {
        conn_over(conn, ERR_UNREACHABLE, false);
        return;
    }
    dial->next = res;
    dial_next(conn);
}

static enum err dial_start(struct tcp_conn *conn, const struct node_output *o)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    char service[8];
    struct dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) {
        return ERR_NO_MEMORY;
    }
    conn->dial = dial;
    dial->conn = conn;
    dial->node_id = o->connect.node_id;
    dial->link_key = o->connect.link_key;
    dial->resolve.data = conn;
    snprintf(service, sizeof service, "%u", (unsigned)o->connect.port);
    int rc = uv_getaddrinfo(conn->tcp->uv, &dial->resolve, on_resolved, o->connect.host, service,
                            &hints);
    dial->busy = rc == 0;
    return rc == 0 ? ERR_OK : ERR_UNREACHABLE;
}

static void report_failed_dial(struct tcp *tcp, uint64_t number, enum err err)
{
    struct engine_input *input = engine_input_link(NODE_LINK_CLOSED, number);
    if (input == NULL) {
        abort(); /* as in conn_report */
    }
    input->node.u.closed = err;
    engine_put(tcp->engine, input);
}

static void tcp_connect(struct tcp *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = NULL;
    if (!tcp->stopping && tcp->half.count + tcp->links.count < tcp->max_links) {
        conn = conn_new(tcp);
    }
    if (conn == NULL) {
        report_failed_dial(tcp, o->link, ERR_BACKPRESSURE);
        return;
    }
    conn->number = o->link;
    conn->known = true;
    conn->state = CONN_RESOLVE;
    conn->deadline = tcp_now(tcp) + LIMIT_HANDSHAKE_MS;
    list_add(conn);
    table_add(conn);
    enum err err = dial_start(conn, o);
    if (err != ERR_OK) {
        conn_over(conn, err, false);
    }
}

/* --- what the core wants --- */

static void tcp_send(struct tcp *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = table_find(tcp, o->link);
    if (conn == NULL || conn->state != CONN_OPEN) {
        return; /* closed meanwhile: the core hears of it */
    }
    enum err err = link_send(conn->link, slice_of(o->data, o->len));
    if (err != ERR_OK) {
        conn_over(conn, err, false);
        return;
    }
    dirty_add(conn);
}

static void tcp_close(struct tcp *tcp, const struct node_output *o)
{
    struct tcp_conn *conn = table_find(tcp, o->link);
    if (conn == NULL) {
        return;
    }
    if (conn->link != NULL) {
        link_close(conn->link, o->err);
    }
    conn_over(conn, o->err, true);
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
        break;
    }
}

/* Ends one link for a reason of ours, with a BYE when there is somebody to tell. */
static void conn_bye(struct tcp_conn *conn, enum err reason)
{
    bool told = conn->state == CONN_OPEN;
    if (told) {
        link_close(conn->link, reason);
    }
    conn_over(conn, reason, told);
}

void tcp_close_all(struct tcp *tcp, enum err reason)
{
    struct conn_list *lists[] = {&tcp->half, &tcp->links};
    for (size_t i = 0; i < 2; i++) {
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = c->next) {
            c->known = false;
            conn_bye(c, reason);
        }
    }
}

/* --- time --- */

static void conn_tick(struct tcp_conn *conn, uint64_t now)
{
    switch (conn->state) {
    case CONN_RESOLVE:
    case CONN_CONNECT:
        if (now >= conn->deadline) {
            conn_over(conn, ERR_TIMEOUT, false);
        }
        break;
    case CONN_CLOSING:
        if (now >= conn->deadline) {
            conn_close(conn);
        }
        break;
    case CONN_OPENING:
    case CONN_OPEN:
        if (link_deadline(conn->link) <= now) {
            struct env env = tcp_env(conn->tcp);
            link_tick(conn->link, &env);
            conn_drain(conn);
            if (conn->state != CONN_CLOSED) {
                dirty_add(conn);
            }
        }
        break;
    case CONN_CLOSED:
        break;
    }
}

void tcp_tick(struct tcp *tcp)
{
    struct conn_list *lists[] = {&tcp->half, &tcp->links};
    uint64_t now = tcp_now(tcp);
    for (size_t i = 0; i < 2; i++) {
        struct tcp_conn *next = NULL;
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = next) {
            next = c->next; /* freed in close callbacks only, never here */
            conn_tick(c, now);
        }
    }
    tcp_flush(tcp);
}

/* --- start and end --- */

enum err tcp_new(struct tcp **out, uv_loop_t *uv, struct logger *log)
{
    struct tcp *tcp = calloc(1, sizeof *tcp);
    struct rlimit files;
    if (tcp == NULL) {
        return ERR_NO_MEMORY;
    }
    tcp->table_size = TCP_TABLE_MIN;
    tcp->table = calloc(TCP_TABLE_MIN, sizeof(struct tcp_conn *));
    tcp->static_key = secret_new(sizeof *tcp->static_key);
    if (tcp->table == NULL || tcp->static_key == NULL) {
        tcp_free(tcp);
        return ERR_NO_MEMORY;
    }
    uv_timeval64_t wall;
    (void)uv_gettimeofday(&wall);
    tcp->uv = uv;
    tcp->log = log;
    tcp->wall_start = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_usec / 1000;
    tcp->uv_start = uv_now(uv);
    tcp->next_number = 1;
    tcp->max_links = 1024 - TCP_RESERVED_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > 2 * TCP_RESERVED_FILES) {
        tcp->max_links = (size_t)files.rlim_cur - TCP_RESERVED_FILES;
    }
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

enum err tcp_listen(struct tcp *tcp, const char *host, uint16_t port, uint16_t *bound)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *res = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(host, service, &hints, &res) != 0) {
        return ERR_UNREACHABLE;
    }
    int rc = uv_tcp_init(tcp->uv, &tcp->listener);
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
    if (rc != 0) {
        logger_log(tcp->log, LOGGER_ERROR, "cannot listen", "reason=%s", uv_err_name(rc));
        return ERR_UNREACHABLE;
    }
    return ERR_OK;
}

void tcp_start(struct tcp *tcp, struct engine *engine)
{
    struct sign_sk sk;
    engine_identity(engine, &tcp->node_id, &sk);
    prim_sign_sk_to_dh(tcp->static_key, &sk);
    secret_wipe(&sk, sizeof sk);
    tcp->engine = engine;
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
    return tcp->half.count + tcp->links.count == 0;
}

void tcp_abort(struct tcp *tcp)
{
    struct conn_list *lists[] = {&tcp->half, &tcp->links};
    for (size_t i = 0; i < 2; i++) {
        for (struct tcp_conn *c = lists[i]->first; c != NULL; c = c->next) {
            conn_close(c);
        }
    }
}

void tcp_free(struct tcp *tcp)
{
    if (tcp != NULL) {
        assert(tcp_idle(tcp));
        secret_free(tcp->static_key);
        free(tcp->table);
        free(tcp);
    }
}
