/* SPDX-License-Identifier: Apache-2.0
 *
 * resolve: where a person is, asked of all at once and shown: what is known of a contact, our
 * relay, the DHT. It changes nothing. docs/protocol/11-dht.md, 11.8.
 *
 * The call is answered when all have answered, turns later: until then it is in the node's list. A
 * turn may fail after it, so that what it made is only believed in the next one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/blind.h"
#include "node/core.h"
#include "node/descriptor.h"
#include "node/params.h"
#include "relay/descriptor_record.h"

enum {
    RESOLVE_WAYS = 1 + 2 * SEEK_KEYS, /* what is known; each key at our relay and in the DHT */
    RESOLVE_WAY_BITS = 3,             /* of the number of a link or lookup: which way it is */
    RESOLVE_RESULT = 4096,
    RESOLVE_FOUND = 3, /* pairs that say what was found */
};

static_assert(RESOLVE_WAYS <= 1 << RESOLVE_WAY_BITS, "ways have numbers");

enum resolve_kind {
    RESOLVE_CONTACT,
    RESOLVE_RELAY,
    RESOLVE_DHT,
};

static const char *const KINDS[] = {
    [RESOLVE_CONTACT] = "contact", [RESOLVE_RELAY] = "relay", [RESOLVE_DHT] = "dht"};

/* One that is asked. */
struct resolve_way {
    enum resolve_kind kind;
    uint64_t period; /* whose key; 0: none */
    bool off;        /* it is not asked here */
    bool done;
    enum err err; /* when done; ERR_OK: found */
    uint64_t took_ms;
    unsigned items; /* that came, */
    unsigned wrong; /* and of these, were not what they should be */
    uint64_t seq;   /* of what was found */
    struct descriptor found;
};

struct resolve {
    struct resolve *next;
    uint32_t number;
    uint32_t account;
    uint64_t client; /* whose call it is, */
    uint32_t call;   /* and which of theirs */
    bool fresh;      /* begun in this turn, */
    bool answered;   /* or answered in it */
    uint64_t begun_ms;
    struct sign_pk id;
    uint32_t known_version; /* of a contact's list, and when it was made; 0: none is known */
    uint64_t known_ms;
    unsigned count;
    struct resolve_way ways[RESOLVE_WAYS];
};

/* --- one way --- */

static uint64_t took(struct step *step, const struct resolve *r)
{
    uint64_t now = step_now(step);
    return now > r->begun_ms ? now - r->begun_ms : 0;
}

static void done(struct step *step, const struct resolve *r, struct resolve_way *way, enum err err)
{
    if (!way->done) {
        way->done = true;
        way->err = err;
        way->took_ms = took(step, r);
    }
}

/* An item that came that way: kept if it is theirs, and newer than what came before. */
static enum err take(const struct resolve *r, struct resolve_way *way,
                     const struct bep44_item *from)
{
    struct descriptor descriptor;
    struct bep44_item item = *from;
    enum err err = blind_public(&r->id, way->period, &item.key);
    err = err == ERR_OK ? descriptor_open(&r->id, way->period, &item, &descriptor) : err;
    way->items++;
    if (err != ERR_OK) {
        way->wrong++;
        return err;
    }
    if (way->seq == 0 || item.seq > way->seq ||
        (item.seq == way->seq && descriptor.created_ms > way->found.created_ms)) {
        way->found = descriptor;
        way->seq = item.seq;
    }
    return ERR_OK;
}

static struct resolve *find(const struct node *node, uint32_t name)
{
    struct resolve *r = node->resolves;
    while (r != NULL && r->number != name >> RESOLVE_WAY_BITS) {
        r = r->next;
    }
    return r;
}

/* The way of this name, while somebody waits for it; NULL: nobody does. */
static struct resolve_way *way_of(struct resolve *r, uint32_t name)
{
    unsigned i = name & ((1U << RESOLVE_WAY_BITS) - 1);
    return r != NULL && i < r->count && !r->ways[i].done ? &r->ways[i] : NULL;
}

