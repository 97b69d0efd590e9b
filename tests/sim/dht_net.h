/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_net: a network of DHT nodes in one process, from one seed: the nodes of proto/dht with
 * addresses of their own, datagrams that take their time or are lost, nodes that come and go, and
 * some that lie. docs/testing.md.
 *
 * A liar answers whatever it is asked with other liars, in the names of nodes that would be nearest
 * to the target, and with honest nodes where they are not; it takes every item and has none, or an
 * old one.
 */
#ifndef PETREL_TESTS_SIM_DHT_NET_H
#define PETREL_TESTS_SIM_DHT_NET_H

#include "dht/dht.h"
#include "lib/unit.h"

struct dht_net_options {
    uint64_t seed;
    uint32_t nodes;
    uint32_t liars_percent;
    uint32_t replaced_percent; /* of the nodes, in an hour */
    uint32_t lost_percent;     /* of the datagrams */
};

struct dht_net;

struct dht_net *dht_net_new(const struct dht_net_options *options);
void dht_net_free(struct dht_net *net);
uint64_t dht_net_now(const struct dht_net *net);
/* Lets so much time pass. */
void dht_net_run(struct dht_net *net, uint64_t ms);
/* A random number below n. */
uint32_t dht_net_below(struct dht_net *net, uint32_t n);
/* One that is there and tells the truth. */
uint32_t dht_net_honest(struct dht_net *net);
/* Makes liars of this many per cent of the nodes nearest to a place, of `of` nodes. */
void dht_net_corrupt(struct dht_net *net, const struct dht_id *place, uint32_t of,
                     uint32_t percent);
struct dht *dht_net_node(struct dht_net *net, uint32_t i);
const struct env *dht_net_env(struct dht_net *net);
/* After something was begun at a node from outside. */
void dht_net_woken(struct dht_net *net, uint32_t i);

/* Sees every datagram that is sent, also those that are lost. */
void dht_net_watch(struct dht_net *net, void (*seen)(void *ctx, struct slice datagram), void *ctx);

/* Carries out one operation to its end; gives its report. item: the newest that was found. false:
 * it was not begun, or the node went. */
bool dht_net_finish(struct dht_net *net, uint32_t i, uint64_t operation, struct dht_item *item,
                    bool *found, struct dht_report *report);

struct dht_net_tally {
    unsigned lookups, newest, older, none;
    uint64_t hops, queries; /* of all of them */
};
/* Somebody puts an item, later a newer one, and four others look it up; so often. corrupt: so many
 * per cent of the 24 nodes nearest to it lie from between the puts on. */
struct dht_net_tally dht_net_lookups(struct dht_net *net, unsigned items, uint32_t corrupt);

struct dht_net_stats {
    uint64_t datagrams;
    uint64_t bytes;
    uint64_t replaced;
    uint64_t lies;
};
struct dht_net_stats dht_net_stats(const struct dht_net *net);

#endif
