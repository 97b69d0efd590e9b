/* SPDX-License-Identifier: Apache-2.0 */
#include "dht/items.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum {
    DHT_ITEMS_NET4 = 3, /* bytes of an address that are its network */
    DHT_ITEMS_NET6 = 6,
};

struct stored {
    struct dht_id target;
    struct dht_address by;
    uint16_t net;    /* of by: which count it is in */
    uint64_t own_ms; /* when it was put from there last, */
    uint64_t put_ms; /* and by anybody */
    struct dht_item item;
};

struct peer {
    struct dht_id hash;
    struct dht_address address;
    uint64_t put_ms;
};

struct dht_items {
    size_t count;
    struct {
        struct stored *p;
    } stored[DHT_ITEMS];       /* by target, ascending; owned */
    uint8_t net_key[PRIM_KEY]; /* of networks among the counts: nobody outside knows which two */
    uint16_t nets[DHT_ITEMS_NETS]; /* share one; items of each */
    size_t peer_count;
    struct peer peers[DHT_PEERS];
};

struct dht_items *dht_items_new(const struct env *env)
{
    struct dht_items *items = calloc(1, sizeof *items);
    if (items != NULL) {
        env_random(env, items->net_key, sizeof items->net_key);
    }
    return items;
}

static uint16_t net_of(const struct dht_items *items, const struct dht_address *a)
{
    uint8_t bytes[DHT_COMPACT6];
    uint8_t hash[16];
    struct slice net = dht_address_prefix(a, DHT_ITEMS_NET4, DHT_ITEMS_NET6, bytes);
    prim_blake2b(hash, sizeof hash, slice_of(items->net_key, PRIM_KEY), "petrel/1 dht network",
                 &net, 1);
    return (uint16_t)((hash[0] << 8 | hash[1]) % DHT_ITEMS_NETS);
}

void dht_items_free(struct dht_items *items)
{
    if (items == NULL) {
        return;
    }
    for (size_t i = 0; i < items->count; i++) {
        free(items->stored[i].p);
    }
    secret_wipe(items->net_key, sizeof items->net_key);
    free(items);
}

