/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_lookups: people who put items into a dht_net, and later newer versions, and others who look
 * them up. Liars have the first version.
 */
#ifndef PETREL_TESTS_SIM_DHT_LOOKUPS_H
#define PETREL_TESTS_SIM_DHT_LOOKUPS_H

#include "sim/dht_net.h"

struct dht_lookups {
    unsigned lookups, newest, older, none;
    uint64_t hops, queries; /* of all of them */
    uint64_t lies;          /* old versions that liars answered them with */
    uint64_t age_ms;        /* of the newest version when it was looked up, at most */
};

/* Each item is looked up four times in the minute after its newer version was put. corrupt: so many
 * nodes, the nearest ones to it, lie from between the puts on. */
struct dht_lookups dht_lookups_soon(struct dht_net *net, unsigned items, unsigned corrupt);
/* All items are looked up four times, the last time nearly an hour after they were put, which is
 * when descriptors are put again. */
struct dht_lookups dht_lookups_late(struct dht_net *net, unsigned items);
/* Of both. */
struct dht_lookups dht_lookups_sum(const struct dht_lookups *a, const struct dht_lookups *b);
/* One line about them. */
void dht_lookups_show(const char *what, const struct dht_lookups *t);

#endif
