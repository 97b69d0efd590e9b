/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bench/call.h"
#include "bench/net.h"
#include "bench/queues.h"
#include "bench/rig.h"
#include "bench/rounds.h"
#include "node/address.h"
#include "relay/queue.h"

enum {
    FRAME_ROOM = 1280,          /* more than an encoded deposit of the smallest class */
    PREPARE_PER_S = 1000,       /* deposits of one client that are made for each second */
    PREPARE_PER_S_ALONE = 8000, /* the same, where it is the only one */
    DRAIN_S = 60,
    CREDIT_AT = LIMIT_LINK_CREDIT / 2,
};

struct frame_bytes {
    uint16_t len;
    uint8_t bytes[FRAME_ROOM];
};

struct writer_client {
    struct frame_bytes *frames; /* owned */
    size_t count;
    size_t next;
    bool busy;
};

struct reader_client {
    uint64_t pushed; /* number of the newest push */
    uint64_t acked;  /* and of the newest acknowledgement that was answered */
    uint64_t asked;  /* that is unanswered; 0: none */
    uint32_t credit; /* pushes since the last grant */
    bool attached;
};

struct petrel {
    struct rig_daemon daemon;
    struct sign_pk node;
    uint16_t port;
    struct bench_queue *queues;
    struct net *net;
    struct writer_client writers[ROUND_CLIENTS];
    struct reader_client readers[ROUND_CLIENTS];
    uint64_t end;      /* ns: nobody sends after that */
    uint64_t done;     /* replies in this round */
    size_t busy;       /* clients that wait for a reply */
    uint64_t waiting;  /* envelopes that are to be drained */
    size_t attached;   /* readers */
    uint64_t received; /* envelopes acknowledged durably */
};

/* --- deposit --- */

static void send_next(struct petrel *p, struct net_conn *conn)
{
    struct writer_client *w = &p->writers[conn->number];
    bool more = w->next < w->count && rig_ns() < p->end;
    p->busy -= w->busy ? 1 : 0;
    p->busy += more ? 1 : 0;
    w->busy = more;
    if (more) {
        const struct frame_bytes *f = &w->frames[w->next++];
        net_send(conn, slice_of(f->bytes, f->len));
    }
}

static void on_writer(void *ctx, struct net_conn *conn, struct slice data)
{
    struct petrel *p = ctx;
    struct frame frame;
    struct queue_deposit_reply reply;
    if (frame_read(data, &frame) != ERR_OK) {
        rig_die("the relay sent no frame");
    }
    if (frame.kind == FRAME_CREDIT) {
        return;
    }
    if (frame.kind != FRAME_QUEUE_DEPOSIT + FRAME_REPLY ||
        queue_deposit_reply_read(frame.body, &reply) != ERR_OK) {
        rig_die("the relay sent a frame of kind %u", frame.kind);
    }
    if (reply.head.err != ERR_OK || reply.outcome != QUEUE_STORED) {
        rig_die("deposit refused: %s", err_name(reply.head.err));
    }
    p->done++;
    send_next(p, conn);
}

static void make_frame(struct bench_queue *q, uint32_t id, struct frame_bytes *out)
{
    uint8_t envelope[ROUND_PAYLOAD];
    uint8_t body[FRAME_ROOM];
    struct queue_deposit d = {
        .queue = q->pk, .lifetime = 3, .envelope = slice_of(envelope, sizeof envelope)};
    randombytes_buf(envelope, sizeof envelope);
    d.admission.token = queues_token(q);
    struct writer w = writer_of(body, sizeof body);
    queue_deposit_write(&w, &d);
    struct frame frame = {.kind = FRAME_QUEUE_DEPOSIT, .id = id, .body = writer_done(&w)};
    struct writer f = writer_of(out->bytes, sizeof out->bytes);
    frame_write(&f, &frame);
    if (w.err != ERR_OK || f.err != ERR_OK) {
        rig_die("FRAME_ROOM is too small");
    }
    out->len = (uint16_t)f.len;
}

void petrel_prepare(struct petrel *p, size_t clients, unsigned seconds)
{
    size_t count = seconds * (size_t)(clients == 1 ? PREPARE_PER_S_ALONE : PREPARE_PER_S);
    for (size_t i = 0; i < clients; i++) {
        struct writer_client *w = &p->writers[i];
        free(w->frames);
        *w = (struct writer_client){.count = count};
        w->frames = malloc(count * sizeof *w->frames);
        if (w->frames == NULL) {
            rig_die("no memory");
        }
        for (size_t n = 0; n < count; n++) {
            make_frame(&p->queues[i], (uint32_t)n + 1, &w->frames[n]);
        }
    }
}

double petrel_deposit(struct petrel *p, size_t clients, unsigned seconds)
{
    uint64_t began = rig_ns();
    p->end = began + seconds * UINT64_C(1000000000);
    p->done = 0;
    for (size_t i = 0; i < clients; i++) {
        send_next(p, net_conn_at(p->net, i));
    }
    while (p->busy > 0) {
        net_poll(p->net, 1000);
        if (rig_ns() > p->end + RIG_REPLY_S * UINT64_C(1000000000)) {
            rig_die("the relay does not answer");
        }
    }
    return (double)p->done * 1e9 / (double)(rig_ns() - began);
}

/* --- drain --- */

