/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/dht_lookups.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/dht_items.h"

enum {
    MINUTE_MS = 60000,
    LOOKUPS = 4, /* of each item */
};

static const unsigned LATE_MINUTES[LOOKUPS] = {10, 25, 40, 54};

static struct dht_item version_of(const uint8_t seed[static DHT_SEED], int64_t seq)
{
    char value[16];
    int len = snprintf(value, sizeof value, "i%de", (int)seq);
    return dht_item_signed(seed, slice_of(NULL, 0), seq, slice_of(value, (size_t)len));
}

static void put_item(struct dht_net *net, const struct dht_item *item)
{
    struct dht_item none;
    struct dht_report report;
    bool found;
    uint32_t i = dht_net_honest(net);
    uint64_t operation = dht_put(dht_net_node(net, i), dht_net_env(net), item, false, 0);
    dht_net_need(dht_net_finish(net, i, operation, &none, &found, &report));
}

/* The first version of a new item, which liars have from now on; gives the second one. */
static struct dht_item put_first(struct dht_net *net)
{
    uint8_t seed[DHT_SEED];
    env_random(dht_net_env(net), seed, sizeof seed);
    struct dht_item first = version_of(seed, 1);
    put_item(net, &first);
    dht_net_old(net, &first);
    return version_of(seed, 2);
}

static void look_up(struct dht_net *net, const struct dht_item *newest, uint64_t put_ms,
                    struct dht_lookups *t)
{
    struct dht_item item;
    struct dht_report report;
    bool found;
    uint64_t lies = dht_net_stats(net).old;
    uint64_t age_ms = dht_net_now(net) - put_ms;
    uint32_t i = dht_net_honest(net);
    uint64_t operation =
        dht_get_mutable(dht_net_node(net, i), dht_net_env(net), &newest->key, slice_of(NULL, 0));
    dht_net_need(dht_net_finish(net, i, operation, &item, &found, &report));
    t->lookups++;
    t->none += !found;
    t->newest += found && item.seq == newest->seq;
    t->older += found && item.seq != newest->seq;
    t->hops += report.hops;
    t->queries += report.queries;
    t->lies += dht_net_stats(net).old - lies;
    t->age_ms = age_ms > t->age_ms ? age_ms : t->age_ms;
}

struct dht_lookups dht_lookups_soon(struct dht_net *net, unsigned items, unsigned corrupt)
{
    struct dht_lookups t = {.lookups = 0};
    for (unsigned k = 0; k < items; k++) {
        struct dht_item second = put_first(net);
        if (corrupt > 0) {
            struct dht_id place = dht_item_target(&second);
            dht_net_corrupt(net, &place, corrupt);
        }
        dht_net_run(net, MINUTE_MS);
        put_item(net, &second);
        uint64_t put_ms = dht_net_now(net);
        for (unsigned g = 0; g < LOOKUPS; g++) {
            dht_net_run(net, MINUTE_MS / LOOKUPS);
            look_up(net, &second, put_ms, &t);
        }
    }
    return t;
}

static void run_to(struct dht_net *net, uint64_t at_ms)
{
    if (at_ms > dht_net_now(net)) {
        dht_net_run(net, at_ms - dht_net_now(net));
    }
}

struct dht_lookups dht_lookups_late(struct dht_net *net, unsigned items)
{
    struct dht_lookups t = {.lookups = 0};
    struct dht_item *second = calloc(items, sizeof *second);
    uint64_t *put_ms = calloc(items, sizeof *put_ms);
    dht_net_need(second != NULL && put_ms != NULL);
    for (unsigned k = 0; k < items; k++) {
        second[k] = put_first(net);
    }
    dht_net_run(net, MINUTE_MS);
    for (unsigned k = 0; k < items; k++) {
        put_item(net, &second[k]);
        put_ms[k] = dht_net_now(net);
    }
    for (unsigned g = 0; g < LOOKUPS; g++) {
        for (unsigned k = 0; k < items; k++) {
            run_to(net, put_ms[k] + (uint64_t)LATE_MINUTES[g] * MINUTE_MS);
            look_up(net, &second[k], put_ms[k], &t);
        }
    }
    free(second);
    free(put_ms);
    return t;
}

struct dht_lookups dht_lookups_sum(const struct dht_lookups *a, const struct dht_lookups *b)
{
    return (struct dht_lookups){.lookups = a->lookups + b->lookups,
                                .newest = a->newest + b->newest,
                                .older = a->older + b->older,
                                .none = a->none + b->none,
                                .hops = a->hops + b->hops,
                                .queries = a->queries + b->queries,
                                .lies = a->lies + b->lies,
                                .age_ms = a->age_ms > b->age_ms ? a->age_ms : b->age_ms};
}

void dht_lookups_show(const char *what, const struct dht_lookups *t)
{
    printf("%s: %u lookups until %.0f min, %u the newest, %u an older one, %u none; %.2f hops, "
           "%.1f queries, %.1f answers with an older one\n",
           what, t->lookups, (double)t->age_ms / MINUTE_MS, t->newest, t->older, t->none,
           (double)t->hops / t->lookups, (double)t->queries / t->lookups,
           (double)t->lies / t->lookups);
}
