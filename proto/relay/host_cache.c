/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/host_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "relay/item.h"
#include "relay/queue.h"

enum {
    MAP_FIRST = 64
}; /* buckets of the smallest map */

/* --- maps: buckets of chains --- */

static uint64_t key_number(const struct sign_pk *key)
{
    uint64_t n;
    memcpy(&n, key->b, sizeof n);
    return n;
}

static uint64_t map_number(const struct relay_queue *q, enum relay_map m)
{
    return m == RELAY_MAP_KEY ? key_number(&q->key) : m == RELAY_MAP_NUMBER ? q->number : q->link;
}

static size_t bucket_of(const struct relay_cache *c, enum relay_map m, uint64_t number)
{
    uint64_t h = (number ^ c->salt) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) & (c->maps[m].cap - 1);
}

static enum err map_grow(struct relay_cache *c, enum relay_map m)
{
    size_t old_cap = c->maps[m].cap;
    struct relay_queue **old = c->maps[m].buckets;
    size_t cap = old_cap == 0 ? MAP_FIRST : old_cap * 2;
    struct relay_queue **buckets = calloc(cap, sizeof(struct relay_queue *));
    if (buckets == NULL) {
        return ERR_NO_MEMORY;
    }
    c->maps[m].buckets = buckets;
    c->maps[m].cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        while (old[i] != NULL) {
            struct relay_queue *q = old[i];
            old[i] = q->chain[m];
            size_t b = bucket_of(c, m, map_number(q, m));
            q->chain[m] = buckets[b];
            buckets[b] = q;
        }
    }
    free(old);
    return ERR_OK;
}

static enum err map_add(struct relay_cache *c, enum relay_map m, struct relay_queue *q)
{
    if (c->maps[m].count >= c->maps[m].cap) {
        enum err err = map_grow(c, m);
        if (err != ERR_OK) {
            return err;
        }
    }
    size_t b = bucket_of(c, m, map_number(q, m));
    q->chain[m] = c->maps[m].buckets[b];
    c->maps[m].buckets[b] = q;
    c->maps[m].count++;
    return ERR_OK;
}

static void map_remove(struct relay_cache *c, enum relay_map m, struct relay_queue *q)
{
    struct relay_queue **at = &c->maps[m].buckets[bucket_of(c, m, map_number(q, m))];
    while (*at != q) {
        assert(*at != NULL);
        at = &(*at)->chain[m];
    }
    *at = q->chain[m];
    c->maps[m].count--;
}

static struct relay_queue *map_first(struct relay_cache *c, enum relay_map m, uint64_t number)
{
    if (c->maps[m].cap == 0) {
        return NULL;
    }
    struct relay_queue *q = c->maps[m].buckets[bucket_of(c, m, number)];
    while (q != NULL && map_number(q, m) != number) {
        q = q->chain[m];
    }
    return q;
}

struct relay_queue *relay_cache_by_key(struct relay_cache *c, const struct sign_pk *key)
{
    struct relay_queue *q = map_first(c, RELAY_MAP_KEY, key_number(key));
    while (q != NULL && memcmp(q->key.b, key->b, sizeof key->b) != 0) {
        q = q->chain[RELAY_MAP_KEY];
    }
    return q;
}

struct relay_queue *relay_cache_by_number(struct relay_cache *c, uint32_t number)
{
    return map_first(c, RELAY_MAP_NUMBER, number);
}

struct relay_queue *relay_cache_by_link(struct relay_cache *c, uint64_t link)
{
    return map_first(c, RELAY_MAP_LINK, link);
}

struct relay_queue *relay_cache_of_member(struct relay_cache *c,
                                          const uint8_t member[static SEAL_NAME])
{
    for (size_t i = 0; i < c->maps[RELAY_MAP_KEY].cap; i++) {
        struct relay_queue *q = c->maps[RELAY_MAP_KEY].buckets[i];
        while (q != NULL && memcmp(q->member, member, SEAL_NAME) != 0) {
            q = q->chain[RELAY_MAP_KEY];
        }
        if (q != NULL) {
            return q;
        }
    }
    return NULL;
}

/* --- the list of scanned queues --- */

static void list_remove(struct relay_cache *c, struct relay_queue *q)
{
    *(q->newer != NULL ? &q->newer->older : &c->newest) = q->older;
    *(q->older != NULL ? &q->older->newer : &c->oldest) = q->newer;
    q->newer = NULL;
    q->older = NULL;
    c->scanned--;
}

