/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/dht_net.h"

#include <stdlib.h>
#include <string.h>

#include "dht/krpc.h"

enum {
    MINUTE_MS = 60000,
    LATENCY_MIN_MS = 10,
    LATENCY_SPAN_MS = 190,
    ROUTERS = 4,       /* the first ones, which all begin with, stay and do not lie */
    JOIN_EACH_MS = 20, /* one node joins after the other */
    HOUR_MS = 60 * MINUTE_MS,
};

struct host {
    struct dht *dht;
    struct dht_address address;
    struct dht_id id;
    uint32_t life;     /* counts its replacements: events for the one before are void */
    bool liar;         /* in every life of it, or */
    bool corrupted;    /* beside one item */
    uint64_t timer_ms; /* when it is woken next */
};

struct old {
    struct dht_id place;
    struct dht_item item;
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
    uint64_t *begins; /* the first 8 bytes of each ID */
    struct old *old;  /* what liars answer */
    uint32_t old_count;
    struct event *heap;
    size_t count, cap;
    uint64_t order;
    struct result waited; /* one operation at a time */
    struct dht_net_stats stats;
    void (*seen)(void *ctx, struct slice datagram); /* NULL: nobody looks */
    void *seen_ctx;
};

void dht_net_need(bool good)
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
        dht_net_need(net->heap != NULL);
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
    dht_net_need(e.bytes != NULL);
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

static uint64_t begin_of(const struct dht_id *id)
{
    struct reader r = reader_of(slice_of(id->b, DHT_ID));
    return reader_u64(&r);
}

/* It gets an ID that stays when it hears where it is. */
static void note_id(struct dht_net *net, uint32_t i)
{
    struct host *h = &net->hosts[i];
    struct dht_status status;
    if (!dht_id_fits(&h->id, &h->address)) {
        dht_status(h->dht, &net->random.env, &status);
        h->id = status.id[0];
        net->begins[i] = begin_of(&h->id);
    }
}

void dht_net_woken(struct dht_net *net, uint32_t i)
{
    struct dht_output out;
    note_id(net, i);
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
    dht_net_need(h->dht != NULL);
    h->address = address_of(i, h->life);
    memset(&h->id, 0, sizeof h->id);
    h->timer_ms = UINT64_MAX;
    for (uint32_t k = 0; k < ROUTERS && k < net->options.nodes; k++) {
        struct dht_address router = address_of(k, net->hosts[k].life);
        if (k != i) {
            dht_bootstrap(h->dht, &net->random.env, &router);
        }
    }
    dht_net_woken(net, i);
}

/* One goes, another comes; who waits for the end of an operation stays. */
static void replace(struct dht_net *net)
{
    uint32_t i = ROUTERS + dht_net_below(net, net->options.nodes - ROUTERS);
    struct host *h = &net->hosts[i];
    uint64_t share = (uint64_t)net->options.nodes * net->options.replaced_percent;
    push(net, (struct event){.at_ms = net->random.env.now_ms + 100 * (uint64_t)HOUR_MS / share,
                             .kind = EVENT_REPLACE});
    if (net->waited.operation != 0 && net->waited.node == i) {
        return;
    }
    dht_free(h->dht);
    h->life++;
    h->corrupted = false;
    net->stats.replaced++;
    start(net, i);
}

/* --- lies --- */

enum who {
    ANYBODY,
    LIARS,
    HONEST,
};

static bool lies(const struct host *h)
{
    return h->liar || h->corrupted;
}

static void as_wished(void *ctx, uint8_t *out, size_t len)
{
    memcpy(out, ctx, len);
}

/* What a liar says its ID is to who looks for a place. BEP 42 leaves an address eight beginnings.
 */
static struct dht_id said_id(const struct dht_net *net, uint32_t liar, const struct dht_id *place)
{
    struct dht_id best = net->hosts[liar].id;
    for (uint8_t k = 0; k < 8 && net->options.liars_choose; k++) {
        struct dht_id wish = *place;
        struct env env = {.random = as_wished, .random_ctx = &wish};
        memcpy(wish.b + DHT_ID / 2, &liar, sizeof liar); /* no two alike */
        wish.b[DHT_ID - 1] = (uint8_t)((wish.b[DHT_ID - 1] & 0xf8) | k);
        struct dht_id id = dht_id_for(&env, &net->hosts[liar].address);
        best = dht_id_nearer(place, &id, &best) < 0 ? id : best;
    }
    return best;
}

/* The nearest of these to a place, nearest first; gives their number. */
static unsigned nearest(const struct dht_net *net, const struct dht_id *place, enum who who,
                        uint32_t *out, unsigned max)
{
    uint64_t far[DHT_NET_NEAR];
    uint64_t begin = begin_of(place);
    unsigned count = 0;
    for (uint32_t i = 0; i < net->options.nodes; i++) {
        const struct host *h = &net->hosts[i];
        if (h->dht == NULL || (who != ANYBODY && lies(h) != (who == LIARS))) {
            continue;
        }
        uint64_t distance = net->begins[i] ^ begin;
        if (who == LIARS && net->options.liars_choose) {
            struct dht_id said = said_id(net, i, place);
            distance = begin_of(&said) ^ begin;
        }
        if (count == max && distance >= far[max - 1]) {
            continue;
        }
        count += count < max;
        unsigned at = count - 1;
        for (; at > 0 && distance < far[at - 1]; at--) {
            far[at] = far[at - 1];
            out[at] = out[at - 1];
        }
        far[at] = distance;
        out[at] = i;
    }
    return count;
}