static uint32_t name_of(const struct resolve *r, const struct resolve_way *way)
{
    return r->number << RESOLVE_WAY_BITS | (uint32_t)(way - r->ways);
}

/* --- our relay --- */

static enum err relay_begin(struct account *me, struct step *step, struct resolve *r,
                            struct resolve_way *way)
{
    const struct home *home = home_main(me);
    struct node_link *link;
    if (home->address.port == 0) {
        done(step, r, way, ERR_NO_RELAY);
        return ERR_OK;
    }
    return links_resolve(&me->node->links, step, me->number, name_of(r, way), &home->address,
                         &link);
}

enum err resolve_link_opened(struct node *node, struct step *step, struct node_link *link)
{
    struct resolve *r = find(node, link->peer);
    struct resolve_way *way = way_of(r, link->peer);
    if (way == NULL) {
        return ERR_NOT_FOUND;
    }
    struct descriptor_get get;
    enum err err = blind_public(&r->id, way->period, &get.blinded);
    if (err == ERR_OK) {
        struct writer w = step_writer(step, 128);
        descriptor_get_write(&w, &get);
        err = links_request(link, step, FRAME_DESCRIPTOR_GET, writer_done(&w), link->peer, 0);
    }
    if (err_class(err) != ERR_CLASS_LOCAL && err != ERR_OK) {
        done(step, r, way, err);
    }
    return err;
}

void resolve_link_closed(struct node *node, struct step *step, const struct node_link *link,
                         enum err reason)
{
    struct resolve *r = find(node, link->peer);
    struct resolve_way *way = way_of(r, link->peer);
    if (way != NULL) {
        done(step, r, way, reason == ERR_OK ? ERR_LINK_CLOSED : reason);
    }
}

enum err resolve_reply(struct node *node, struct step *step, const struct node_link *link,
                       struct slice body)
{
    struct resolve *r = find(node, link->peer);
    struct resolve_way *way = way_of(r, link->peer);
    struct descriptor_get_reply reply;
    enum err err = descriptor_get_reply_read(body, &reply);
    if (way == NULL) {
        return err;
    }
    if (err == ERR_OK && reply.head.err == ERR_OK) {
        done(step, r, way, take(r, way, &reply.item));
    } else {
        done(step, r, way, err != ERR_OK ? err : reply.head.err);
    }
    return err;
}

/* --- the DHT --- */

void resolve_item(struct node *node, uint32_t name, const struct bep44_item *item)
{
    struct resolve *r = find(node, name);
    struct resolve_way *way = way_of(r, name);
    if (way != NULL) {
        (void)!take(r, way, item); /* it is counted */
    }
}

void resolve_sought(struct node *node, struct step *step, uint32_t name)
{
    struct resolve *r = find(node, name);
    struct resolve_way *way = way_of(r, name);
    if (way != NULL) {
        done(step, r, way, way->seq != 0 ? ERR_OK : ERR_NOT_FOUND);
    }
}

/* --- the call --- */

static struct resolve_way *add(struct resolve *r, enum resolve_kind kind, uint64_t period)
{
    struct resolve_way *way = &r->ways[r->count++];
    *way = (struct resolve_way){.kind = kind, .period = period};
    return way;
}