static void list_add(struct relay_cache *c, struct relay_queue *q)
{
    q->newer = NULL;
    q->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = q;
    c->newest = q;
    c->scanned++;
}

static void forget(struct relay_cache *c, struct relay_queue *q)
{
    if (q->scanned) {
        c->nonces -= q->spent.used;
        spent_fini(&q->spent);
        list_remove(c, q);
        q->scanned = false;
    }
}

static size_t volatile_free(struct relay_queue *q)
{
    size_t bytes = 0;
    while (q->volatile_first != NULL) {
        struct relay_volatile *v = q->volatile_first;
        q->volatile_first = v->next;
        bytes += v->len;
        free(v);
    }
    q->volatile_last = NULL;
    return bytes;
}

static void queue_free(struct relay_queue *q)
{
    spent_fini(&q->spent);
    (void)volatile_free(q);
    free(q->window);
    secret_wipe(q, sizeof *q);
    free(q);
}

static void remove_free(struct relay_cache *c, struct relay_queue *q)
{
    map_remove(c, RELAY_MAP_KEY, q);
    map_remove(c, RELAY_MAP_NUMBER, q);
    queue_free(q);
}

void relay_cache_drop(struct relay_cache *c, struct relay_queue *q)
{
    forget(c, q);
    if (!q->attached) {
        remove_free(c, q);
    }
}

/* Makes room; the newest stays, however large. */
static void shrink(struct relay_cache *c)
{
    while ((c->nonces > c->limit || c->scanned > LIMIT_QUEUE_CACHE) && c->oldest != c->newest) {
        relay_cache_drop(c, c->oldest);
    }
}

void relay_cache_init(struct relay_cache *c, uint64_t limit, const struct relay_removals *removals)
{
    *c = (struct relay_cache){.limit = limit > SIZE_MAX ? SIZE_MAX : (size_t)limit,
                              .removals = removals};
}

void relay_cache_fini(struct relay_cache *c)
{
    for (size_t i = 0; i < c->maps[RELAY_MAP_KEY].cap; i++) {
        while (c->maps[RELAY_MAP_KEY].buckets[i] != NULL) {
            struct relay_queue *q = c->maps[RELAY_MAP_KEY].buckets[i];
            c->maps[RELAY_MAP_KEY].buckets[i] = q->chain[RELAY_MAP_KEY];
            queue_free(q);
        }
    }
    for (int m = 0; m < RELAY_MAPS; m++) {
        free(c->maps[m].buckets);
    }
    *c = (struct relay_cache){0};
}

/* --- the stored row: number u32 | k 32 | member name 16 --- */

static struct store_key row_key(struct seal_keys *keys, const struct sign_pk *key)
{
    uint8_t name[SEAL_NAME];
    seal_name(keys, "petrel/1 relay queue", slice_of(key->b, sizeof key->b), name);
    struct store_key k = store_key_new();
    store_key_bytes(&k, name, sizeof name);
    return k;
}

enum err relay_queue_row_read(struct slice plain, struct relay_queue_row *row)
{
    struct reader r = reader_of(plain);
    row->number = reader_u32(&r);
    reader_copy(&r, row->k.b, sizeof row->k.b);
    reader_copy(&r, row->member, sizeof row->member);
    return reader_end(&r) == ERR_OK ? ERR_OK : ERR_CORRUPT;
}

enum err relay_queue_row_get(struct seal_keys *keys, struct turn *turn, const struct sign_pk *key,
                             struct relay_queue_row *row)
{
    struct store_key k = row_key(keys, key);
    struct slice plain;
    enum err err = seal_get(keys, turn, STORE_QUEUE, store_key_slice(&k), &plain);
    if (err != ERR_OK) {
        return err;
    }
    return relay_queue_row_read(plain, row);
}

enum err relay_queue_row_put(struct seal_keys *keys, struct turn *turn, const struct sign_pk *key,
                             const struct relay_queue_row *row)
{
    struct store_key k = row_key(keys, key);
    uint8_t buf[RELAY_QUEUE_ROW];
    struct writer w = writer_of(buf, sizeof buf);
    writer_u32(&w, row->number);
    writer_bytes(&w, row->k.b, sizeof row->k.b);
    writer_bytes(&w, row->member, sizeof row->member);
    enum err err = seal_put(keys, turn, STORE_QUEUE, store_key_slice(&k), 0, writer_done(&w));
    secret_wipe(buf, sizeof buf);
    return err;
}

