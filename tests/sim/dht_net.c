/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/dht_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dht/krpc.h"
#include "lib/dht_items.h"

enum {
    MINUTE_MS = 60000,
    LATENCY_MIN_MS = 10,
    LATENCY_SPAN_MS = 190,
    ROUTERS = 4,       /* the first ones, which all begin with, stay and do not lie */
    JOIN_EACH_MS = 20, /* one node joins after the other */
};

struct host {
    struct dht *dht;
    struct dht_address address;
    uint32_t life; /* counts its replacements: events for the one before are void */
    bool liar;
    uint64_t timer_ms;   /* when it is woken next */
    struct dht_item old; /* a liar: the first item that it was given */
    bool has_old;
};

enum event_kind {
    EVENT_DATAGRAM,
    EVENT_TIMER,
    EVENT_JOIN,
    EVENT_REPLACE,
};

struct event {
    uint64_t at_ms;
    uint64_t order; /* of two at the same time the earlier made one comes first */
    enum event_kind kind;
    uint32_t to;
    uint32_t life;
    uint32_t from;
    uint32_t len;
    uint8_t *bytes;
};

struct result {
    uint32_t node;
    uint64_t operation;
    bool done, found;
    struct dht_item item;
    struct dht_report report;
};

struct dht_net {
    struct dht_net_options options;
    struct unit_env random;
    struct host *hosts;
    uint32_t joined;
    struct event *heap;
    size_t count, cap;
    uint64_t order;
    struct result waited; /* one operation at a time */
    struct dht_net_stats stats;
    void (*seen)(void *ctx, struct slice datagram); /* NULL: nobody looks */
    void *seen_ctx;
};

/* As unit_must: also where no test runs. */
static void need(bool good)
{
    if (!good) {
        ck_abort_msg("dht_net: out of memory, or a bug");
    }
}

static uint64_t draw(struct dht_net *net)
{
    uint64_t v;
    env_random(&net->random.env, &v, sizeof v);
    return v;
}

uint32_t dht_net_below(struct dht_net *net, uint32_t n)
{
    return (uint32_t)(draw(net) % n);
}

uint64_t dht_net_now(const struct dht_net *net)
{
    return net->random.env.now_ms;
}

const struct env *dht_net_env(struct dht_net *net)
{
    return &net->random.env;
}

/* --- events --- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void push(struct dht_net *net, struct event e)
{
    if (net->count == net->cap) {
        net->cap = net->cap > 0 ? 2 * net->cap : 1024;
        net->heap = realloc(net->heap, net->cap * sizeof *net->heap);
        need(net->heap != NULL);
    }
    e.order = net->order++;
    size_t at = net->count++;
    while (at > 0 && before(&e, &net->heap[(at - 1) / 2])) {
        net->heap[at] = net->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    net->heap[at] = e;
}

static struct event pop(struct dht_net *net)
{
    struct event first = net->heap[0];
    struct event last = net->heap[--net->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= net->count) {
            break;
        }
        child += child + 1 < net->count && before(&net->heap[child + 1], &net->heap[child]);
        if (!before(&net->heap[child], &last)) {
            break;
        }
        net->heap[at] = net->heap[child];
        at = child;
    }
    net->heap[at] = last;
    return first;
}

/* --- addresses --- */

enum {
    SPREAD = 0x9e3779b1 & 0xffffff, /* odd: each number of 24 bits is another one */
    FIRST_BYTES = 88,               /* 11 to 98: no address of a local network */
};

/* The address says which node lives there, and which life of it. */
static struct dht_address address_of(uint32_t i, uint32_t life)
{
    uint32_t x = i * SPREAD & 0xffffff;
    struct dht_address a = {.port = 6881};
    a.ip[0] = (uint8_t)(11 + (i + life) % FIRST_BYTES);
    a.ip[1] = (uint8_t)(x >> 16);
    a.ip[2] = (uint8_t)(x >> 8);
    a.ip[3] = (uint8_t)x;
    return a;
}

/* The node at this address; UINT32_MAX: there is none, or no more. */
static uint32_t node_at(const struct dht_net *net, const struct dht_address *a)
{
    uint32_t x = (uint32_t)a->ip[1] << 16 | (uint32_t)a->ip[2] << 8 | a->ip[3];
    uint32_t inverse = 1; /* of SPREAD, modulo 2^24: Newton */
    for (unsigned k = 0; k < 5; k++) {
        inverse *= 2 - (uint32_t)SPREAD * inverse;
    }
    uint32_t i = x * inverse & 0xffffff;
    return i < net->options.nodes && dht_address_equal(&net->hosts[i].address, a) ? i : UINT32_MAX;
}

