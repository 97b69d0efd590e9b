/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups in networks of DHT nodes of which some lie, some go, and datagrams are lost.
 */
#include "sim/dht_lookups.h"

START_TEST(everything_is_found_where_nobody_lies)
{
    struct dht_net *net =
        dht_net_new(&(struct dht_net_options){.seed = 1, .nodes = 100, .lost_percent = 1});
    struct dht_lookups t = dht_lookups_soon(net, 25, 0);
    dht_lookups_show("100 nodes", &t);
    ck_assert_uint_eq(t.newest, t.lookups);
    dht_net_free(net);
}
END_TEST

START_TEST(some_liars_and_some_who_go_hide_nothing)
{
    struct dht_net *net = dht_net_new(&(struct dht_net_options){
        .seed = 2, .nodes = 500, .liars_percent = 10, .replaced_percent = 20, .lost_percent = 1});
    struct dht_lookups soon = dht_lookups_soon(net, 25, 0);
    struct dht_lookups late = dht_lookups_late(net, 25);
    dht_lookups_show("500 nodes, 10 % lie, soon", &soon);
    dht_lookups_show("500 nodes, 10 % lie, late", &late);
    ck_assert_uint_gt(soon.lies, soon.lookups); /* each of them met some */
    ck_assert_uint_gt(late.lies, late.lookups);
    ck_assert_uint_ge(dht_net_stats(net).replaced, 150); /* 100 an hour */
    ck_assert_uint_ge(late.age_ms, 53 * UINT64_C(60000));
    ck_assert_uint_ge(100 * soon.newest, 99 * soon.lookups);
    ck_assert_uint_ge(100 * late.newest, 99 * late.lookups);
    dht_net_free(net);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_set_timeout(tc, 250);
    tcase_add_test(tc, everything_is_found_where_nobody_lies);
    tcase_add_test(tc, some_liars_and_some_who_go_hide_nothing);
}

int main(void)
{
    return unit_main("sim/dht", add_tests);
}
