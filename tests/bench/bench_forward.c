/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_forward: sealed deposits that members of one relay push through it to another: opened,
 * admitted by a token, stored and receipted there, and the sealed reply back. Two real daemons, 64
 * members with one request under way each. docs/bench.md.
 *
 * Envelopes, tokens and seals are made before each round; replies are opened within it, as nobody
 * knows otherwise what became of a deposit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "bench/call.h"
#include "bench/disk.h"
#include "bench/net.h"
#include "bench/queues.h"
#include "bench/rig.h"
#include "node/address.h"
#include "node/forward.h"
#include "relay/card.h"
#include "relay/queue.h"
#include "relay/receipt.h"

enum {
    ROUNDS = 5,
    ROUND_S = 3,
    CLIENTS = 64,
    PAYLOAD = 1024,      /* bytes of an envelope */
    FRAME_ROOM = 2560,   /* more than a forwarded deposit of the smallest class */
    PREPARE_PER_S = 100, /* deposits of one client that are made for each second */
    VERIFY_EVERY = 64,   /* replies of which one has its receipt's signature checked */
    DISK_SAMPLES = 100,  /* in each round */
    ATTACH_ID = 1,
    CARD_ID = 2,
    FIRST_ID = 3, /* of the deposits */
};

struct request {
    uint16_t len;
    uint8_t frame[FRAME_ROOM];
    struct sealed_reply_key key;
    uint8_t hash[RECEIPT_HASH]; /* of the envelope */
};

struct member {
    struct request *requests; /* owned */
    size_t count;
    size_t next;
    bool busy;         /* one is under way, or waits for again_ns */
    uint64_t again_ns; /* the relay was busy: the same again then; 0: no */
};

struct relay {
    struct rig_daemon daemon;
    struct address address;
    struct bench_queue *queues;
};

struct bench {
    struct relay by; /* the members' own, which passes on */
    struct relay to; /* the one that stores */
    struct net *net;
    struct arena arena; /* of one frame */
    struct card card;   /* of `to` */
    bool have_card;
    size_t attached;
    struct member members[CLIENTS];
    uint64_t end;     /* ns: nobody sends after that */
    uint64_t last;    /* ns: when the last reply came */
    uint64_t done;    /* replies in this round */
    uint64_t refused; /* of all rounds: answers that the relay is busy */
    size_t busy;      /* members that wait for a reply */
};

/* --- what members send --- */

static void send_request(struct bench *b, size_t number, const struct request *r)
{
    net_send(net_conn_at(b->net, number), slice_of(r->frame, r->len));
}

static void send_next(struct bench *b, size_t number)
{
    struct member *m = &b->members[number];
    bool more = m->next < m->count && rig_ns() < b->end;
    b->busy -= m->busy ? 1 : 0;
    b->busy += more ? 1 : 0;
    m->busy = more;
    if (more) {
        send_request(b, number, &m->requests[m->next++]);
    }
}

static void send_again(struct bench *b)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct member *m = &b->members[i];
        if (m->again_ns != 0 && rig_ns() >= m->again_ns) {
            m->again_ns = 0;
            send_request(b, i, &m->requests[m->next - 1]);
        }
    }
}

static void make_request(struct bench *b, size_t number, uint32_t id, struct request *out)
{
    uint8_t envelope[PAYLOAD];
    uint8_t body[FRAME_ROOM];
    struct env env = rig_env();
    struct bench_queue *q = &b->to.queues[number];
    struct queue_deposit d = {
        .queue = q->pk, .lifetime = 3, .envelope = slice_of(envelope, sizeof envelope)};
    struct slice sealed;
    randombytes_buf(envelope, sizeof envelope);
    prim_blake2b(out->hash, sizeof out->hash, slice_of(NULL, 0), "", &d.envelope, 1);
    d.admission.token = queues_token(q);
    struct writer w = writer_of(body, sizeof body);
    queue_deposit_write(&w, &d);
    if (sealed_request_seal(&b->arena, &env, &b->to.address.node_id, b->card.key_id, b->card.pk,
                            RELAY_QUEUE_DEPOSIT, writer_done(&w), &sealed, &out->key) != ERR_OK) {
        rig_die("a deposit cannot be sealed");
    }
    struct writer s = writer_of(body, sizeof body);
    sealed_request_write(&s, sealed);
    struct forward forward = {.to = b->to.address, .kind = RELAY_SEALED, .body = writer_done(&s)};
    uint8_t *bytes = arena_alloc(&b->arena, FRAME_ROOM);
    struct writer f = writer_of(bytes, bytes != NULL ? FRAME_ROOM : 0);
    forward_write(&f, &forward);
    struct frame frame = {.kind = FRAME_RELAY_FORWARD, .id = id, .body = writer_done(&f)};
    struct writer o = writer_of(out->frame, sizeof out->frame);
    frame_write(&o, &frame);
    if (w.err != ERR_OK || s.err != ERR_OK || f.err != ERR_OK || o.err != ERR_OK) {
        rig_die("FRAME_ROOM is too small");
    }
    out->len = (uint16_t)o.len;
    arena_reset(&b->arena);
}