/* --- nodes --- */

static void arm(struct dht_net *net, uint32_t i)
{
    struct host *h = &net->hosts[i];
    uint64_t due = h->dht != NULL ? dht_deadline(h->dht) : UINT64_MAX;
    if (due < net->random.env.now_ms + 1) {
        due = net->random.env.now_ms + 1;
    }
    if (due < h->timer_ms) {
        h->timer_ms = due;
        push(net, (struct event){.at_ms = due, .kind = EVENT_TIMER, .to = i, .life = h->life});
    }
}

static void send(struct dht_net *net, uint32_t from, const struct dht_address *to,
                 const uint8_t *bytes, size_t len)
{
    uint32_t i = node_at(net, to);
    net->stats.datagrams++;
    net->stats.bytes += len;
    if (net->seen != NULL) {
        net->seen(net->seen_ctx, slice_of(bytes, len));
    }
    if (i == UINT32_MAX || dht_net_below(net, 100) < net->options.lost_percent) {
        return;
    }
    struct event e = {.kind = EVENT_DATAGRAM,
                      .to = i,
                      .life = net->hosts[i].life,
                      .from = from,
                      .len = (uint32_t)len,
                      .bytes = malloc(len)};
    need(e.bytes != NULL);
    memcpy(e.bytes, bytes, len);
    e.at_ms = net->random.env.now_ms + LATENCY_MIN_MS + dht_net_below(net, LATENCY_SPAN_MS);
    push(net, e);
}

static void take(struct dht_net *net, uint32_t i, const struct dht_output *out)
{
    struct result *r = &net->waited;
    if (out->kind == DHT_OUT_DATAGRAM) {
        send(net, i, &out->to, out->bytes, out->len);
        return;
    }
    if (r->node != i || r->operation != out->operation) {
        return;
    }
    if (out->kind == DHT_OUT_ITEM) {
        r->item = out->item;
        r->found = true;
    } else {
        r->report = out->report;
        r->done = true;
    }
}

void dht_net_woken(struct dht_net *net, uint32_t i)
{
    struct dht_output out;
    while (net->hosts[i].dht != NULL && dht_next_output(net->hosts[i].dht, &out)) {
        take(net, i, &out);
    }
    arm(net, i);
}

static void start(struct dht_net *net, uint32_t i)
{
    static const struct dht_config config = {.families = {true, false}};
    struct host *h = &net->hosts[i];
    h->dht = dht_new(&config, &net->random.env);
    need(h->dht != NULL);
    h->address = address_of(i, h->life);
    h->timer_ms = UINT64_MAX;
    for (uint32_t k = 0; k < ROUTERS && k < net->options.nodes; k++) {
        struct dht_address router = address_of(k, net->hosts[k].life);
        if (k != i) {
            dht_bootstrap(h->dht, &net->random.env, &router);
        }
    }
    dht_net_woken(net, i);
}

static void replace(struct dht_net *net)
{
    uint32_t i = ROUTERS + dht_net_below(net, net->options.nodes - ROUTERS);
    struct host *h = &net->hosts[i];
    dht_free(h->dht);
    h->life++;
    h->has_old = false;
    net->stats.replaced++;
    start(net, i);
}

/* --- lies --- */

/* An honest one, under its own ID, where it is not. */
static struct dht_contact misplaced(struct dht_net *net)
{
    struct dht_status status;
    uint32_t i = dht_net_honest(net);
    dht_status(net->hosts[i].dht, &net->random.env, &status);
    struct dht_contact c = {.id = status.id[0], .address = net->hosts[i].address};
    c.address.port++;
    return c;
}

/* What a liar says who is near: other liars, under IDs nearer than anybody's, and honest ones in
 * the wrong place. */
static size_t false_nodes(struct dht_net *net, const struct dht_id *target, uint8_t *out)
{
    struct writer w = writer_of(out, 8 * DHT_NODE4);
    for (unsigned k = 0; k < 4; k++) {
        struct dht_contact honest = misplaced(net);
        dht_contact_write(&w, &honest);
    }
    for (unsigned k = 0; k < 4; k++) {
        struct dht_contact c = {.id = *target};
        uint32_t i = dht_net_below(net, net->options.nodes);
        while (!net->hosts[i].liar) {
            i = (i + 1) % net->options.nodes;
        }
        c.address = net->hosts[i].address;
        uint64_t noise = draw(net);
        memcpy(c.id.b + DHT_ID - sizeof noise, &noise, sizeof noise);
        dht_contact_write(&w, &c);
    }
    return w.len;
}