static void acknowledge(struct petrel *p, struct net_conn *conn)
{
    struct reader_client *r = &p->readers[conn->number];
    uint8_t body[64];
    struct writer w = writer_of(body, sizeof body);
    if (r->asked != 0 || r->pushed == r->acked) {
        return;
    }
    struct queue_ack ack = {.queue = p->queues[conn->number].pk, .number = r->pushed};
    queue_ack_write(&w, &ack);
    r->asked = r->pushed;
    net_send_frame(conn, FRAME_QUEUE_ACK, 1, writer_done(&w));
}

static void on_push(struct petrel *p, struct net_conn *conn, struct slice body)
{
    struct reader_client *r = &p->readers[conn->number];
    struct queue_push push;
    if (queue_push_read(body, &push) != ERR_OK || push.envelope.len != ROUND_PAYLOAD) {
        rig_die("the relay pushed something else");
    }
    r->pushed = push.number;
    if (++r->credit == CREDIT_AT) {
        uint8_t number[8];
        struct writer w = writer_of(number, sizeof number);
        pack_uint(&w, r->credit);
        r->credit = 0;
        net_send_frame(conn, FRAME_CREDIT, 0, writer_done(&w));
    }
    acknowledge(p, conn);
}

static void on_attached(struct petrel *p, struct net_conn *conn, struct slice body)
{
    struct queue_attach_reply reply;
    if (queue_attach_reply_read(body, &reply) != ERR_OK || reply.head.err != ERR_OK) {
        rig_die("attach was refused");
    }
    p->readers[conn->number].attached = true;
    p->waiting += reply.waiting;
    p->attached++;
}

static void on_acked(struct petrel *p, struct net_conn *conn, struct slice body)
{
    struct reader_client *r = &p->readers[conn->number];
    struct relay_reply reply;
    if (relay_reply_read(body, &reply) != ERR_OK || reply.err != ERR_OK) {
        rig_die("acknowledgement was refused");
    }
    p->received += r->asked - r->acked;
    r->acked = r->asked;
    r->asked = 0;
    acknowledge(p, conn);
}

static void on_reader(void *ctx, struct net_conn *conn, struct slice data)
{
    struct petrel *p = ctx;
    struct frame frame;
    if (frame_read(data, &frame) != ERR_OK) {
        rig_die("the relay sent no frame");
    }
    switch (frame.kind) {
    case FRAME_QUEUE_PUSH:
        on_push(p, conn, frame.body);
        break;
    case FRAME_QUEUE_ATTACH + FRAME_REPLY:
        on_attached(p, conn, frame.body);
        break;
    case FRAME_QUEUE_ACK + FRAME_REPLY:
        on_acked(p, conn, frame.body);
        break;
    case FRAME_CREDIT:
        break;
    default:
        rig_die("the relay sent a frame of kind %u", frame.kind);
    }
}

static void attach(struct petrel *p, struct net_conn *conn)
{
    uint8_t body[512];
    struct writer w = writer_of(body, sizeof body);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    if (queue_attach_write(&w, &arena, link_hash(conn->link), &p->queues[conn->number].sk) !=
        ERR_OK) {
        rig_die("attach cannot be written");
    }
    net_send_frame(conn, FRAME_QUEUE_ATTACH, 1, writer_done(&w));
    arena_fini(&arena);
}

double petrel_drain(struct petrel *p)
{
    const struct net_config config = {
        .port = p->port, .count = ROUND_CLIENTS, .node = &p->node, .ctx = p, .on_data = on_reader};
    struct net *net = net_open(&config);
    uint64_t began = rig_ns();
    for (size_t i = 0; i < ROUND_CLIENTS; i++) {
        attach(p, net_conn_at(net, i));
    }
    while (p->attached < ROUND_CLIENTS || p->received < p->waiting) {
        net_poll(net, 1000);
        if (rig_ns() > began + DRAIN_S * UINT64_C(1000000000)) {
            rig_die("the queues are not empty after %d s", (int)DRAIN_S);
        }
    }
    double rate = (double)p->received * 1e9 / (double)(rig_ns() - began);
    printf("# drained %llu envelopes\n", (unsigned long long)p->received);
    net_close(net);
    return rate;
}

/* --- the relay --- */

struct petrel *petrel_open(void)
{
    char listen[32];
    char text[ADDRESS_TEXT];
    struct address address;
    struct petrel *p = calloc(1, sizeof *p);
    if (p == NULL) {
        rig_die("no memory");
    }
    p->queues = queues_make("relay", ROUND_CLIENTS, ROUND_SPENT);
    p->port = rig_port();
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)p->port);
    const char *const args[] = {"--listen", listen, "--relay", NULL};
    (void)rig_start(&p->daemon, "relay", args, -1);
    struct call *call = call_open("relay", p->daemon.pid);
    call_take(call_plain(call, "daemon.status"), "node", text, sizeof text);
    call_close(call);
    if (address_parse(slice_of(text, strlen(text)), &address) != ERR_OK) {
        rig_die("the relay's address cannot be read");
    }
    p->node = address.node_id;
    const struct net_config config = {
        .port = p->port, .count = ROUND_CLIENTS, .node = &p->node, .ctx = p, .on_data = on_writer};
    p->net = net_open(&config);
    return p;
}

double petrel_cpu(const struct petrel *p)
{
    return rig_cpu(p->daemon.pid);
}

void petrel_close(struct petrel *p)
{
    net_close(p->net);
    rig_stop(&p->daemon);
    for (size_t i = 0; i < ROUND_CLIENTS; i++) {
        free(p->writers[i].frames);
    }
    free(p->queues);
    free(p);
}