/* Where the first one is that is not below target. */
static size_t place_of(const struct dht_items *items, const struct dht_id *target)
{
    size_t low = 0;
    size_t high = items->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        assert(items->stored[mid].p != NULL);
        if (memcmp(items->stored[mid].p->target.b, target->b, DHT_ID) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct stored *find(const struct dht_items *items, const struct dht_id *target, size_t *at)
{
    *at = place_of(items, target);
    return *at < items->count && dht_id_equal(&items->stored[*at].p->target, target)
               ? items->stored[*at].p
               : NULL;
}

static bool is_over(uint64_t put_ms, uint64_t lives, uint64_t now)
{
    return now > put_ms && now - put_ms >= lives;
}

static void remove_at(struct dht_items *items, size_t at)
{
    items->nets[items->stored[at].p->net]--;
    free(items->stored[at].p);
    items->count--;
    memmove(&items->stored[at], &items->stored[at + 1],
            (items->count - at) * sizeof items->stored[0]);
}

const struct dht_item *dht_items_get(struct dht_items *items, const struct dht_id *target,
                                     uint64_t now)
{
    size_t at;
    struct stored *s = find(items, target, &at);
    return s != NULL && !is_over(s->put_ms, DHT_ITEM_MS, now) ? &s->item : NULL;
}

static size_t of_host(const struct dht_items *items, const struct dht_address *by)
{
    size_t count = 0;
    for (size_t i = 0; i < items->count; i++) {
        assert(items->stored[i].p != NULL);
        count += dht_address_same_host(&items->stored[i].p->by, by);
    }
    return count;
}

/* Which one goes when there is no room: of those that the largest network has put, the one that was
 * put longest ago. */
static size_t least(const struct dht_items *items)
{
    size_t found = 0;
    for (size_t i = 1; i < items->count; i++) {
        const struct stored *s = items->stored[i].p;
        const struct stored *f = items->stored[found].p;
        unsigned more = items->nets[s->net];
        unsigned most = items->nets[f->net];
        if (more > most || (more == most && s->put_ms < f->put_ms)) {
            found = i;
        }
    }
    return found;
}

/* Whether what counts for `mine` is that of the network that floods us, and `other` has less. */
static bool is_flooded(const struct dht_items *items, uint16_t mine, uint16_t other)
{
    return items->count == DHT_ITEMS && items->nets[other] < items->nets[mine] &&
           items->nets[mine] == items->nets[items->stored[least(items)].p->net];
}

/* Anybody may put an item again, and could make it count as one of a network that floods us, or as
 * one more of a host that has its share. So it counts for who put it first, as long as they go on;
 * but for nobody who floods us while another one wants it. */
static void put_again(struct dht_items *items, struct stored *s, const struct dht_address *by,
                      uint64_t now)
{
    uint16_t net = net_of(items, by);
    if (net == s->net || is_over(s->own_ms, DHT_ITEM_MS, now) || is_flooded(items, s->net, net)) {
        items->nets[s->net]--;
        items->nets[net]++;
        s->net = net;
        s->by = *by;
        s->own_ms = now;
    }
}

int dht_items_put(struct dht_items *items, const struct dht_item *item, bool has_cas, int64_t cas,
                  const struct dht_address *by, uint64_t now)
{
    struct dht_id target = dht_item_target(item);
    size_t at;
    struct stored *s = find(items, &target, &at);
    if (s != NULL && is_over(s->put_ms, DHT_ITEM_MS, now)) {
        remove_at(items, at);
        s = NULL;
    }
    if (s != NULL) {
        int code = dht_item_replaces(item, &s->item, has_cas, cas);
        if (code == 0) {
            s->item = *item;
            s->put_ms = now;
            put_again(items, s, by, now);
        }
        return code;
    }
    if (!dht_address_local(by) && of_host(items, by) >= DHT_ITEMS_HOST) {
        return KRPC_SERVER;
    }
    if (items->count == DHT_ITEMS) {
        remove_at(items, least(items));
    }
    s = malloc(sizeof *s);
    if (s == NULL) {
        return KRPC_SERVER;
    }
    *s = (struct stored){.target = target,
                         .by = *by,
                         .net = net_of(items, by),
                         .own_ms = now,
                         .put_ms = now,
                         .item = *item};
    items->nets[s->net]++;
    at = place_of(items, &target);
    memmove(&items->stored[at + 1], &items->stored[at],
            (items->count - at) * sizeof items->stored[0]);
    items->stored[at].p = s;
    items->count++;
    return 0;
}

size_t dht_items_count(const struct dht_items *items)
{
    return items->count;
}

void dht_items_announce(struct dht_items *items, const struct dht_id *hash,
                        const struct dht_address *peer, uint64_t now)
{
    size_t of_hash = 0;
    struct peer *oldest = items->peers; /* of all, */
    struct peer *oldest_of = NULL;      /* of this hash, */
    struct peer *place = NULL;          /* and of this host there */
    for (size_t i = 0; i < items->peer_count; i++) {
        struct peer *p = &items->peers[i];
        oldest = p->put_ms < oldest->put_ms ? p : oldest;
        if (!dht_id_equal(&p->hash, hash)) {
            continue;
        }
        of_hash++;
        oldest_of = oldest_of == NULL || p->put_ms < oldest_of->put_ms ? p : oldest_of;
        bool same = dht_address_local(peer) ? dht_address_equal(&p->address, peer)
                                            : dht_address_same_host(&p->address, peer);
        place = same ? p : place;
    }
    if (place == NULL && of_hash >= DHT_PEERS_HASH) {
        place = oldest_of;
    } else if (place == NULL) {
        place = items->peer_count < DHT_PEERS ? &items->peers[items->peer_count++] : oldest;
    }
    *place = (struct peer){.hash = *hash, .address = *peer, .put_ms = now};
}

void dht_items_peers(const struct dht_items *items, const struct dht_id *hash, bool v6,
                     uint64_t now, struct writer *w, unsigned max)
{
    for (size_t i = 0; i < items->peer_count && max > 0; i++) {
        const struct peer *p = &items->peers[i];
        if (p->address.v6 == v6 && dht_id_equal(&p->hash, hash) &&
            !is_over(p->put_ms, DHT_PEER_MS, now)) {
            dht_address_write(w, &p->address);
            max--;
        }
    }
}

uint64_t dht_items_expire(struct dht_items *items, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = items->count; i-- > 0;) {
        if (is_over(items->stored[i].p->put_ms, DHT_ITEM_MS, now)) {
            remove_at(items, i);
        } else if (items->stored[i].p->put_ms + DHT_ITEM_MS < next) {
            next = items->stored[i].p->put_ms + DHT_ITEM_MS;
        }
    }
    for (size_t i = items->peer_count; i-- > 0;) {
        if (is_over(items->peers[i].put_ms, DHT_PEER_MS, now)) {
            items->peers[i] = items->peers[--items->peer_count];
        } else if (items->peers[i].put_ms + DHT_PEER_MS < next) {
            next = items->peers[i].put_ms + DHT_PEER_MS;
        }
    }
    return next;
}
