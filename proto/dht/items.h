/* SPDX-License-Identifier: Apache-2.0
 *
 * items: what a node of the DHT keeps for others: items (BEP 44) and peers (BEP 5), in memory, for
 * a time, so many in all and of one host. docs/protocol/11-dht.md, section 6.
 *
 * What is full makes room by what was put longest ago; of items by one of the network that has most
 * of them, so that a flood displaces itself. Owns its memory.
 */
#ifndef PETREL_DHT_ITEMS_H
#define PETREL_DHT_ITEMS_H

#include "dht/item.h"

enum {
    DHT_ITEMS = 4096,                 /* in all */
    DHT_ITEMS_HOST = 256,             /* of one host that is not local */
    DHT_ITEMS_NETS = 8192,            /* counted: IPv4 by /24, IPv6 by /48, local ones by port */
    DHT_ITEM_MS = 2 * 60 * 60 * 1000, /* BEP 44: put again every hour, forgotten after two */
    DHT_PEERS = 2048,                 /* in all */
    DHT_PEERS_HASH = 64,              /* of one info-hash */
    DHT_PEER_MS = 30 * 60 * 1000,
};

struct dht_items;

/* NULL when out of memory. */
struct dht_items *dht_items_new(const struct env *env);
void dht_items_free(struct dht_items *items);
/* Borrowed until the next put; NULL: it is not there. */
const struct dht_item *dht_items_get(struct dht_items *items, const struct dht_id *target,
                                     uint64_t now);
/* By the rules of BEP 44. 0; a krpc_code, KRPC_SERVER when there is no room for one of this host.
 */
int dht_items_put(struct dht_items *items, const struct dht_item *item, bool has_cas, int64_t cas,
                  const struct dht_address *by, uint64_t now);
size_t dht_items_count(const struct dht_items *items);

void dht_items_announce(struct dht_items *items, const struct dht_id *hash,
                        const struct dht_address *peer, uint64_t now);
/* Writes compact addresses of this family to w, one after the other, at most max. */
void dht_items_peers(const struct dht_items *items, const struct dht_id *hash, bool v6,
                     uint64_t now, struct writer *w, unsigned max);
/* Forgets what is over; what is left is next looked at then. UINT64_MAX: nothing is left. */
uint64_t dht_items_expire(struct dht_items *items, uint64_t now);

#endif
