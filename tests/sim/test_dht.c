/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups in networks of DHT nodes of which some lie, some go, and datagrams are lost.
 */
#include <stdio.h>

#include "sim/dht_net.h"

static void show(const char *what, const struct dht_net_tally *t)
{
    printf("%s: %u lookups, %u the newest, %u an older one, %u none; %.2f hops, %.1f queries\n",
           what, t->lookups, t->newest, t->older, t->none, (double)t->hops / t->lookups,
           (double)t->queries / t->lookups);
}

START_TEST(everything_is_found_where_nobody_lies)
{
    struct dht_net *net =
        dht_net_new(&(struct dht_net_options){.seed = 1, .nodes = 100, .lost_percent = 1});
    struct dht_net_tally t = dht_net_lookups(net, 25, 0);
    show("100 nodes", &t);
    ck_assert_uint_eq(t.newest, t.lookups);
    dht_net_free(net);
}
END_TEST

START_TEST(some_liars_and_some_who_go_hide_nothing)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){
        .seed = 2, .nodes = 500, .liars_percent = 10, .replaced_percent = 20, .lost_percent = 1});
    struct dht_net_tally t = dht_net_lookups(net, 25, 0);
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
    struct dht_net_tally t = dht_net_lookups(net, 25, 20);
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
