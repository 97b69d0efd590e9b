/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io/finder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hostenv.h"
#include "daemon/io/sockaddr.h"
#include "daemon/io/udp.h"

enum {
    FINDER_PUTS = 32,    /* under way at a time: half of the operations that there may be */
    FINDER_WAIT = 4096,  /* that wait; further ones come again with the next hour */
    FINDER_HEAD = 4,     /* "992:" before a descriptor */
    FINDER_LOOK = 60000, /* ms; a name that was not found is looked up again, */
    FINDER_SOON = 5000,  /* ms; the same, in the first minute */
    FINDER_SAVE = 15,    /* after so many looks the table is kept again; first when there are */
    FINDER_FEW = 8,      /* so many good nodes */
    FINDER_TRIES = 30,   /* of a put that nobody took; it comes again in an hour anyway; */
    FINDER_LATER = 3,    /* and where somebody says that another relay has put a later one */
    FINDER_TOLD = 8,     /* relays that told where they are, */
    FINDER_NAMED = 4,    /* and addresses that their name leads to */
};

#define FINDER_PREFIX "992:"

/* An operation of the DHT, and whose it is. */
struct asked {
    uint64_t operation;  /* 0: this place is free */
    uint64_t number;     /* of the core; 0: a put, */
    struct waiting *put; /* this one; owned */
};

/* A put that waits for its turn, or is under way. */
struct waiting {
    struct waiting *next;
    unsigned tries;
    struct dht_item item;
};