/* us for each. */
static double prepare(struct bench *b, unsigned seconds)
{
    size_t count = (size_t)seconds * PREPARE_PER_S;
    uint64_t began = rig_ns();
    for (size_t i = 0; i < CLIENTS; i++) {
        struct member *m = &b->members[i];
        free(m->requests);
        *m = (struct member){.count = count, .requests = malloc(count * sizeof *m->requests)};
        if (m->requests == NULL) {
            rig_die("no memory");
        }
        for (size_t n = 0; n < count; n++) {
            make_request(b, i, FIRST_ID + (uint32_t)n, &m->requests[n]);
        }
    }
    return (double)(rig_ns() - began) / 1e3 / (double)(count * CLIENTS);
}

/* --- what comes back --- */

/* Stored, and signed for. */
static void check_deposit(struct bench *b, size_t number, const struct request *r,
                          struct slice body)
{
    struct sealed_reply sealed;
    struct slice inner;
    struct queue_deposit_reply reply;
    struct receipt receipt;
    if (sealed_reply_read(body, &sealed) != ERR_OK || sealed.head.err != ERR_OK ||
        sealed_reply_open(&b->arena, &r->key, sealed.sealed, &inner) != ERR_OK ||
        queue_deposit_reply_read(inner, &reply) != ERR_OK) {
        rig_die("a sealed reply cannot be read");
    }
    if (reply.head.err != ERR_OK || reply.outcome != QUEUE_STORED) {
        rig_die("deposit refused: %s", err_name(reply.head.err));
    }
    if (receipt_read(reply.receipt, &receipt) != ERR_OK) {
        rig_die("a deposit has no receipt");
    }
    if (b->done % VERIFY_EVERY == 0 &&
        receipt_verify_hash(&receipt, &b->to.address.node_id, &b->to.queues[number].pk, r->hash) !=
            ERR_OK) {
        rig_die("a receipt is wrong");
    }
}

static void on_forwarded(struct bench *b, size_t number, const struct frame *frame)
{
    struct member *m = &b->members[number];
    struct forward_reply reply;
    struct card_reply card;
    if (forward_reply_read(frame->body, &reply) != ERR_OK) {
        rig_die("a reply to a forward cannot be read");
    }
    if (reply.head.err == ERR_BACKPRESSURE && frame->id != CARD_ID) {
        b->refused++;
        m->again_ns = rig_ns() + reply.head.retry_after_ms * UINT64_C(1000000);
        return;
    }
    if (reply.head.err != ERR_OK) {
        rig_die("the relay did not pass on: %s", err_name(reply.head.err));
    }
    if (frame->id != CARD_ID) {
        check_deposit(b, number, &m->requests[m->next - 1], reply.body);
        b->done++;
        b->last = rig_ns();
        send_next(b, number);
        return;
    }
    if (card_reply_read(reply.body, &card) != ERR_OK || card.head.err != ERR_OK ||
        card_open(card.card, &b->to.address.node_id, rig_env().now_ms, &b->card) != ERR_OK) {
        rig_die("the other relay's card cannot be read");
    }
    b->have_card = true;
}

static void on_data(void *ctx, struct net_conn *conn, struct slice data)
{
    struct bench *b = ctx;
    struct frame frame;
    struct queue_attach_reply attached;
    if (frame_read(data, &frame) != ERR_OK) {
        rig_die("the relay sent no frame");
    }
    switch (frame.kind) {
    case FRAME_CREDIT:
        break;
    case FRAME_QUEUE_ATTACH + FRAME_REPLY:
        if (queue_attach_reply_read(frame.body, &attached) != ERR_OK ||
            attached.head.err != ERR_OK) {
            rig_die("attach was refused");
        }
        b->attached++;
        break;
    case FRAME_RELAY_FORWARD + FRAME_REPLY:
        on_forwarded(b, conn->number, &frame);
        arena_reset(&b->arena);
        break;
    default:
        rig_die("the relay sent a frame of kind %u", frame.kind);
    }
}

/* --- two relays --- */

