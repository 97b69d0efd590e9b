/* SPDX-License-Identifier: Apache-2.0
 *
 * dht_net: a network of DHT nodes in one process, from one seed: the nodes of proto/dht with
 * addresses of their own, datagrams that take their time or are lost, nodes that come and go, and
 * some that lie. docs/testing.md.
 *
 * A liar answers whatever it is asked with other liars, the nearest to the target that there are,
 * and with the honest ones that are nearest, where they are not. It takes every item and keeps
 * none: of those that dht_net_old names it has that version; every third liar says that it has
 * nothing.
 */
#ifndef PETREL_TESTS_SIM_DHT_NET_H
#define PETREL_TESTS_SIM_DHT_NET_H

#include "dht/dht.h"
#include "lib/unit.h"

enum {
    DHT_NET_NEAR = 24, /* as many as dht_net_corrupt makes liars of, at most */
};

struct dht_net_options {
    uint64_t seed;
    uint32_t nodes;
    uint32_t liars_percent;
    uint32_t replaced_percent; /* of the nodes, in an hour */
    uint32_t lost_percent;     /* of the datagrams */
    bool liars_choose;         /* for each place the nearest of the IDs that their address allows */
};

struct dht_net;

/* As unit_must: also where no test runs. */
void dht_net_need(bool good);

struct dht_net *dht_net_new(const struct dht_net_options *options);
void dht_net_free(struct dht_net *net);
uint64_t dht_net_now(const struct dht_net *net);
/* Lets so much time pass. */
void dht_net_run(struct dht_net *net, uint64_t ms);
/* A random number below n. */
uint32_t dht_net_below(struct dht_net *net, uint32_t n);
/* One that is there and tells the truth. */
uint32_t dht_net_honest(struct dht_net *net);
/* Makes liars of so many nodes, the nearest to a place, and of nobody else but those that lie
 * anyway: who did by an earlier call is honest again. */
void dht_net_corrupt(struct dht_net *net, const struct dht_id *place, unsigned count);
/* What liars answer with who are asked for this item. */
void dht_net_old(struct dht_net *net, const struct dht_item *item);
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

struct dht_net_stats {
    uint64_t datagrams;
    uint64_t bytes;
    uint64_t replaced;
    uint64_t lies;
    uint64_t old; /* of them answers with an old version */
};
struct dht_net_stats dht_net_stats(const struct dht_net *net);

#endif
