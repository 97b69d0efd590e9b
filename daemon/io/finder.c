/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/finder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hostenv.h"
#include "daemon/io/udp.h"

enum {
    FINDER_PUTS = 32,    /* under way at a time: half of the operations that there may be */
    FINDER_WAIT = 4096,  /* that wait; further ones come again with the next hour */
    FINDER_HEAD = 4,     /* "992:" before a descriptor */
    FINDER_AGAIN = 60000 /* ms; a name that was not found is looked up again */
};

#define FINDER_PREFIX "992:"

/* An operation of the DHT, and whose it is. */
struct asked {
    uint64_t operation; /* 0: this place is free */
    uint64_t number;    /* of the core; 0: a put */
};

struct waiting {
    struct waiting *next;
    struct dht_item item;
};

/* A node to begin with, by its name. */
struct host {
    uv_getaddrinfo_t resolve;
    struct finder *finder;
    char name[LIMIT_HOST + 1];
    uint16_t port;
    bool busy;
    bool known; /* it had an address */
};

struct finder {
    struct finder_config config;
    struct udp *udp;
    struct engine *engine;
    struct asked asked[DHT_OPERATIONS];
    unsigned puts;
    struct waiting *first;
    struct waiting **last;
    size_t waiting;
    struct host hosts[FINDER_HOSTS];
    unsigned host_count;
    uv_timer_t again;
    bool again_open;
    bool stopping;
    struct finder_status counts;
};

/* --- what comes back --- */

static struct asked *asked_find(struct finder *f, uint64_t operation)
{
    for (unsigned i = 0; i < DHT_OPERATIONS; i++) {
        if (f->asked[i].operation == operation) {
            return &f->asked[i];
        }
    }
    return NULL;
}

static void tell(struct finder *f, struct engine_input *input)
{
    if (input != NULL) {
        engine_put(f->engine, input);
    }
}

/* A descriptor is one string of one length, whatever else is put in its place. */
static void item_came(struct finder *f, uint64_t number, const struct dht_item *from)
{
    struct bep44_item item = {.key = from->key, .seq = (uint64_t)from->seq};
    if (!from->is_mutable || from->value_len != FINDER_HEAD + LIMIT_DESCRIPTOR ||
        memcmp(from->value, FINDER_PREFIX, FINDER_HEAD) != 0) {
        return;
    }
    memcpy(item.sig, from->sig, sizeof item.sig);
    memcpy(item.value, from->value + FINDER_HEAD, sizeof item.value);
    tell(f, engine_input_item(number, &item));
}

static void put_done(struct finder *f, const struct dht_report *report)
{
    f->puts--;
    f->counts.puts++;
    if (report->stored > 0) {
        f->counts.put_ms = hostenv_wall_ms();
    } else {
        f->counts.put_failed++;
    }
}

/* Begins puts that wait, as many as there is room for. */
static void put_next(struct finder *f)
{
    while (f->first != NULL && f->puts < FINDER_PUTS && !f->stopping) {
        struct asked *a = asked_find(f, 0);
        uint64_t operation =
            a != NULL ? dht_put(udp_dht(f->udp), udp_env(f->udp), &f->first->item, false, 0) : 0;
        if (operation == 0) {
            return; /* when another one has ended */
        }
        *a = (struct asked){.operation = operation};
        f->puts++;
        struct waiting *next = f->first->next;
        free(f->first);
        f->first = next;
        f->waiting--;
    }
    f->last = f->first == NULL ? &f->first : f->last;
}

static void on_result(void *ctx, const struct dht_output *out)
{
    struct finder *f = ctx;
    struct asked *a = asked_find(f, out->operation);
    if (a == NULL || f->stopping) {
        return;
    }
    if (out->kind == DHT_OUT_ITEM) {
        item_came(f, a->number, &out->item);
        return;
    }
    if (a->number != 0) {
        tell(f, engine_input_link(NODE_DHT_DONE, a->number));
    } else {
        put_done(f, &out->report);
    }
    a->operation = 0;
    put_next(f); /* the flush that this is a part of sends it */
}

/* --- what the core asks --- */

static void get(struct finder *f, const struct node_output *o)
{
    struct sign_pk key;
    struct asked *a = asked_find(f, 0);
    uint64_t operation = 0;
    if (a != NULL && o->len == sizeof key.b) {
        memcpy(key.b, o->data, sizeof key.b);
        operation = dht_get_mutable(udp_dht(f->udp), udp_env(f->udp), &key, slice_of(NULL, 0));
    }
    if (operation == 0) {
        tell(f, engine_input_link(NODE_DHT_DONE, o->link));
    } else {
        *a = (struct asked){.operation = operation, .number = o->link};
    }
}