/* What is known of a contact. */
static enum err contact_begin(struct account *me, struct step *step, struct resolve *r)
{
    struct contact_row row;
    uint32_t number;
    struct resolve_way *way = add(r, RESOLVE_CONTACT, 0);
    enum err err = contact_row_find(step, me->keys, &r->id, &number);
    err = err == ERR_OK ? contact_row_get(step, me->keys, number, &row) : err;
    if (err != ERR_OK || !row.has_record) {
        done(step, r, way, ERR_NOT_FOUND);
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    way->found.created_ms = row.described_ms;
    way->found.list_version = (uint32_t)row.list_version;
    way->found.relays[0].address = row.relay;
    done(step, r, way, ERR_OK);
    if (row.list.len == 0) {
        return ERR_OK;
    }
    struct device_list *known;
    err = contact_list_known(step, &row, &known);
    if (err == ERR_OK) { /* where they are, they say in their list too */
        r->known_version = known->version;
        r->known_ms = known->created_ms;
        bool newer = known->created_ms > way->found.created_ms;
        way->found.created_ms = newer ? known->created_ms : way->found.created_ms;
        way->found.list_version = newer ? known->version : way->found.list_version;
    }
    return err;
}

static enum err dht_begin(struct account *me, struct step *step, struct resolve *r,
                          struct resolve_way *way)
{
    if (!me->node->config.dht || me->hidden) {
        way->off = true;
        done(step, r, way, ERR_NOT_NOW);
        return ERR_OK;
    }
    enum err err = seek_resolve(me->node, step, &r->id, way->period, name_of(r, way));
    if (err != ERR_OK && err_class(err) != ERR_CLASS_LOCAL) {
        done(step, r, way, err);
        err = ERR_OK;
    }
    return err;
}

enum err resolve_begin(struct account *me, struct step *step, const struct resolve_call *call)
{
    struct node *node = me->node;
    uint64_t periods[SEEK_KEYS];
    unsigned open = 0;
    for (const struct resolve *r = node->resolves; r != NULL; r = r->next) {
        open++;
    }
    if (open >= LIMIT_RESOLVES) {
        return ERR_BACKPRESSURE;
    }
    struct resolve *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ERR_NO_MEMORY;
    }
    node->last_resolve = (node->last_resolve + 1) & (UINT32_MAX >> RESOLVE_WAY_BITS);
    r->number = node->last_resolve;
    r->account = me->number;
    r->client = call->client;
    r->call = call->number;
    r->id = call->id;
    r->fresh = true;
    r->begun_ms = step_now(step);
    r->next = node->resolves;
    node->resolves = r;
    enum err err = contact_begin(me, step, r);
    unsigned n = seek_periods(step_now(step), periods);
    for (unsigned i = 0; err == ERR_OK && i < n; i++) {
        err = relay_begin(me, step, r, add(r, RESOLVE_RELAY, periods[i]));
        err = err == ERR_OK ? dht_begin(me, step, r, add(r, RESOLVE_DHT, periods[i])) : err;
    }
    if (err != ERR_OK) { /* it is answered with that */
        node->resolves = r->next;
        free(r);
    }
    return err;
}

/* It names a list that is older than the one that is known: it leads nowhere (finding.c). */
static bool is_old(const struct resolve *r, const struct resolve_way *way)
{
    return way->found.list_version < r->known_version && way->found.created_ms < r->known_ms;
}

/* What was made last is where they are. */
static const struct resolve_way *best(const struct resolve *r)
{
    const struct resolve_way *found = NULL;
    for (unsigned i = 0; i < r->count; i++) {
        const struct resolve_way *way = &r->ways[i];
        bool newer = found == NULL || way->found.created_ms > found->found.created_ms ||
                     (way->found.created_ms == found->found.created_ms && way->seq > found->seq);
        found = way->err == ERR_OK && newer && !is_old(r, way) ? way : found;
    }
    return found;
}

static uint32_t found_pairs(const struct resolve_way *way)
{
    return way->found.created_ms != 0 ? RESOLVE_FOUND : RESOLVE_FOUND - 1;
}

static void write_found(struct writer *w, const struct resolve_way *way)
{
    char address[ADDRESS_TEXT];
    address_print(&way->found.relays[0].address, address);
    result_text(w, "relay", address);
    result_uint(w, "list_version", way->found.list_version);
    if (way->found.created_ms != 0) { /* an invitation does not say */
        result_uint(w, "created", way->found.created_ms);
    }
}

