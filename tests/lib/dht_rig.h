/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_rig: some nodes of the DHT with what lies between them: datagrams arrive at once, in their
 * order, and time passes when the test says so. Node i is at 20.0.i.1 and 2001:db8:i::1.
 */
#ifndef PETREL_TESTS_LIB_DHT_RIG_H
#define PETREL_TESTS_LIB_DHT_RIG_H

#include "dht/dht.h"
#include "lib/unit.h"

enum {
    DHT_RIG_NODES = 8,
    DHT_RIG_PORT = 6881,
    DHT_RIG_NOW = 1000000,
};

struct dht_rig {
    struct unit_env u;
    struct dht *dht[DHT_RIG_NODES]; /* NULL: gone */
    unsigned count;
    struct dht_output last[2]; /* item and report of the last operation */
    bool found, done;
    struct dht_output to_nobody; /* the last datagram to an address where no node is */
    unsigned to_nobody_count;
    size_t longest[DHT_FAMILIES];  /* bytes of a datagram */
    unsigned wanted[DHT_FAMILIES]; /* queries that say which nodes are wanted, by their way */
};

struct dht_address dht_rig_at(unsigned i, bool v6);

/* No nodes yet. */
struct dht_rig *dht_rig_new(void);
void dht_rig_free(struct dht_rig *r);
/* One node more, which begins with the first one, in each family that it has. */
void dht_rig_add(struct dht_rig *r, const struct dht_config *config);
/* All that waits arrives, and what is sent for it, until nobody has more to say. */
void dht_rig_deliver(struct dht_rig *r);
void dht_rig_pass(struct dht_rig *r, uint64_t ms);
struct dht_status dht_rig_status(const struct dht_rig *r, unsigned i);

/* A question to the first node from where no node is; gives what is answered: a query if nothing
 * is. */
struct krpc dht_rig_asked(struct dht_rig *r, const struct dht_address *stranger,
                          struct slice question);

/* An operation of node i until its end; what a get found is in last. */
struct dht_report dht_rig_put(struct dht_rig *r, unsigned i, const struct dht_item *item,
                              bool has_cas, int64_t cas);
bool dht_rig_get(struct dht_rig *r, unsigned i, const struct dht_item *item);

#endif
