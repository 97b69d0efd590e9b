/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups in networks of DHT nodes of which some lie, some go, and datagrams are lost.
 */
#include <stdio.h>
#include <string.h>

#include "lib/dht_items.h"
#include "sim/dht_net.h"

enum {
    MINUTE = 60000,
};

struct tally {
    unsigned lookups, newest, older, none;
    uint64_t hops, queries;
};

static struct dht_item version_of(const uint8_t seed[static DHT_SEED], int64_t seq)
{
    char value[16];
    int len = snprintf(value, sizeof value, "i%de", (int)seq);
    return dht_item_signed(seed, slice_of(NULL, 0), seq, slice_of(value, (size_t)len));
}

static void put(struct dht_net *net, const struct dht_item *item)
{
    struct dht_item none;
    struct dht_report report;
    bool found;
    uint32_t i = dht_net_honest(net);
    uint64_t operation = dht_put(dht_net_node(net, i), dht_net_env(net), item, false, 0);
    ck_assert(dht_net_finish(net, i, operation, &none, &found, &report));
}

static void get(struct dht_net *net, const struct dht_item *newest, struct tally *tally)
{
    struct dht_item item;
    struct dht_report report;
    bool found;
    uint32_t i = dht_net_honest(net);
    uint64_t operation =
        dht_get_mutable(dht_net_node(net, i), dht_net_env(net), &newest->key, slice_of(NULL, 0));
    ck_assert(dht_net_finish(net, i, operation, &item, &found, &report));
    tally->lookups++;
    tally->none += !found;
    tally->newest += found && item.seq == newest->seq;
    tally->older += found && item.seq != newest->seq;
    tally->hops += report.hops;
    tally->queries += report.queries;
}

/* Somebody puts an item, later a newer one, and others look it up. corrupt: so many per cent of the
 * 24 nodes nearest to it lie from then on. */
static struct tally lookups(struct dht_net *net, unsigned items, uint32_t corrupt)
{
    struct tally tally = {.lookups = 0};
    for (unsigned k = 0; k < items; k++) {
        uint8_t seed[DHT_SEED];
        env_random(dht_net_env(net), seed, sizeof seed);
        struct dht_item first = version_of(seed, 1);
        struct dht_item second = version_of(seed, 2);
        put(net, &first);
        if (corrupt > 0) {
            struct dht_id place = dht_item_target(&first);
            dht_net_corrupt(net, &place, 24, corrupt);
        }
        dht_net_run(net, MINUTE);
        put(net, &second);
        for (unsigned g = 0; g < 4; g++) {
            dht_net_run(net, MINUTE / 4);
            get(net, &second, &tally);
        }
    }
    return tally;
}

static void show(const char *what, const struct tally *t)
{
    printf("%s: %u lookups, %u the newest, %u an older one, %u none; %.2f hops, %.1f queries\n",
           what, t->lookups, t->newest, t->older, t->none, (double)t->hops / t->lookups,
           (double)t->queries / t->lookups);
}

START_TEST(everything_is_found_where_nobody_lies)
{
    struct dht_net *net =
        dht_net_new(&(struct dht_net_options){.seed = 1, .nodes = 100, .lost_percent = 1});
    struct tally t = lookups(net, 25, 0);
    show("100 nodes", &t);
    ck_assert_uint_eq(t.newest, t.lookups);
    dht_net_free(net);
}
END_TEST

START_TEST(some_liars_and_some_who_go_hide_nothing)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){
        .seed = 2, .nodes = 500, .liars_percent = 10, .replaced_percent = 20, .lost_percent = 1});
    struct tally t = lookups(net, 25, 0);
    show("500 nodes, 10 % lie", &t);
    ck_assert_uint_gt(dht_net_stats(net).lies, 1000);
    ck_assert_uint_gt(dht_net_stats(net).replaced, 5);
    ck_assert_uint_ge(100 * t.newest, 99 * t.lookups);
    dht_net_free(net);
}
END_TEST

START_TEST(liars_beside_an_item_do_not_hide_it)
{
    struct dht_net *net =
        dht_net_new(&(struct dht_net_options){.seed = 3, .nodes = 300, .lost_percent = 1});
    struct tally t = lookups(net, 25, 20);
    show("300 nodes, 20 % of the nearest lie", &t);
    ck_assert_uint_gt(dht_net_stats(net).lies, 100);
    ck_assert_uint_ge(100 * t.newest, 99 * t.lookups);
    dht_net_free(net);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, everything_is_found_where_nobody_lies);
    tcase_add_test(tc, some_liars_and_some_who_go_hide_nothing);
    tcase_add_test(tc, liars_beside_an_item_do_not_hide_it);
}

int main(void)
{
    return unit_main("sim/dht", add_tests);
}