static void write_way(struct writer *w, const struct resolve_way *way)
{
    bool found = way->err == ERR_OK;
    bool keyed = way->period != 0;
    pack_map(w, 3U + (keyed ? 3U : 0U) + (found ? found_pairs(way) : 0U));
    result_text(w, "way", KINDS[way->kind]);
    result_text(w, "result", way->off ? "off" : found ? "found" : err_name(way->err));
    result_uint(w, "took", way->took_ms);
    if (keyed) {
        result_uint(w, "period", way->period);
        result_uint(w, "items", way->items);
        result_uint(w, "wrong", way->wrong);
    }
    if (found) {
        write_found(w, way);
    }
}

static enum err answer(struct step *step, struct resolve *r)
{
    const struct resolve_way *found = best(r);
    struct writer w = step_writer(step, RESOLVE_RESULT);
    char id[ID_TEXT];
    id_encode(r->id.b, id);
    pack_map(&w, 4U + (found != NULL ? found_pairs(found) : 0U));
    result_text(&w, "id", id);
    result_bool(&w, "found", found != NULL);
    if (found != NULL) {
        write_found(&w, found);
    }
    result_uint(&w, "took", took(step, r));
    pack_str(&w, "ways");
    pack_array(&w, r->count);
    for (unsigned i = 0; i < r->count; i++) {
        write_way(&w, &r->ways[i]);
    }
    if (w.err != ERR_OK) {
        return w.cap == 0 ? ERR_NO_MEMORY : ERR_BUG;
    }
    r->answered = true;
    return step_reply(step, r->client, r->call, ERR_OK, 0, writer_done(&w));
}

/* --- the node's list --- */

static enum err progress(struct node *node, struct step *step, struct resolve *r)
{
    const struct account *me = account_find(node, r->account);
    if (me == NULL || me->keys == NULL || me->removing) {
        r->answered = true;
        return step_reply(step, r->client, r->call,
                          me == NULL || me->removing ? ERR_NO_ACCOUNT : ERR_ACCOUNT_LOCKED, 0,
                          slice_of(NULL, 0));
    }
    unsigned open = 0;
    r->begun_ms = earlier(r->begun_ms, step_now(step)); /* the clock was set back */
    for (unsigned i = 0; i < r->count; i++) {
        if (step_now(step) >= r->begun_ms + LIMIT_RESOLVE_MS) {
            done(step, r, &r->ways[i], r->ways[i].seq != 0 ? ERR_OK : ERR_TIMEOUT);
        }
        open += !r->ways[i].done;
    }
    return open == 0 ? answer(step, r) : ERR_OK;
}

enum err resolve_progress(struct node *node, struct step *step)
{
    enum err err = ERR_OK;
    for (struct resolve *r = node->resolves; r != NULL && err == ERR_OK; r = r->next) {
        err = r->answered ? ERR_OK : progress(node, step, r);
    }
    return err;
}

uint64_t resolve_deadline(const struct node *node)
{
    uint64_t first = UINT64_MAX;
    for (const struct resolve *r = node->resolves; r != NULL; r = r->next) {
        first = r->answered ? first : earlier(first, r->begun_ms + LIMIT_RESOLVE_MS);
    }
    return first;
}

void resolve_committed(struct node *node)
{
    struct resolve **at = &node->resolves;
    while (*at != NULL) {
        struct resolve *r = *at;
        r->fresh = false;
        if (r->answered) {
            *at = r->next;
            free(r);
        } else {
            at = &r->next;
        }
    }
}

enum err resolve_abandon(struct node *node, struct step *step)
{
    enum err err = ERR_OK;
    for (struct resolve *r = node->resolves; r != NULL && err == ERR_OK; r = r->next) {
        if (!r->fresh) {
            err = step_reply(step, r->client, r->call, ERR_BACKPRESSURE, 0, slice_of(NULL, 0));
        }
    }
    return err;
}

void resolve_free(struct node *node)
{
    while (node->resolves != NULL) {
        struct resolve *next = node->resolves->next;
        free(node->resolves);
        node->resolves = next;
    }
}