enum {
    NAMED_HONEST = 6,
    NAMED_LIARS = 6,
    NAMED = 16, /* as many as anybody looks at */
};

/* What a liar says who is near: the honest ones that are, where they are not, so that they are not
 * asked; the nearest liars; and these under IDs nearer than anybody's, which they cannot have. */
static size_t false_nodes(struct dht_net *net, const struct dht_id *target, uint8_t *out)
{
    uint32_t honest[NAMED_HONEST];
    uint32_t liars[NAMED_LIARS];
    struct writer w = writer_of(out, (size_t)NAMED * DHT_NODE4);
    unsigned n = nearest(net, target, HONEST, honest, NAMED_HONEST);
    unsigned of = nearest(net, target, LIARS, liars, NAMED_LIARS);
    for (unsigned k = 0; k < n; k++) {
        const struct host *h = &net->hosts[honest[k]];
        struct dht_contact c = {.id = h->id, .address = h->address};
        c.address.port++;
        dht_contact_write(&w, &c);
    }
    for (unsigned k = 0; n + k < NAMED; k++) {
        const struct host *h = &net->hosts[liars[k % of]];
        struct dht_contact c = {.id = said_id(net, liars[k % of], target), .address = h->address};
        if (k >= of) {
            uint64_t noise = draw(net);
            c.id = *target;
            memcpy(c.id.b + DHT_ID - sizeof noise, &noise, sizeof noise);
        }
        dht_contact_write(&w, &c);
    }
    return w.len;
}

/* The old version of what lies at this place; NULL: there is none, or this liar has nothing. */
static const struct dht_item *old_at(const struct dht_net *net, uint32_t liar,
                                     const struct dht_id *place)
{
    for (uint32_t k = 0; k < net->old_count && liar % 3 != 0; k++) {
        if (dht_id_equal(&net->old[k].place, place)) {
            return &net->old[k].item;
        }
    }
    return NULL;
}

/* Answers a question in place of its node; false: it is answered as it should be. */
static bool lie(struct dht_net *net, uint32_t i, uint32_t from, const struct krpc *q)
{
    uint8_t nodes[NAMED * DHT_NODE4];
    uint8_t bytes[KRPC_DATAGRAM];
    if (q->kind != KRPC_QUERY || q->method == KRPC_PING || q->method == KRPC_UNKNOWN) {
        return false;
    }
    struct krpc m = {.kind = KRPC_REPLY,
                     .transaction = q->transaction,
                     .has_id = true,
                     .id = q->method == KRPC_PUT ? net->hosts[i].id : said_id(net, i, &q->target),
                     .method = KRPC_UNKNOWN};
    if (q->method != KRPC_PUT) {
        m.nodes = slice_of(nodes, false_nodes(net, &q->target, nodes));
        m.token = slice_of("token", 5);
    }
    const struct dht_item *old = q->method == KRPC_GET ? old_at(net, i, &q->target) : NULL;
    if (old != NULL) {
        dht_item_write(&m, old, false);
        net->stats.old++;
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    krpc_write(&w, &m);
    dht_net_need(w.err == ERR_OK);
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
        !(lies(h) && krpc_read(bytes, &m) == ERR_OK && lie(net, e->to, e->from, &m))) {
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
    net->waited.done = false;
    run_until(net, net->random.env.now_ms + ms);
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
    dht_net_need(net != NULL);
    net->options = *options;
    unit_env_init(&net->random, options->seed, UINT64_C(1790000000000));
    net->hosts = calloc(options->nodes, sizeof *net->hosts);
    net->begins = calloc(options->nodes, sizeof *net->begins);
    dht_net_need(net->hosts != NULL && net->begins != NULL);
    for (uint32_t i = 0; i < options->nodes; i++) {
        net->hosts[i].liar = i >= ROUTERS && dht_net_below(net, 100) < options->liars_percent;
        push(net, (struct event){.at_ms = net->random.env.now_ms + (uint64_t)i * JOIN_EACH_MS,
                                 .kind = EVENT_JOIN,
                                 .to = i});
    }
    dht_net_run(net, (uint64_t)options->nodes * JOIN_EACH_MS + MINUTE_MS);
    if (options->replaced_percent > 0) {
        push(net, (struct event){.at_ms = dht_net_now(net), .kind = EVENT_REPLACE});
    }
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
    free(net->begins);
    free(net->old);
    free(net);
}

struct dht *dht_net_node(struct dht_net *net, uint32_t i)
{
    return net->hosts[i].dht;
}

uint32_t dht_net_honest(struct dht_net *net)
{
    uint32_t i = dht_net_below(net, net->options.nodes);
    while (lies(&net->hosts[i]) || net->hosts[i].dht == NULL) {
        i = (i + 1) % net->options.nodes;
    }
    return i;
}

void dht_net_corrupt(struct dht_net *net, const struct dht_id *place, unsigned count)
{
    uint32_t near[DHT_NET_NEAR];
    dht_net_need(count <= DHT_NET_NEAR);
    for (uint32_t i = 0; i < net->options.nodes; i++) {
        net->hosts[i].corrupted = false;
    }
    unsigned n = nearest(net, place, ANYBODY, near, count);
    for (unsigned k = 0; k < n; k++) {
        net->hosts[near[k]].corrupted = true;
    }
}

void dht_net_old(struct dht_net *net, const struct dht_item *item)
{
    net->old = realloc(net->old, (net->old_count + 1) * sizeof *net->old);
    dht_net_need(net->old != NULL);
    net->old[net->old_count++] = (struct old){.place = dht_item_target(item), .item = *item};
}

struct dht_net_stats dht_net_stats(const struct dht_net *net)
{
    return net->stats;
}