static void relay_start(struct relay *r, const char *home)
{
    char listen[32];
    char text[ADDRESS_TEXT];
    r->queues = queues_make(home, CLIENTS, 0);
    rig_config(home, "relay.forward_private = yes\n");
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)rig_port());
    const char *const args[] = {"--listen", listen, "--relay", NULL};
    (void)rig_start(&r->daemon, home, args, -1);
    struct call *call = call_open(home, r->daemon.pid);
    call_take(call_plain(call, "daemon.status"), "node", text, sizeof text);
    call_close(call);
    if (address_parse(slice_of(text, strlen(text)), &r->address) != ERR_OK) {
        rig_die("the relay's address cannot be read");
    }
}

static void relay_stop(struct relay *r)
{
    rig_stop(&r->daemon);
    free(r->queues);
}

/* A member's link is one on which it attached its queue. */
static void attach(struct bench *b, struct net_conn *conn)
{
    uint8_t body[512];
    struct writer w = writer_of(body, sizeof body);
    if (queue_attach_write(&w, &b->arena, link_hash(conn->link), &b->by.queues[conn->number].sk) !=
        ERR_OK) {
        rig_die("attach cannot be written");
    }
    net_send_frame(conn, FRAME_QUEUE_ATTACH, ATTACH_ID, writer_done(&w));
    arena_reset(&b->arena);
}

static void fetch_card(struct bench *b)
{
    uint8_t empty[8];
    uint8_t body[512];
    struct writer e = writer_of(empty, sizeof empty);
    struct writer w = writer_of(body, sizeof body);
    card_get_write(&e);
    struct forward forward = {.to = b->to.address, .kind = RELAY_CARD, .body = writer_done(&e)};
    forward_write(&w, &forward);
    net_send_frame(net_conn_at(b->net, 0), FRAME_RELAY_FORWARD, CARD_ID, writer_done(&w));
}

static void members_open(struct bench *b)
{
    const struct net_config config = {.port = b->by.address.port,
                                      .count = CLIENTS,
                                      .node = &b->by.address.node_id,
                                      .ctx = b,
                                      .on_data = on_data};
    b->net = net_open(&config);
    uint64_t end = rig_ns() + RIG_REPLY_S * UINT64_C(1000000000);
    for (size_t i = 0; i < CLIENTS; i++) {
        attach(b, net_conn_at(b->net, i));
    }
    bool asked = false;
    while (!b->have_card) {
        if (b->attached == CLIENTS && !asked) {
            fetch_card(b);
            asked = true;
        }
        net_poll(b->net, 1000);
        if (rig_ns() > end) {
            rig_die("the relay does not answer");
        }
    }
}

/* --- rounds --- */

/* Deposits a second, from the first request to the last reply. */
static double deposit(struct bench *b, unsigned seconds)
{
    uint64_t began = rig_ns();
    b->end = began + seconds * UINT64_C(1000000000);
    b->done = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        send_next(b, i);
    }
    while (b->busy > 0) {
        net_poll(b->net, 50);
        send_again(b);
        if (rig_ns() > b->end + RIG_REPLY_S * UINT64_C(1000000000)) {
            rig_die("the relay does not answer");
        }
    }
    return (double)b->done * 1e9 / (double)(b->last - began);
}

static double own_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double round_run(struct bench *b, unsigned number)
{
    double seal = prepare(b, ROUND_S);
    double disk = disk_fsync_ms(DISK_SAMPLES);
    uint64_t refused = b->refused;
    double cpu[] = {rig_cpu(b->by.daemon.pid), rig_cpu(b->to.daemon.pid), own_cpu()};
    double rate = deposit(b, ROUND_S);
    double us = 1e6 / (double)b->done;
    printf("# round %u: %.0f/s; CPU us a deposit: forwarder %.0f, other relay %.0f, the %d members "
           "%.0f and %.0f before for the seal; %llu answers \"busy\"; fsync %.3f ms\n",
           number, rate, (rig_cpu(b->by.daemon.pid) - cpu[0]) * us,
           (rig_cpu(b->to.daemon.pid) - cpu[1]) * us, (int)CLIENTS, (own_cpu() - cpu[2]) * us, seal,
           (unsigned long long)(b->refused - refused), disk);
    return rate;
}

int main(void)
{
    static struct bench b;
    double rates[ROUNDS];
    rig_begin();
    arena_init(&b.arena, 1 << 20);
    relay_start(&b.by, "forwarder");
    relay_start(&b.to, "relay");
    members_open(&b);
    (void)prepare(&b, 1);
    (void)deposit(&b, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        rates[i] = round_run(&b, i + 1);
    }
    rig_value("forwarded_deposit_per_s", rig_median(rates, ROUNDS), "1/s");
    net_close(b.net);
    relay_stop(&b.by);
    relay_stop(&b.to);
    for (size_t i = 0; i < CLIENTS; i++) {
        free(b.members[i].requests);
    }
    arena_fini(&b.arena);
    rig_end();
    return EXIT_SUCCESS;
}