/* --- loading --- */

static enum err queue_load(struct relay_cache *c, struct seal_keys *keys, struct turn *turn,
                           const struct sign_pk *key, struct relay_queue **out)
{
    struct relay_queue_row row;
    enum err err = relay_queue_row_get(keys, turn, key, &row);
    if (err != ERR_OK) {
        return err;
    }
    if (relay_removals_has(c->removals, row.member)) {
        secret_wipe(&row, sizeof row);
        return ERR_NOT_FOUND;
    }
    struct relay_queue *q = calloc(1, sizeof *q);
    if (q == NULL) {
        secret_wipe(&row, sizeof row);
        return ERR_NO_MEMORY;
    }
    memcpy(q->member, row.member, sizeof q->member);
    q->key = *key;
    q->number = row.number;
    q->k = row.k;
    secret_wipe(&row, sizeof row);
    err = map_add(c, RELAY_MAP_KEY, q);
    if (err != ERR_OK) {
        queue_free(q);
        return err;
    }
    err = map_add(c, RELAY_MAP_NUMBER, q);
    if (err != ERR_OK) {
        map_remove(c, RELAY_MAP_KEY, q);
        queue_free(q);
        return err;
    }
    *out = q;
    return ERR_OK;
}

/* One walk over the queue's index. q is in no list while it runs. */
static enum err scan(struct relay_cache *c, struct turn *turn, struct relay_queue *q)
{
    uint64_t arrival = 0;
    uint64_t first = 0;
    q->rows = 0;
    q->waiting = 0;
    q->bytes = 0;
    for (;;) {
        struct item_row row;
        enum err err = item_index_next(turn->store, q->number, &arrival, &row);
        if (err == ERR_NOT_FOUND) {
            break;
        }
        if (err == ERR_OK) {
            err = spent_add(&q->spent, c->salt, row.nonce, arrival);
        }
        if (err != ERR_OK) {
            spent_fini(&q->spent);
            return err;
        }
        q->rows++;
        if (row.state == ITEM_STORED) {
            first = first == 0 ? arrival : first;
            q->waiting++;
            q->bytes += queue_envelope_size(row.envelope_class);
        }
    }
    q->low = first != 0 ? first - 1 : arrival;
    q->scanned = true;
    c->nonces += q->spent.used;
    list_add(c, q);
    return ERR_OK;
}

enum err relay_cache_open(struct relay_cache *c, struct seal_keys *keys, struct turn *turn,
                          const struct sign_pk *key, struct relay_queue **out)
{
    struct relay_queue *q = relay_cache_by_key(c, key);
    if (q == NULL) {
        enum err err = queue_load(c, keys, turn, key, &q);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (q->scanned) {
        list_remove(c, q);
        list_add(c, q);
    } else {
        enum err err = scan(c, turn, q);
        if (err != ERR_OK) {
            return err; /* LOCAL: the host is thrown away with q in its maps */
        }
        shrink(c);
    }
    *out = q;
    return ERR_OK;
}

enum err relay_cache_spend(struct relay_cache *c, struct relay_queue *q,
                           const uint8_t nonce[static TOKEN_NONCE], uint64_t arrival)
{
    enum err err = spent_add(&q->spent, c->salt, nonce, arrival);
    if (err == ERR_OK) {
        c->nonces++;
        shrink(c);
    }
    return err;
}

enum err relay_cache_attach(struct relay_cache *c, struct relay_queue *q, uint64_t link)
{
    assert(!q->attached);
    q->link = link;
    enum err err = map_add(c, RELAY_MAP_LINK, q);
    q->attached = err == ERR_OK;
    return err;
}

size_t relay_cache_detach(struct relay_cache *c, struct relay_queue *q)
{
    assert(q->attached && !q->ready);
    map_remove(c, RELAY_MAP_LINK, q);
    q->attached = false;
    size_t bytes = volatile_free(q);
    free(q->window);
    q->window = NULL;
    if (!q->scanned) {
        remove_free(c, q);
    }
    return bytes;
}