/* A node to begin with, by its name. */
struct host {
    uv_getaddrinfo_t resolve;
    struct finder *finder;
    char name[LIMIT_HOST + 1];
    uint16_t port;
    bool told; /* by our relay, whose host this is: it has one place, */
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
    struct waiting *failed; /* that nobody took: they wait for the next look; owned */
    struct host hosts[FINDER_HOSTS];
    unsigned host_count;
    uv_timer_t look;
    bool look_open;
    unsigned looks; /* since the table was kept */
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
    if (input == NULL) {
        abort(); /* the core waits for it: a few bytes that are not there end the process */
    }
    engine_put(f->engine, input);
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

static void wait_for_turn(struct finder *f, struct waiting *w)
{
    w->next = NULL;
    *f->last = w;
    f->last = &w->next;
    f->waiting++;
}

/* Nobody may be there: the machine came up before its network, or lost it. */
static void put_done(struct finder *f, struct waiting *w, const struct dht_report *report)
{
    f->puts--;
    f->counts.puts++;
    if (report->stored > 0) {
        f->counts.put_ms = hostenv_wall_ms();
        free(w);
    } else if (++w->tries < (report->code == KRPC_SEQ_LESS ? FINDER_LATER : FINDER_TRIES)) {
        w->next = f->failed;
        f->failed = w;
    } else {
        f->counts.put_failed++;
        free(w);
    }
}

/* Begins puts that wait, as many as there is room for. */
static void put_next(struct finder *f)
{
    while (f->first != NULL && f->puts < FINDER_PUTS && !f->stopping) {
        struct asked *a = asked_find(f, 0);
        struct waiting *w = f->first;
        uint64_t operation =
            a != NULL ? dht_put(udp_dht(f->udp), udp_env(f->udp), &w->item, false, 0) : 0;
        if (operation == 0) {
            return; /* when another one has ended */
        }
        *a = (struct asked){.operation = operation, .put = w};
        f->puts++;
        f->first = w->next;
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
    if (a->put == NULL) {
        tell(f, engine_input_link(NODE_DHT_DONE, a->number));
    } else {
        put_done(f, a->put, &out->report);
    }
    *a = (struct asked){.operation = 0};
    put_next(f); /* the flush that this is a part of sends it */
}

/* --- whom to begin with --- */

/* A relay that has us ask machines of our own network, by a name of its own. An address it has from
 * us. */
static bool leads_inside(const struct host *h, const struct sockaddr *to)
{
    return h->told && !sockaddr_is_literal(h->name) && sockaddr_is_private(to);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    struct host *h = req->data;
    unsigned named = 0;
    h->busy = false;
    for (const struct addrinfo *a = res; status == 0 && a != NULL && !h->finder->stopping;
         a = a->ai_next) {
        if (!leads_inside(h, a->ai_addr) && (!h->told || named++ < FINDER_NAMED)) {
            h->known = true;
            udp_bootstrap(h->finder->udp, a->ai_addr);
        }
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

static struct host *host_add(struct finder *f, const char *name, uint16_t port)
{
    if (f->host_count == FINDER_HOSTS) {
        return NULL;
    }
    struct host *h = &f->hosts[f->host_count++];
    *h = (struct host){.finder = f, .port = port};
    snprintf(h->name, sizeof h->name, "%s", name);
    return h;
}

void finder_host(struct finder *f, const char *host, uint16_t port)
{
    (void)host_add(f, host, port);
}

/* The place of a relay that tells where its node is; NULL: there is none. */
static struct host *host_told(struct finder *f, const char *name, uint16_t port)
{
    unsigned told = 0;
    for (unsigned i = 0; i < f->host_count; i++) {
        struct host *h = &f->hosts[i];
        if (h->told && strcmp(h->name, name) == 0) {
            h->known = h->known && h->port == port;
            h->port = port;
            return h;
        }
        told += h->told;
    }
    struct host *h = told < FINDER_TOLD ? host_add(f, name, port) : NULL;
    if (h != NULL) {
        h->told = true;
    }
    return h;
}

/* At once while nobody is there. */
static void begin_with(struct finder *f, const char *name, uint16_t port)
{
    struct dht_status status;
    struct host *h = host_told(f, name, port);
    dht_status(udp_dht(f->udp), udp_env(f->udp), &status);
    if (h != NULL && !h->busy && !h->known && status.good[0] + status.good[1] == 0) {
        resolve(h);
    }
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

/* One of the same key that waits, so that a member who signs one after the other is in nobody's
 * way. */
static struct waiting *same_key(struct waiting *list, const struct sign_pk *key)
{
    while (list != NULL && memcmp(list->item.key.b, key->b, sizeof key->b) != 0) {
        list = list->next;
    }
    return list;
}

static void put(struct finder *f, const struct node_output *o)
{
    struct bep44_item from;
    struct reader r = reader_of(slice_of(o->data, o->len));
    bep44_item_read(&r, &from);
    if (reader_end(&r) != ERR_OK) {
        return;
    }
    struct waiting *w = same_key(f->first, &from.key);
    bool fresh = w == NULL;
    if (fresh && f->waiting < FINDER_WAIT) {
        w = calloc(1, sizeof *w);
    }
    if (w == NULL) {
        f->counts.put_failed++; /* it comes again in an hour */
        return;
    }
    w->item = (struct dht_item){.is_mutable = true,
                                .key = from.key,
                                .seq = (int64_t)from.seq,
                                .value_len = FINDER_HEAD + LIMIT_DESCRIPTOR};
    memcpy(w->item.sig, from.sig, sizeof from.sig);
    memcpy(w->item.value, FINDER_PREFIX, FINDER_HEAD);
    memcpy(w->item.value + FINDER_HEAD, from.value, sizeof from.value);
    if (fresh) {
        wait_for_turn(f, w);
    }
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
    } else if (o->kind == NODE_OUT_DHT_NODE) {
        begin_with(f, o->connect.host, o->connect.port);
    } else if (o->kind == NODE_OUT_DHT_TABLE) {
        /* Out of form only after a change of version: then there are those to begin with. */
        (void)!dht_restore(udp_dht(f->udp), udp_env(f->udp), slice_of(o->data, o->len));
    }
    udp_flush(f->udp);
}

/* --- now and then --- */

static void keep_table(struct finder *f, const struct dht_status *status)
{
    uint8_t bytes[LIMIT_DHT_SAVED];
    bool enough = status->good[0] + status->good[1] >= FINDER_FEW;
    f->looks++;
    if (!enough || (f->counts.kept_ms != 0 && f->looks < FINDER_SAVE)) {
        return;
    }
    struct writer w = writer_of(bytes, sizeof bytes);
    dht_save(udp_dht(f->udp), &w);
    tell(f, engine_input_table(writer_done(&w)));
    f->counts.kept_ms = hostenv_wall_ms();
    f->looks = 0;
}

/* A machine may come up before its network does, or get to another one: while nobody is there,
 * names are looked up again. */
static void on_look(uv_timer_t *handle)
{
    struct finder *f = handle->data;
    struct dht_status status;
    dht_status(udp_dht(f->udp), udp_env(f->udp), &status);
    bool alone = status.good[0] + status.good[1] == 0;
    for (unsigned i = 0; i < f->host_count; i++) {
        if ((!f->hosts[i].known || alone) && !f->hosts[i].busy) {
            resolve(&f->hosts[i]);
        }
    }
    while (f->failed != NULL) {
        struct waiting *w = f->failed;
        f->failed = w->next;
        wait_for_turn(f, w);
    }
    put_next(f);
    udp_flush(f->udp);
    keep_table(f, &status);
    bool soon = f->counts.kept_ms == 0 && f->looks < FINDER_LOOK / FINDER_SOON;
    uv_timer_set_repeat(handle, soon ? FINDER_SOON : FINDER_LOOK);
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
    (void)uv_timer_init(f->config.uv, &f->look); /* cannot fail */
    f->look.data = f;
    f->look_open = true;
    (void)uv_timer_start(&f->look, on_look, 0, FINDER_SOON);
}

void finder_status(const struct finder *f, struct finder_status *out)
{
    *out = f->counts;
    out->put_waiting = f->waiting + f->puts;
    for (const struct waiting *w = f->failed; w != NULL; w = w->next) {
        out->put_waiting++;
    }
    dht_status(udp_dht(f->udp), udp_env(f->udp), &out->dht);
}

static void on_look_closed(uv_handle_t *handle)
{
    struct finder *f = handle->data;
    f->look_open = false;
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
    if (f->look_open) {
        uv_close((uv_handle_t *)&f->look, on_look_closed);
    }
}

bool finder_idle(const struct finder *f)
{
    bool busy = f->look_open || !udp_idle(f->udp);
    for (unsigned i = 0; i < f->host_count; i++) {
        busy = busy || f->hosts[i].busy;
    }
    return !busy;
}

static void free_all(struct waiting *list)
{
    while (list != NULL) {
        struct waiting *next = list->next;
        free(list);
        list = next;
    }
}

void finder_free(struct finder *f)
{
    if (f == NULL) {
        return;
    }
    free_all(f->first);
    free_all(f->failed);
    for (unsigned i = 0; i < DHT_OPERATIONS; i++) {
        free(f->asked[i].put);
    }
    udp_free(f->udp);
    free(f);
}