/* Answers a question in place of its node; false: it is answered as it should be. */
static bool lie(struct dht_net *net, uint32_t i, uint32_t from, const struct krpc *q)
{
    struct host *h = &net->hosts[i];
    uint8_t nodes[8 * DHT_NODE4];
    uint8_t bytes[KRPC_DATAGRAM];
    struct dht_status status;
    if (q->kind != KRPC_QUERY || q->method == KRPC_PING || q->method == KRPC_UNKNOWN) {
        return false;
    }
    dht_status(h->dht, &net->random.env, &status);
    struct krpc m = {.kind = KRPC_REPLY,
                     .transaction = q->transaction,
                     .has_id = true,
                     .id = status.id[0],
                     .method = KRPC_UNKNOWN};
    if (q->method == KRPC_PUT) {
        h->has_old = h->has_old || dht_item_read(q, q->salt, NULL, &h->old) == 0;
    } else {
        m.nodes = slice_of(nodes, false_nodes(net, &q->target, nodes));
        m.token = slice_of("token", 5);
    }
    if (q->method == KRPC_GET && h->has_old) {
        struct dht_id place = dht_item_target(&h->old);
        if (dht_id_equal(&place, &q->target)) {
            dht_item_write(&m, &h->old, false);
        }
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    need(w.err == ERR_OK);
    net->stats.lies++;
    send(net, i, &net->hosts[from].address, bytes, w.len);
    return true;
}

/* --- time --- */

static void happen(struct dht_net *net, const struct event *e)
{
    struct host *h = &net->hosts[e->to];
    struct krpc m;
    switch (e->kind) {
    case EVENT_JOIN:
        net->joined++;
        start(net, e->to);
        return;
    case EVENT_REPLACE:
        replace(net);
        return;
    case EVENT_TIMER:
        if (e->life == h->life && e->at_ms == h->timer_ms) {
            h->timer_ms = UINT64_MAX;
            dht_tick(h->dht, &net->random.env);
            dht_net_woken(net, e->to);
        }
        return;
    case EVENT_DATAGRAM:
        break;
    }
    struct slice bytes = slice_of(e->bytes, e->len);
    if (e->life == h->life && h->dht != NULL &&
        !(h->liar && krpc_read(bytes, &m) == ERR_OK && lie(net, e->to, e->from, &m))) {
        dht_datagram(h->dht, &net->random.env, &net->hosts[e->from].address, bytes);
        dht_net_woken(net, e->to);
    }
    free(e->bytes);
}

/* Until the time is up, or what is waited for has come. */
static void run_until(struct dht_net *net, uint64_t end)
{
    while (net->count > 0 && net->heap[0].at_ms <= end && !net->waited.done) {
        struct event e = pop(net);
        net->random.env.now_ms = e.at_ms;
        happen(net, &e);
    }
    if (!net->waited.done) {
        net->random.env.now_ms = end;
    }
}

void dht_net_run(struct dht_net *net, uint64_t ms)
{
    uint64_t begun = net->random.env.now_ms;
    uint64_t each =
        net->options.replaced_percent > 0
            ? UINT64_C(360000000) / ((uint64_t)net->options.nodes * net->options.replaced_percent)
            : 0;
    for (uint64_t at = each; each > 0 && at <= ms; at += each) {
        push(net, (struct event){.at_ms = begun + at, .kind = EVENT_REPLACE});
    }
    net->waited.done = false;
    run_until(net, begun + ms);
}

void dht_net_watch(struct dht_net *net, void (*seen)(void *ctx, struct slice datagram), void *ctx)
{
    net->seen = seen;
    net->seen_ctx = ctx;
}

bool dht_net_finish(struct dht_net *net, uint32_t i, uint64_t operation, struct dht_item *item,
                    bool *found, struct dht_report *report)
{
    if (operation == 0) {
        return false;
    }
    net->waited = (struct result){.node = i, .operation = operation};
    dht_net_woken(net, i);
    run_until(net, net->random.env.now_ms + MINUTE_MS);
    bool done = net->waited.done;
    *item = net->waited.item;
    *found = net->waited.found;
    *report = net->waited.report;
    net->waited = (struct result){.operation = 0};
    return done;
}

/* --- the net --- */

struct dht_net *dht_net_new(const struct dht_net_options *options)
{
    struct dht_net *net = calloc(1, sizeof *net);
    need(net != NULL);
    net->options = *options;
    unit_env_init(&net->random, options->seed, UINT64_C(1790000000000));
    net->hosts = calloc(options->nodes, sizeof *net->hosts);
    need(net->hosts != NULL);
    for (uint32_t i = 0; i < options->nodes; i++) {
        net->hosts[i].liar = i >= ROUTERS && dht_net_below(net, 100) < options->liars_percent;
        push(net, (struct event){.at_ms = net->random.env.now_ms + (uint64_t)i * JOIN_EACH_MS,
                                 .kind = EVENT_JOIN,
                                 .to = i});
    }
    dht_net_run(net, (uint64_t)options->nodes * JOIN_EACH_MS + MINUTE_MS);
    return net;
}

void dht_net_free(struct dht_net *net)
{
    for (size_t i = 0; i < net->count; i++) {
        free(net->heap[i].bytes);
    }
    for (uint32_t i = 0; i < net->options.nodes; i++) {
        dht_free(net->hosts[i].dht);
    }
    free(net->heap);
    free(net->hosts);
    free(net);
}

struct dht *dht_net_node(struct dht_net *net, uint32_t i)
{
    return net->hosts[i].dht;
}

uint32_t dht_net_honest(struct dht_net *net)
{
    uint32_t i = dht_net_below(net, net->options.nodes);
    while (net->hosts[i].liar || net->hosts[i].dht == NULL) {
        i = (i + 1) % net->options.nodes;
    }
    return i;
}

void dht_net_corrupt(struct dht_net *net, const struct dht_id *place, uint32_t of, uint32_t percent)
{
    bool *near = calloc(net->options.nodes, sizeof *near);
    need(near != NULL);
    for (uint32_t k = 0; k < of; k++) {
        uint32_t best = UINT32_MAX;
        struct dht_status status;
        struct dht_id best_id;
        for (uint32_t i = 0; i < net->options.nodes; i++) {
            dht_status(net->hosts[i].dht, &net->random.env, &status);
            if (!near[i] &&
                (best == UINT32_MAX || dht_id_nearer(place, &status.id[0], &best_id) < 0)) {
                best = i;
                best_id = status.id[0];
            }
        }
        near[best] = true;
        net->hosts[best].liar = k * percent / 100 != (k + 1) * percent / 100;
    }
    free(near);
}

struct dht_net_stats dht_net_stats(const struct dht_net *net)
{
    return net->stats;
}

/* --- lookups --- */

static struct dht_item version_of(const uint8_t seed[static DHT_SEED], int64_t seq)
{
    char value[16];
    int len = snprintf(value, sizeof value, "i%de", (int)seq);
    return dht_item_signed(seed, slice_of(NULL, 0), seq, slice_of(value, (size_t)len));
}

static void put_item(struct dht_net *net, const struct dht_item *item)
{
    struct dht_item none;
    struct dht_report report;
    bool found;
    uint32_t i = dht_net_honest(net);
    uint64_t operation = dht_put(dht_net_node(net, i), dht_net_env(net), item, false, 0);
    need(dht_net_finish(net, i, operation, &none, &found, &report));
}

static void look_up(struct dht_net *net, const struct dht_item *newest, struct dht_net_tally *tally)
{
    struct dht_item item;
    struct dht_report report;
    bool found;
    uint32_t i = dht_net_honest(net);
    uint64_t operation =
        dht_get_mutable(dht_net_node(net, i), dht_net_env(net), &newest->key, slice_of(NULL, 0));
    need(dht_net_finish(net, i, operation, &item, &found, &report));
    tally->lookups++;
    tally->none += !found;
    tally->newest += found && item.seq == newest->seq;
    tally->older += found && item.seq != newest->seq;
    tally->hops += report.hops;
    tally->queries += report.queries;
}

struct dht_net_tally dht_net_lookups(struct dht_net *net, unsigned items, uint32_t corrupt)
{
    struct dht_net_tally tally = {.lookups = 0};
    for (unsigned k = 0; k < items; k++) {
        uint8_t seed[DHT_SEED];
        env_random(dht_net_env(net), seed, sizeof seed);
        struct dht_item first = version_of(seed, 1);
        struct dht_item second = version_of(seed, 2);
        put_item(net, &first);
        if (corrupt > 0) {
            struct dht_id place = dht_item_target(&first);
            dht_net_corrupt(net, &place, 24, corrupt);
        }
        dht_net_run(net, MINUTE_MS);
        put_item(net, &second);
        for (unsigned g = 0; g < 4; g++) {
            dht_net_run(net, MINUTE_MS / 4);
            look_up(net, &second, &tally);
        }
    }
    return tally;
}