static void put(struct finder *f, const struct node_output *o)
{
    struct bep44_item from;
    struct reader r = reader_of(slice_of(o->data, o->len));
    bep44_item_read(&r, &from);
    if (reader_end(&r) != ERR_OK || f->waiting >= FINDER_WAIT) {
        return;
    }
    struct waiting *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return; /* it comes again in an hour */
    }
    w->item = (struct dht_item){.is_mutable = true,
                                .key = from.key,
                                .seq = (int64_t)from.seq,
                                .value_len = FINDER_HEAD + LIMIT_DESCRIPTOR};
    memcpy(w->item.sig, from.sig, sizeof from.sig);
    memcpy(w->item.value, FINDER_PREFIX, FINDER_HEAD);
    memcpy(w->item.value + FINDER_HEAD, from.value, sizeof from.value);
    *f->last = w;
    f->last = &w->next;
    f->waiting++;
    put_next(f);
}

void finder_output(struct finder *f, const struct node_output *o)
{
    if (f == NULL || f->stopping) {
        return;
    }
    if (o->kind == NODE_OUT_DHT_GET) {
        get(f, o);
    } else if (o->kind == NODE_OUT_DHT_PUT) {
        put(f, o);
    }
    udp_flush(f->udp);
}

/* --- whom to begin with --- */

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct host *h = req->data;
    h->busy = false;
    for (const struct addrinfo *a = res; status == 0 && a != NULL && !h->finder->stopping;
         a = a->ai_next) {
        h->known = true;
        udp_bootstrap(h->finder->udp, a->ai_addr);
    }
    uv_freeaddrinfo(res);
}

static void resolve(struct host *h)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_DGRAM,
                                   .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)h->port);
    h->resolve.data = h;
    h->busy = uv_getaddrinfo(h->finder->config.uv, &h->resolve, on_resolved, h->name, service,
                             &hints) == 0;
}

/* A machine may come up before its network does. */
static void on_again(uv_timer_t *handle)
{
    struct finder *f = handle->data;
    bool all = true;
    for (unsigned i = 0; i < f->host_count; i++) {
        all = all && f->hosts[i].known;
        if (!f->hosts[i].known && !f->hosts[i].busy) {
            resolve(&f->hosts[i]);
        }
    }
    if (all) {
        (void)uv_timer_stop(handle);
    }
}

void finder_host(struct finder *f, const char *host, uint16_t port)
{
    if (f->host_count < FINDER_HOSTS) {
        struct host *h = &f->hosts[f->host_count++];
        *h = (struct host){.finder = f, .port = port};
        snprintf(h->name, sizeof h->name, "%s", host);
    }
}

/* --- life --- */

enum err finder_new(struct finder **out, const struct finder_config *config)
{
    struct finder *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return ERR_NO_MEMORY;
    }
    f->config = *config;
    f->last = &f->first;
    const struct udp_config udp = {.uv = config->uv,
                                   .log = config->log,
                                   .read_only = config->read_only,
                                   .result = on_result,
                                   .ctx = f};
    enum err err = udp_new(&f->udp, &udp);
    if (err != ERR_OK) {
        free(f);
        return err;
    }
    *out = f;
    return ERR_OK;
}

enum err finder_listen(struct finder *f, const char *host, uint16_t port, uint16_t *bound)
{
    return udp_listen(f->udp, host, port, bound);
}

void finder_start(struct finder *f, struct engine *engine)
{
    f->engine = engine;
    (void)uv_timer_init(f->config.uv, &f->again); /* cannot fail */
    f->again.data = f;
    f->again_open = true;
    if (f->host_count > 0) {
        (void)uv_timer_start(&f->again, on_again, 0, FINDER_AGAIN);
    }
}

void finder_status(const struct finder *f, struct finder_status *out)
{
    *out = f->counts;
    out->put_waiting = f->waiting;
    dht_status(udp_dht(f->udp), udp_env(f->udp), &out->dht);
}

static void on_again_closed(uv_handle_t *handle)
{
    struct finder *f = handle->data;
    f->again_open = false;
}

void finder_stop(struct finder *f)
{
    if (f->stopping) {
        return;
    }
    f->stopping = true;
    udp_stop(f->udp);
    for (unsigned i = 0; i < f->host_count; i++) {
        if (f->hosts[i].busy) {
            (void)uv_cancel((uv_req_t *)&f->hosts[i].resolve);
        }
    }
    if (f->again_open) {
        uv_close((uv_handle_t *)&f->again, on_again_closed);
    }
}

bool finder_idle(const struct finder *f)
{
    bool busy = f->again_open || !udp_idle(f->udp);
    for (unsigned i = 0; i < f->host_count; i++) {
        busy = busy || f->hosts[i].busy;
    }
    return !busy;
}

void finder_free(struct finder *f)
{
    if (f == NULL) {
        return;
    }
    while (f->first != NULL) {
        struct waiting *next = f->first->next;
        free(f->first);
        f->first = next;
    }
    udp_free(f->udp);
    free(f);
}
